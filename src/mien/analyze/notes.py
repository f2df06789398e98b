"""Plain sentences about what limits the answer for one face; none where nothing does."""

from __future__ import annotations

import numpy as np

from mien.types import Face

MEASURED_FACE_SIZE = (24.0, 512.0)
"""``Face.size`` in pixels between which accuracy was measured, where the models' manifest does not say."""
MEASURED_POSE = {"yaw": 45.0, "pitch": 30.0, "roll": 37.0}
"""Degrees within which 98 in 100 of FER+'s training faces lie (docs/results/detection/pose.json)."""


def _pose_notes(face: Face) -> list[str]:
    if face.pose is None:
        return []
    turned = {name: angle for name, angle in face.pose.to_dict().items() if abs(angle) > MEASURED_POSE[name]}
    if not turned:
        return []
    words = " and ".join(f"{name} {angle:+.0f} degrees" for name, angle in turned.items())
    return [f"The head is turned ({words}), farther than nearly all faces on which mien's accuracy was measured: take "
            "this answer with care."]  # fmt: skip


def notes_of(face: Face, shape: tuple[int, ...], sizes: tuple[float, float] = MEASURED_FACE_SIZE) -> list[str]:
    """Size, position and pose, where they lie beyond what was measured.

    Args:
        face: in pixels of the upright picture.
        shape: of the picture: height, width.
        sizes: smallest and largest ``Face.size`` for which accuracy was measured.
    """
    low, high = sizes
    notes = []
    if not low <= face.size <= high:
        notes.append(f"The face measures {face.size:.0f} pixels, outside the {low:g} to {high:g} for which "
                     "mien's accuracy was measured: take this answer with care.")  # fmt: skip
    height, width = shape[:2]
    outside = (face.landmarks < -0.5) | (face.landmarks > np.array([width, height], np.float32) - 0.5)
    if outside.any():
        notes.append("Part of the face lies outside the picture.")
    return notes + _pose_notes(face)
