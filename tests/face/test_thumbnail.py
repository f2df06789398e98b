"""Small pictures that a face nearly fills."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.face import thumbnail
from mien.face.detect import detect
from mien.types import UInt8


@pytest.fixture(scope="module")
def face(photo: UInt8) -> UInt8:
    """uint8 [240, 240, 3]: the sample's face, tightly cut."""
    box = detect(photo)[0].box
    x, y = ((box[:2] + box[2:]) / 2).astype(int)
    return photo[y - 120 : y + 120, x - 120 : x + 120]


@pytest.mark.parametrize("side", [48, 64, 96])
@pytest.mark.parametrize("margin", [0, 20, 40])
def test_a_tightly_cut_face_is_found_at_its_place(face: UInt8, side: int, margin: int) -> None:
    cut = face[margin : 240 - margin, margin : 240 - margin]
    (found,) = detect(cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA))
    middle = (found.box[:2] + found.box[2:]) / 2
    assert np.abs(middle - side / 2).max() < 0.15 * side


def test_the_first_fruitful_look_answers(face: UInt8) -> None:
    small = cv2.resize(face, (48, 48), interpolation=cv2.INTER_AREA).astype(np.uint8)
    found = thumbnail.faces(small)
    assert found
    assert all(score >= thumbnail.head().least for _, _, score in found)
    assert all(mesh.shape == (468, 3) for mesh, _, _ in found)


@pytest.mark.parametrize("seed", range(6))
def test_textures_hold_no_face(seed: int) -> None:
    g = np.random.default_rng(seed)
    coarse = g.integers(0, 256, (3 + 2 * seed, 4 + seed, 3)).astype(np.uint8)
    assert detect(cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC).astype(np.uint8)) == []
    assert detect(np.full((48, 48, 3), 40 * seed, np.uint8)) == []
