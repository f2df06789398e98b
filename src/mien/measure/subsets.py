"""Published lists of hard faces, measured end to end: picture in, answer out, detection included.

A list is a CSV with the columns ``image`` (the picture's name, with or without its ending) and ``label``, and perhaps
``kind``: for FER+ the lists of Wang et al., "Region Attention Networks" (TIP 2020): occluded faces, and faces turned by
more than 30 and 45 degrees. Nothing may be chosen on them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.data.pictures import load_gray
from mien.data.samples import Sample
from mien.data.store import csv_row, read_bytes
from mien.errors import TableError, UsageError
from mien.face import images
from mien.measure import metrics
from mien.measure.metrics import calibration_error
from mien.trust.answer import AnswerPath, Judge, PictureFaces
from mien.types import EMOTIONS, Emotion, Face, UInt8

Find = Callable[[UInt8], Sequence[Face]]
"""A picture uint8 [H, W, 3], RGB -> its faces, largest first."""


def read_subset(path: Path | str) -> dict[str, Emotion]:
    """A published list: the label of every picture, by the picture's name without its ending.

    Raises:
        TableError: it cannot be read, lacks a column, or names an emotion that mien does not know.
    """
    path = Path(path).expanduser()
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path} cannot be read ({error})") from error
    if not rows or not {"image", "label"} <= set(rows[0]):
        raise TableError(f"{path} is no list of faces: it needs the columns image and label")
    try:
        return {Path(row["image"]).stem: Emotion(row["label"]) for row in rows}
    except ValueError as error:
        raise TableError(f"{path}: {error}") from error


def named_subsets(texts: Sequence[str]) -> dict[str, dict[str, Emotion]]:
    """``NAME:LIST`` -> the list, by name.

    Raises:
        UsageError: a text has another form.
        TableError: see :func:`read_subset`.
    """
    found = {}
    for text in texts:
        name, colon, path = text.partition(":")
        if not (name and colon and path):
            raise UsageError(f"--subset is given as NAME:LIST, such as occlusion:occlusion.csv; got {text!r}")
        found[name] = read_subset(path)
    return found


def end_to_end(
    samples: Sequence[Sample], path: AnswerPath, judge: Judge, find: Find, say: Callable[[str], None] = print
) -> pd.DataFrame:
    """What mien says of each picture, exactly as ``mien analyze`` does.

    Returns:
        One row a sample: id, label, detector (empty where no face was found), emotion (empty where mien gives none),
        source, p_correct, hidden (the pieces found hidden, joined by spaces), face_size (pixels), and the probability
        of every emotion.
    """
    rows = []
    for number, sample in enumerate(samples, 1):
        rows.append({"id": sample.id, "label": sample.label.value, **_answer(_picture(sample), path, judge, find)})
        if number % 500 == 0:
            say(f"{number} of {len(samples)} pictures")
    return pd.DataFrame(rows)


def _picture(sample: Sample) -> UInt8:
    """The whole picture as ``mien analyze`` reads it: uint8 [H, W, 3], RGB; of a table of pixels, or of one face in a
    photo of several, the grey picture of the face."""
    if sample.box is not None or csv_row(sample.source) is not None:
        return np.repeat(load_gray(sample)[..., None], 3, axis=2)
    return images.load(read_bytes(sample.source))


def _answer(picture: UInt8, path: AnswerPath, judge: Judge, find: Find) -> dict[str, Any]:
    faces, gray = list(find(picture))[:1], images.to_gray(picture)
    nothing: dict[str, Any] = {"detector": "", "emotion": "", "source": "", "p_correct": np.nan, "hidden": ""}
    if not faces:
        return nothing
    looked = path.look(PictureFaces(gray, faces), areas=())
    found = {"detector": faces[0].detector, "hidden": " ".join(looked.seen[0].hidden_pieces),
             "face_size": faces[0].size}  # fmt: skip
    if looked.shown[0] is None:
        return nothing | found
    said = judge.predictions(looked.shown[0], looked.logits[:1], looked.sources[0])[0]
    sure = said.p_correct.value if said.p_correct else np.nan
    probabilities = {e.value: float(p) for e, p in zip(EMOTIONS, said.probabilities, strict=True)}
    return found | {"emotion": said.emotion.value, "source": looked.sources[0], "p_correct": sure} | probabilities


def measured_subset(table: pd.DataFrame, labels: Mapping[str, Emotion]) -> dict[str, Any]:
    """Measures of the rows of :func:`end_to_end` that a list names, against the list's labels.

    A picture without a face, or without an answer, counts as wrong.

    Returns:
        n, found (share), accuracy with interval, macro_recall, recall by emotion with n, said (mean p_correct of the
        answers given), true (share right of those), difference, calibration_error (15 bins), abstaining at 0.9:
        kept (share answered) and right (share right of those, with interval).
    """
    rows = table[table["id"].isin(list(labels))]
    truth = rows["id"].map({name: emotion.value for name, emotion in labels.items()}).to_numpy()
    right = rows["emotion"].to_numpy() == truth
    answered = rows["p_correct"].notna().to_numpy()
    sure = rows["p_correct"].to_numpy(float)
    high = answered & (np.nan_to_num(sure) >= 0.9)
    recalls = {e.value: metrics.wilson(int(right[truth == e.value].sum()), int((truth == e.value).sum())).to_dict()
               for e in EMOTIONS if (truth == e.value).any()}  # fmt: skip
    said, true = float(sure[answered].mean()), float(right[answered].mean())
    return {
        "n": len(rows), "found": float((rows["detector"] != "").mean()),
        "accuracy": metrics.wilson(int(right.sum()), len(rows)).to_dict(),
        "macro_recall": float(np.mean([recall["value"] for recall in recalls.values()])),
        "recall": recalls, "said": said, "true": true, "difference": said - true,
        "calibration_error": calibration_error(sure[answered], right[answered]),
        "abstaining_at_0.9": {"kept": float(high.mean()),
                              "right": metrics.wilson(int(right[high].sum()), int(high.sum())).to_dict()},
    }  # fmt: skip


def samples_of(samples: Sequence[Sample], subsets: Mapping[str, Mapping[str, Emotion]]) -> list[Sample]:
    """The samples that any of the lists names.

    Raises:
        TableError: a list names a picture that the data set does not hold.
    """
    by_id = {sample.id: sample for sample in samples}
    for name, labels in subsets.items():
        missing = [image for image in labels if image not in by_id]
        if missing:
            raise TableError(f"{name}: the data set lacks {len(missing)} of its pictures, {missing[0]} first")
    wanted = sorted({image for labels in subsets.values() for image in labels})
    return [by_id[image] for image in wanted]
