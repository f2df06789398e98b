"""Fill README.md, docs/training.md and docs/robustness.md from result files and from the command itself.

python scripts/docs/readme.py          write
python scripts/docs/readme.py --check  exit code 1 where the numbers differ from the files (pictures are not compared)
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
TRAINING = ROOT / "docs" / "training.md"
ROBUSTNESS = ROOT / "docs" / "robustness.md"
VISIBILITY = ROOT / "docs" / "visibility.md"
RESULTS = ROOT / "docs" / "results"
PICTURE = ROOT / "docs" / "images" / "sample.png"
EXAMPLES = ROOT / "docs" / "images" / "examples.png"
AREAS = ("mouth", "nose", "eyes", "nose_mouth", "nose_eyes", "mouth_eyes", "whole_face")


def read(name: str) -> dict[str, Any] | None:
    """A result file, or None where it was not made yet."""
    path = RESULTS / name
    return json.loads(path.read_text()) if path.is_file() else None


def install_text() -> str:
    """Time and size of an installation."""
    found = read("install.json")
    if found is None:
        return "Time and size of an installation are not measured yet (`make install-size`)."
    first, later = found["analyze_seconds_first"], found["analyze_seconds_then"][0]
    return (
        f"Installing took {found['install_seconds']:.0f} s and {found['megabytes']} MB, the first answer {first:.1f} s "
        f"including start-up, later ones {later:.1f} s "
        f"({found['machine']['cores']} cores at load average {found['machine']['load_average']:.0f}; "
        f"`{found['command']}`)."
    )


PUBLISHED = {
    "test3137": "VGG13 85.1, RAN 88.6 / 89.2", "occlusion": "RAN 83.6, D3FER 87.6", "pose30": "RAN 82.2",
    "pose45": "RAN 80.4",
}  # fmt: skip
"""Accuracy (%) that others report on these lists."""


def results_text() -> str:
    """Accuracy by area and selection."""
    found = read("models/evaluation.json")
    if found is None:
        return "Not measured yet (`mien evaluate --data ferplus:ROOT --out docs/results/models/evaluation.json`)."
    selections = list(next(iter(found["areas"].values())))
    head = ["area"] + [f"{s}: accuracy % (95% interval)" for s in selections] + ["macro recall %", "calibration error"]
    sizes = ", ".join(f"{s} n = {found['areas']['whole_face'][s]['n']:,}" for s in selections)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    places = [(kind, area) for kind in ("areas", "fused") for area in AREAS if area in found.get(kind, {})]
    for kind, area in places:
        rows = found[kind][area]
        cells = [("all within " if kind == "fused" else "") + area.replace("_", " ")]
        for selection in selections:
            value = rows[selection]["accuracy"]
            cells.append(f"{value['value'] * 100:.1f} ({value['low'] * 100:.1f} to {value['high'] * 100:.1f})")
        first = rows[selections[0]]
        cells += [f"{first['macro_recall'] * 100:.1f}", f"{first['ece']:.3f}" if first.get("ece") is not None else ""]
        lines.append("| " + " | ".join(cells) + " |")
    note = (
        f"{sizes}; macro recall and calibration error (15 bins) on the first. *whole face*: the face as it is, from "
        f"which `mien analyze` answers; the other areas alone, all else blanked (`--area`){by_vgg()}. *all within*: "
        "fused from every area within the visible one. *unrepeated*: without the faces "
        f"whose picture also stands in training or validation, byte for byte. Network `{found['network']}`. Command: "
    )
    return "\n".join(lines) + f"\n\n{note}`{found['command']}`."


def by_vgg() -> str:
    """Which areas alone are answered by their VGGs."""
    found = read("models/best_of_areas.json")
    taken = [
        name.replace("_", " and ") for name, row in (found or {"areas": {}})["areas"].items() if row["taken"] == "vgg"
    ]
    if not taken:
        return ""
    return (
        f", {' and '.join(taken)} by the VGGs that see them enlarged, which were better on validation "
        "([best_of_areas.json](docs/results/models/best_of_areas.json))"
    )


def study_text() -> str:
    """The five findings and the areas' accuracy, out of the kept report's result files."""
    folder = RESULTS / "ferplus" / "results"
    if not (folder / "table-a.csv").is_file():
        return "Not done yet (`mien study --data ferplus:ROOT --out docs/results/ferplus`)."
    with (folder / "table-a.csv").open() as file:
        findings = list(csv.DictReader(file))
    with (folder / "fig-a.csv").open() as file:
        areas = {row["area"]: row for row in csv.DictReader(file)}

    def share(area: str) -> str:
        value, low, high = (100 * float(areas[area][c]) for c in ("accuracy", "low", "high"))
        return f"{value:.1f}% ({low:.1f} to {high:.1f})"

    lines = [
        f"On {int(areas['mouth']['n']):,} test faces the study's own trainings name the emotion rightly from the mouth "
        f"alone in {share('mouth')}, from the eyes in {share('eyes')}, from the nose in {share('nose')}, from mouth "
        f"and eyes in {share('mouth_eyes')}, and from the whole face in {share('whole_face')}; the paper's whole face "
        f"has {100 * float(areas['whole_face']['paper']):.2f}%. Its five findings:",
        "",
        "| finding | holds | claims that hold |",
        "|---|---|---|",
    ]
    lines += [f"| {r['finding']}. {r['text']} | **{r['answer']}** | {r['yes']} of {r['claims']} |" for r in findings]
    settings = json.loads((RESULTS / "ferplus" / "settings.json").read_text())
    return "\n".join([
        *lines, "",
        "Margins, intervals, every table and figure: [the report](docs/results/ferplus/report.html) (one file; open it "
        f"in a browser). {settings['notes'][0]} Command: `{settings['command']}`; the page alone is made again by "
        "`mien study --report-from docs/results/ferplus`.",
    ])  # fmt: skip


def sample_text() -> str:
    """What the command prints for the bundled photo."""
    from mien.cli import main

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main(["analyze", "--sample", "--save-image", str(PICTURE)])
    if code:
        raise SystemExit(f"mien analyze --sample ended with exit code {code}")
    return f"```text\n{printed.getvalue().rstrip()}\n```"


def examples_text() -> str:
    """What mien says of the faces to try, and a picture of them; the whole face's answer stands first."""
    import cv2
    import numpy as np

    from mien import Analyzer
    from mien.analyze.examples import TITLES, example_picture
    from mien.assets import SAMPLE

    analyzer, strip = Analyzer(), []
    landmarks = analyzer.analyze(SAMPLE)[0].face.landmarks
    x, y = np.round((landmarks.min(axis=0) + landmarks.max(axis=0)) / 2).astype(int)
    lines = ["| face | said | `p_correct` | found hidden |", "|---|---|---|---|"]
    for name in [name for name in TITLES if name != "group"]:
        picture = example_picture(name, lambda: landmarks)
        answer = analyzer.analyze(picture)[0]
        hidden = ", ".join(piece.replace("_", " ") for piece in answer.visibility.hidden_pieces)
        if answer.p_correct is None:
            raise SystemExit(f"the example {name} has no p_correct")
        lines.append(f"| {TITLES[name]} | {answer.emotion.value} | {answer.p_correct} | {hidden or 'nothing'} |")
        pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        strip.append(cv2.resize(pixels[y - 66 : y + 66, x - 60 : x + 60], None, fx=1.5, fy=1.5))
    cv2.imwrite(str(EXAMPLES), np.hstack(strip), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return "\n".join(lines)


def shipped_text() -> str:
    """How each shipped network was trained, in tables out of the manifest."""
    manifest = json.loads((ROOT / "src" / "mien" / "models" / "manifest.json").read_text())
    entries = [("vgg", area, manifest["networks"]["vgg"][area]) for area in AREAS]
    entries += [("densenet", "whole_face", manifest["visualisation"])]
    lines = ["| network | area | run | stages | crops | started from | teachers |", "|" + "---|" * 7]
    commands: dict[str, None] = {}
    for network, area, entry in entries:
        training = entry["training"]
        stages = ", ".join(f"{epochs:g} × {side} px" for epochs, side in training["stages"])
        teachers = ", ".join(f"`{name}`" for name in entry.get("teachers", []))
        start = Path(training["start_from"]).name
        lines.append(
            f"| {network} | {area.replace('_', ' ')} | `{entry['run']}` | {stages} | `{entry['spec']}` "
            f"| {f'`{start}`' if start else ''} | {teachers} |"
        )
        if entry.get("command"):
            commands.setdefault(entry["command"])
    one = manifest["networks"]["resnet"]["whole_face"]
    training = one["training"]
    start = f"`{training['start_from']}`" if training["start_from"] else "face weights of dlib"
    teachers = ", ".join(f"`{name}`" for name in one["teachers"])
    stages = f"{training['epochs']} × {training['side']} px"
    lines.append(f"| resnet | all | `{one['run']}` | {stages} | `{one['spec']}` | {start} | {teachers} |")
    commands.setdefault(one["command"])
    return "\n".join([*lines, "", "```sh", *commands, "```"])


def hard_text() -> str:
    """Published hard lists, end to end, beside what others report."""
    found = read("models/subsets.json")
    if found is None:
        return "Not measured yet (`mien evaluate --data ferplus:ROOT --subset NAME:LIST ...`)."
    lines = ["| list | faces | found % | right % (95% interval) | macro recall % | trust said % | true % | published |"]
    lines.append("|" + "---|" * 8)
    for name, row in found["subsets"].items():
        right = row["accuracy"]
        lines.append(
            f"| {name} | {row['n']:,} | {100 * row['found']:.1f} | {100 * right['value']:.1f} "
            f"({100 * right['low']:.1f} to {100 * right['high']:.1f}) | {100 * row['macro_recall']:.1f} "
            f"| {100 * row['said']:.1f} | {100 * row['true']:.1f} | {PUBLISHED.get(name, '')} |"
        )
    note = (
        "Picture in, answer out, detection included; a face that is not found counts as wrong. *trust said*: mean "
        "probability of being right that the answers came with; *true*: how often they were. Lists and labels: Wang et "
        "al., Region Attention Networks (TIP 2020); nothing was chosen on them. "
    )
    return "\n".join(lines) + f"\n\n{note}Command: `{found['command']}`."


def hidden_text() -> str:
    """How hidden pieces are found, on validation faces looked at by eye."""
    manifest = json.loads((ROOT / "src" / "mien" / "models" / "manifest.json").read_text())
    found = manifest["networks"]["resnet"]["whole_face"]["thresholds_on_validation"]
    lines = ["| piece | hidden from | hidden ones found % (n) | visible ones said hidden % (n) |", "|" + "---|" * 4]
    lines += [
        f"| {piece.replace('_', ' ')} | {row['share']:.2f} | {100 * row['found']:.1f} ({row['hidden']}) "
        f"| {100 * row['wrong']:.1f} ({row['visible']:,}) |"
        for piece, row in found.items()
    ]
    return "\n".join(lines)


def robustness_text() -> str:
    """Accuracy, and share of faces with the same answer as before, under every disturbance and by area."""
    with (RESULTS / "models" / "disturbances.csv").open() as file:
        rows = list(csv.DictReader(file))
    lines = ["| disturbance | " + " | ".join(a.replace("_", " ") for a in AREAS) + " | face found % |"]
    lines.append("|" + "---|" * (len(AREAS) + 2))
    for name in dict.fromkeys(row["disturbance"] for row in rows):
        of = {row["area"]: row for row in rows if row["disturbance"] == name}
        cells = [f"{float(of[a]['accuracy']) * 100:.1f} ({float(of[a]['same_answer']) * 100:.1f})" for a in AREAS]
        lines.append(f"| {name} | {' | '.join(cells)} | {float(of[AREAS[0]]['detected']) * 100:.1f} |")
    return "\n".join([*lines, "", f"{rows[0]['n']} test faces."])


def filled(text: str, places: dict[str, str]) -> str:
    """A page with every marked place filled."""
    for mark, words in places.items():
        block = f"<!-- {mark} -->\n{words}\n<!-- /{mark} -->"
        text, count = re.subn(rf"<!-- {mark} -->.*?<!-- /{mark} -->", lambda _, b=block: b, text, flags=re.S)
        if count != 1:
            raise SystemExit(f"expected one place <!-- {mark} -->, found {count}")
    return text


def main(arguments: list[str]) -> int:
    """Write, or check."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    readme = {
        "install": install_text(), "results": results_text(), "sample": sample_text(), "hard": hard_text(),
        "study": study_text(), "examples": examples_text(),
    }  # fmt: skip
    places = {
        README: readme, TRAINING: {"shipped": shipped_text()}, ROBUSTNESS: {"disturbances": robustness_text()},
        VISIBILITY: {"hidden": hidden_text(), "hard": hard_text()},
    }  # fmt: skip
    before = {page: page.read_text() for page in places}
    after = {page: filled(before[page], blocks) for page, blocks in places.items()}
    if "--check" in arguments:
        return int(before != after)
    for page, text in after.items():
        page.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
