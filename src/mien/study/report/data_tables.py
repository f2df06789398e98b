"""Tables 1 to 4 of the paper: class counts and areas, the paper's own beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.data import PUBLISHED_COUNTS, PUBLISHED_TABLES
from mien.data.samples import SPLITS
from mien.face.areas import PART_LANDMARKS, bounding_box, landmark_indices
from mien.face.crops import cut
from mien.face.spec import STUDY_SPECS, CropSpec
from mien.study.report.exhibits import Exhibit, percent, signed
from mien.study.report.inputs import Evidence
from mien.study.report.paper import LANDMARKS, TITLES
from mien.types import AREAS, EMOTIONS, Area

LANDMARK_SAMPLE = 2000
"""Faces from which crop sizes are measured."""


def counts_table(evidence: Evidence) -> Exhibit:
    """Tables 1-3: faces per emotion and split, beside the paper's."""
    faces, name = evidence.faces, evidence.name
    paper = PUBLISHED_COUNTS.get(name)
    rows = []
    for emotion in EMOTIONS:
        of = faces[faces["label"] == emotion.value]["split"].value_counts()
        train, validation, test = (int(of.get(split, 0)) for split in SPLITS)
        row = {"emotion": emotion.value, "train": train + validation, "validation": validation, "test": test}
        if paper is not None:
            row |= {f"paper_{split}": paper[split].get(emotion, 0) for split in ("train", "test")}
        rows.append(row)
    data = pd.DataFrame(rows)
    data = pd.concat(
        [data, pd.DataFrame([{"emotion": "all", **data.drop(columns="emotion").sum()}])], ignore_index=True
    )
    shown = pd.DataFrame({
        "emotion": data["emotion"], "train + validation": _whole(data["train"]),
        "of these validation": _whole(data["validation"]), "test": _whole(data["test"]),
    })  # fmt: skip
    caption = f"{len(faces):,} faces of {evidence.title} (published selection). {_detectors(faces)}"
    if paper is not None:
        for split in ("train", "test"):
            data[f"difference_{split}"] = data[split] - data[f"paper_{split}"]
            data[f"difference_{split}_share"] = data[f"difference_{split}"] / data[f"paper_{split}"].where(
                lambda n: n > 0
            )
            shown[f"paper: {split}"] = _whole(data[f"paper_{split}"])
            gaps = zip(data[f"difference_{split}"], data[f"difference_{split}_share"], strict=True)
            shown[f"{split}, difference"] = [
                f"{int(n):+,} ({signed(float(share))}%)".replace("-", "−") if np.isfinite(share) else "–"
                for n, share in gaps
            ]
        caption += " The paper has no validation split: its training faces are our training and validation faces."
    return Exhibit(
        f"table-{number_of(name)}-{name}", f"Faces of {evidence.title}", caption, "table",
        data, shown,
    )  # fmt: skip


def number_of(name: str) -> str:
    """Number of the table of class counts: the paper's, or 3b for a data set of the user's own."""
    return PUBLISHED_TABLES.get(name, "Table 3b").removeprefix("Table ")


def _whole(values: pd.Series[int]) -> list[str]:
    return [f"{int(n):,}" if n else "–" for n in values]


def paper_counts_table(name: str) -> Exhibit:
    """Tables 1-3 of a data set that was not given: the paper's own counts."""
    paper = PUBLISHED_COUNTS[name]
    data = pd.DataFrame({
        "emotion": [e.value for e in EMOTIONS],
        **{f"paper_{split}": [paper[split].get(e, 0) for e in EMOTIONS] for split in ("train", "test")},
    })  # fmt: skip
    shown = pd.DataFrame({
        "emotion": data["emotion"],
        "paper: train": _whole(data["paper_train"]),
        "paper: test": _whole(data["paper_test"]),
    })  # fmt: skip
    caption = f"{TITLES[name]} was not given to this study; these are the paper's counts only."
    id = f"table-{number_of(name)}-{name}"
    return Exhibit(id, f"Faces of {TITLES[name]}", caption, "table", data, shown)


