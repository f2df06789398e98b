"""ExpW: whole photos, several faces in one, each with a box and the confidence of the detector that found it."""

from __future__ import annotations

import math

import numpy as np

from mien.data.dataset import Candidate, Dataset, Findings, SplitRule, finish
from mien.data.selection import held_out
from mien.data.store import Store
from mien.errors import DatasetError
from mien.types import Emotion, Float32

LABELS: dict[str, Emotion] = {
    "0": Emotion.ANGER, "1": Emotion.DISGUST, "2": Emotion.FEAR, "3": Emotion.HAPPINESS,
    "4": Emotion.SADNESS, "5": Emotion.SURPRISE, "6": Emotion.NEUTRAL,
}  # fmt: skip

LIST = "label/label.lst"

PHOTOS = "image/origin"

LEAST_CONFIDENCE = 60.0
"""A face is taken when its confidence is greater."""

TEST_SHARE = 0.2

_COLUMNS = "image_name face_id_in_image face_box_top face_box_left face_box_right face_box_bottom face_box_confidence \
expression_label"


def read_expw(name: str, store: Store, split_rule: SplitRule = "default") -> Dataset:
    """Read ExpW.

    Args:
        name: what to call it.
        store: the folder or zip.
        split_rule: the paper holds out a stratified fifth of the faces. ``default`` does so photo by photo, so that no
            photo is on both sides; ``published`` face by face.

    Raises:
        DatasetError: the official layout is not there; names what is missing.
    """
    bases = store.bases_of(LIST)
    if not bases:
        raise DatasetError(f"{store.root} is not ExpW: expected {LIST} and the photos in {PHOTOS}")
    below = store.below(bases[0])
    if not any(n.startswith(PHOTOS + "/") for n in below.names):
        raise DatasetError(f"{store.root}: {below.base}{PHOTOS} is missing or empty (unpack the photos there)")
    findings = Findings()
    faces = [face for line, text in enumerate(below.lines(LIST), 1) for face in _face(below, line, text, findings)]
    labels = np.array([face.label.position for face in faces], np.int64)
    groups = [face.group for face in faces]
    chosen = held_out(labels, groups if split_rule == "default" else None, TEST_SHARE, seed=0)
    candidates = [
        Candidate(
            face.id, "test" if test else "train", face.label, face.member, face.where, face.box,
            group=face.group if split_rule == "default" else "",
        )
        for face, test in zip(faces, chosen, strict=True)
    ]  # fmt: skip
    rule = {"reader": "expw", "split": split_rule}
    return finish(name, below, "the official folders", rule, candidates, findings)


def _face(store: Store, line: int, text: str, findings: Findings) -> list[Candidate]:
    """The face of one line, or none."""
    if not text.strip():
        return []
    where = store.where(LIST, line)
    cells = text.strip().rsplit(None, 7)
    numbers = _numbers(cells[2:7])
    if len(cells) != 8 or numbers is None:
        findings.problem(where, f"expected {_COLUMNS}, got {text.strip()!r}")
        return []
    photo, face_id, label = cells[0], cells[1], cells[7]
    if label not in LABELS:
        findings.problem(where, f"{photo} face {face_id} has the unknown label {label!r} (0 to 6 are known)")
        return []
    top, left, right, bottom, confidence = numbers
    if not confidence > LEAST_CONFIDENCE:
        findings.leave_out(f"confidence of {LEAST_CONFIDENCE:g} or less")
        return []
    if right <= left or bottom <= top:
        findings.problem(where, f"the box of {photo} face {face_id} is empty: its order is top, left, right, bottom")
        return []
    box: Float32 = np.array([left, top, right, bottom], np.float32)
    return [Candidate(f"{photo}#{face_id}", "train", LABELS[label], f"{PHOTOS}/{photo}", where, box, group=photo)]


def _numbers(cells: list[str]) -> list[float] | None:
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return None
    return numbers if all(math.isfinite(n) for n in numbers) else None
