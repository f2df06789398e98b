"""Build and execute notebooks/*.ipynb with the shipped models. Needs nbformat, nbclient and ipykernel (extra dev).

python scripts/docs/notebooks.py [photo|contribution]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from mien.trust.models import shipped_models

ROOT = Path(__file__).parents[2]

PHOTO = [
    """# One photo: what each part of the face says

The bundled photo is NASA's portrait of astronaut Eileen Collins (public domain). An `Analyzer` finds the faces of a
picture, decides which of eyes, nose and mouth are visible, and answers for each of the seven areas.""",
    """from mien import Analyzer
from mien.assets import SAMPLE

analyzer = Analyzer(coverage=0.9)
answers = analyzer.analyze(SAMPLE, input="astronaut.jpg")
answers""",
    """## How far to trust it

An answer carries `p_correct` (the paper's *authenticity*): the probability that it is right, with a 95% interval, and
the set of emotions that holds the right one nine times in ten.""",
    """answer = answers[0]
print(repr(answer))
print("at 90% coverage:", *answer.fused.prediction_set)""",
    """## What if a part were hidden?

`reconsider` answers again from what the networks have said already. Areas that show a hidden part are left out.""",
    """import pandas as pd

from mien import Area

rows = []
for area in Area:
    other = analyzer.reconsider(answer, area)
    right = other.fused.authenticity
    rows.append({"visible": area.words, "answer": other.emotion.value, "probability": other.fused.probabilities.max(),
                 "right": right.value, "low": right.low, "high": right.high})
pd.DataFrame(rows).set_index("visible").round(2)""",
    """## Which part spoke for the answer?

The seven areas are all non-empty subsets of {eyes, nose, mouth}, so each part's Shapley value is exact. The unit is
bits: the values sum to how many times likelier the parts have made the answer, as a power of two.""",
    """bits = pd.Series({part.value: value for part, value in answer.contributions.items()}, name="bits")
print(f"together {bits.sum():.2f} bits: {answer.emotion} became {2 ** bits.sum():.1f} times as likely")
bits.round(2).to_frame()""",
    """## A mask

A mask drawn on the photo: mien finds that the mouth is hidden (the nose may be, too) and uses what is left. The last
line forces an answer from the whole face all the same, as a recogniser does that does not know what it sees.""",
    """import cv2
import numpy as np

from mien import images

masked = images.load(SAMPLE).copy()
nose_base, jaw = answer.face.landmarks[33], answer.face.landmarks[2:15]
cv2.fillConvexPoly(masked, cv2.convexHull(np.vstack([jaw, nose_base[None] - [0, 6]]).astype(np.int32)), (120, 160, 190))
covered = analyzer.analyze(masked)
print(covered[0])
print()
print("forced:", analyzer.analyze(masked, area="whole_face")[0].emotion)""",
    """## One row a face

`to_frame()` gives the columns that every table of mien has; py-feat's and OpenFace's names are kept in lower case.""",
    """columns = ["face_id", "face_x", "face_y", "face_width", "face_height", "emotion", "p_correct", "area",
           "happiness", "mouth_happiness", "eyes_happiness", "contribution_mouth"]
answers.to_frame()[columns].round(2)""",
]

HEATMAP = [
    """## Where the network looks

The class activation map of the visualisation network, in the published colours and weights (JET, 0.4 and 0.5).""",
    """from IPython.display import Image

looked = analyzer.analyze(SAMPLE, heatmap=True)
x0, y0, x1, y1 = (int(v) for v in looked[0].heatmap.box)
around = looked.overlaid()[max(y0 - 60, 0) : y1 + 60, max(x0 - 60, 0) : x1 + 60]
Image(cv2.imencode(".jpg", around[..., ::-1])[1].tobytes(), width=320)""",
]
"""Only where the shipped models have a visualisation network."""

CONTRIBUTION = [
    """# What eyes, nose and mouth contribute, on FER+

The tables shipped with the models were measured on the FER+ test faces (`mien calibrate`). No picture is needed to read
them.""",
    """import matplotlib.pyplot as plt
import numpy as np

from mien.trust.fitted import read_table
from mien.types import AREAS, EMOTIONS, PARTS

%config InlineBackend.figure_format = "jpeg"
contribution = read_table(None, "contribution")
contribution["game"].value_counts().to_frame("rows")""",
    """## Accuracy of each area

The value of a set of parts is what the area that shows exactly these parts achieves. With no part at all the best guess
is the most frequent emotion.""",
    """coalitions = read_table(None, "coalitions")
accuracy = coalitions[coalitions["game"] == "accuracy"].set_index("area")
accuracy[["value", "low", "high", "n"]].round(3)""",
    """## Shapley values for accuracy

Exact, since all eight sets of parts were measured; they sum to the whole face's accuracy minus that of no part.""",
    """shares = contribution[contribution["game"] == "accuracy"].set_index("part")
everything, nothing = accuracy.loc["whole_face", "value"], accuracy.loc["none", "value"]
assert np.isclose(shares["value"].sum(), everything - nothing, atol=1e-4)
print(f"sum {shares['value'].sum():.3f} = {everything:.3f} - {nothing:.3f}")
shares[["value", "low", "high"]].round(3)""",
    """## Which part tells which emotion?

The gain in information about the right emotion, in bits a face, over the faces of each emotion.""",
    """bits = contribution[contribution["game"] == "information"]
names = [e.value for e in EMOTIONS if e.value in set(bits["emotion"])]
figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
colors = {"eyes": "#56b4e9", "nose": "#009e73", "mouth": "#e69f00"}
for i, part in enumerate(PARTS):
    rows = bits[bits["part"] == part.value].set_index("emotion").loc[names]
    at = np.arange(len(names)) + 0.27 * (i - 1)
    error = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
    axes.bar(at, rows["value"], 0.25, yerr=error, label=part.value, color=colors[part.value], error_kw={"lw": 0.9})
axes.axhline(0, color="#566067", lw=0.6)
axes.set_xticks(range(len(names)), names)
axes.set_ylabel("bits a face (Shapley value)")
axes.legend(frameon=False)
plt.show()""",
    """## Do two parts together give more than both alone?

Pairwise interactions: positive where two parts complement each other, negative where they say the same.""",
    """interactions = read_table(None, "interactions")
interactions[interactions["game"].isin(["accuracy", "macro_recall"])].round(3)""",
    """## Beside what psychology measured in people""",
    """psychology = read_table(None, "psychology")
columns = ["study", "finding", "difference", "low", "high", "n", "verdict"]
psychology.loc[psychology["game"] == "information", columns].round(2)""",
    """## How far can each area be trusted about each emotion?

The share of right answers among those in which an area says an emotion: validation faces, partially pooled.""",
    """trust = read_table(None, "authenticity").pivot(index="area", columns="emotion", values="p")
trust = trust.loc[[a.value for a in AREAS], [e.value for e in EMOTIONS]]
trust.style.format("{:.0%}").background_gradient(cmap="YlGnBu", vmin=0.2, vmax=1)""",
]

NOTEBOOKS = {"photo": PHOTO, "contribution": CONTRIBUTION}


def build(cells: list[str]) -> nbformat.NotebookNode:
    """Text and code alternate; the first is text."""
    kinds = (nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell)
    notebook = nbformat.v4.new_notebook(cells=[kinds[i % 2](source) for i, source in enumerate(cells)])
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def main(names: list[str]) -> None:
    """Execute each and write it; execution details that change from run to run are left out."""
    for name in names or NOTEBOOKS:
        drawn = HEATMAP if name == "photo" and "visualisation" in shipped_models().manifest else []
        notebook = build(NOTEBOOKS[name] + drawn)
        path = ROOT / "notebooks" / f"{name}.ipynb"
        nbformat.write(notebook, path)
        subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(path)], check=True)
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(ROOT))
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.write(notebook, path)
        print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