def _detectors(index: pd.DataFrame) -> str:
    words = {"mesh": "BlazeFace and the face mesh", "hog": "dlib's HOG detector", "cnn": "dlib's CNN detector",
             "given": "the data set's own landmarks",
             "frame": "no detector (the whole picture was taken)"}  # fmt: skip
    shares = index["detector"].value_counts(normalize=True)
    found = [f"{percent(share)}% by {words.get(str(name), str(name))}" for name, share in shares.items()]
    return f"Found: {', '.join(found)}."


def areas_table(evidence: Evidence) -> Exhibit:
    """Table 4: the landmarks of each area, and what its crops are like on this data."""
    cache, rows = evidence.cache, evidence.cache.rows("train")
    chosen = np.sort(np.random.default_rng(0).permutation(rows)[:LANDMARK_SAMPLE])
    scale = np.maximum(cache.index["face_size"].to_numpy(float)[chosen] / STUDY_SPECS["published"].face_size, 1.0)
    records = []
    for area in AREAS:
        record: dict[str, Any] = {"area": area.value, "landmarks_paper": LANDMARKS[area]}
        for name in ("published", "both_eyes", "hull", "hull_both_eyes"):
            spec = STUDY_SPECS[name]
            record[f"landmarks_{name}"] = _ranges(area, spec)
            record[f"visible_share_{name}"] = _visible(evidence, chosen, area, spec)
        boxes = np.stack([bounding_box(np.asarray(cache.landmarks[row]), area) for row in chosen])
        sides = (boxes[:, 2:] - boxes[:, :2]) * scale[:, None]
        record["median_width"], record["median_height"] = (float(v) for v in np.median(sides, axis=0))
        records.append(record)
    data = pd.DataFrame(records)
    shown = pd.DataFrame({
        "area": [area.words for area in AREAS],
        "landmarks": [record["landmarks_published"] for record in records],
        "paper": [record["landmarks_paper"] for record in records],
        "with both eyes": [record["landmarks_both_eyes"] for record in records],
        "median crop, pixels": [f"{r['median_width']:.1f} × {r['median_height']:.1f}" for r in records],
        "visible, box": [percent(v, 0) + "%" for v in data["visible_share_published"]],
        "visible, hull": [percent(v, 0) + "%" for v in data["visible_share_hull"]],
        "visible, hull, both eyes": [percent(v, 0) + "%" for v in data["visible_share_hull_both_eyes"]],
    })  # fmt: skip
    caption = (
        f"dlib's 68 landmarks, 1-based. Crop sizes are width × height of the published box in pixels of the source, "
        f"median of {len(chosen):,} training faces. 'Visible' is the mean share of the padded square that shows face; "
        "in hull crops only the convex hulls of the named parts are visible, so the hull of the whole face is the "
        "union of eyes, nose and mouth."
    )
    return Exhibit(f"table-4-{evidence.name}", "The seven areas", caption, "table", data, shown)


def _visible(evidence: Evidence, rows: npt.NDArray[np.int64], area: Area, spec: CropSpec, faces: int = 200) -> float:
    shown = [(cut(evidence.cache.canvas(int(row)), area, spec) > 0).mean() for row in rows[:faces]]
    return float(np.mean(shown))


def _ranges(area: Area, spec: CropSpec) -> str:
    """1-based landmarks in the paper's way, part by part: ``18-22, 29-36, 37-42``."""
    if len(landmark_indices(area, spec)) == 68:
        return "1-68"
    runs: list[list[int]] = []
    for part in area.parts:
        for n in (i + 1 for i in PART_LANDMARKS[spec.eyes][part]):
            if runs and runs[-1][1] == n - 1:
                runs[-1][1] = n
            else:
                runs.append([n, n])
    return ", ".join(f"{a}-{b}" for a, b in sorted(runs))
