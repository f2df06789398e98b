"""Class maps on the canonical face: the warp keeps landmarks, the parts cover the face, mass adds up."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.faces import draw, landmarks_of, template
from mien.face.crops import canvas_of, cut
from mien.face.draw import HEAT_WEIGHT, IMAGE_WEIGHT
from mien.face.spec import PUBLISHED_SPEC
from mien.study.report.canonical import (
    _MIRROR,
    FACE_PARTS,
    CanonicalFace,
    area_share,
    attention_mass,
    brightness,
    crop_landmarks,
    mean_shape,
    overlay,
)
from mien.types import EMOTIONS, Area


@pytest.fixture(scope="module")
def face() -> CanonicalFace:
    generator = np.random.default_rng(0)
    shapes = np.stack([landmarks_of(EMOTIONS[i % 8], generator) for i in range(64)])
    return CanonicalFace(mean_shape(shapes))


def moved(points: np.ndarray, angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points @ turn.T * scale + shift).astype(np.float32)


def test_the_mirror_image_of_the_mirror_image_is_the_face() -> None:
    np.testing.assert_array_equal(np.sort(_MIRROR), np.arange(68))
    np.testing.assert_array_equal(_MIRROR[_MIRROR], np.arange(68))
    points = template()
    np.testing.assert_allclose(points[_MIRROR] * [-1, 1], points, atol=1e-3)  # the template is symmetric


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.5, 0.5), st.floats(0.2, 5.0), st.floats(-50, 50))
def test_position_size_and_turn_of_a_face_do_not_change_the_mean_shape(
    angle: float, scale: float, shift: float
) -> None:
    plain = mean_shape(np.stack([template()] * 3))
    turned = mean_shape(np.stack([template(), moved(template(), angle, scale, (shift, -shift)), template()]))
    np.testing.assert_allclose(turned / np.linalg.norm(turned), plain / np.linalg.norm(plain), atol=0.02)
    np.testing.assert_allclose(turned.mean(axis=0), 0, atol=1e-9)
    assert np.sqrt((turned**2).sum(axis=1).mean()) == pytest.approx(1.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.4, 0.4), st.floats(0.5, 2.0))
def test_canonical_landmarks_are_found_at_the_landmarks_of_a_face(seed: int, angle: float, scale: float) -> None:
    own = moved(landmarks_of(EMOTIONS[seed % 8], np.random.default_rng(seed)), angle, scale, (30.0, 40.0))
    canonical = CanonicalFace(mean_shape(template()[None]))
    grid = canonical.positions(own[None])[0].reshape(64, 64, 2)
    inside = [i for i in range(17, 68) if (canonical.landmarks[i] > 1).all() and (canonical.landmarks[i] < 62).all()]
    for (
        i
    ) in inside:  # the warp is linear on each triangle, so a landmark between pixels is off by less than a pixel's step
        x, y = canonical.landmarks[i]
        corners = grid[int(y) : int(y) + 2, int(x) : int(x) + 2].reshape(4, 2)
        reach = np.linalg.norm(corners - corners.mean(axis=0), axis=1).max()
        assert np.linalg.norm(corners.mean(axis=0) - own[i]) < 2.5 * reach + 1e-3


def test_a_spot_on_the_mouth_of_any_face_lands_on_the_canonical_mouth(face: CanonicalFace) -> None:
    generator = np.random.default_rng(1)
    landmarks = np.stack([moved(landmarks_of(e, generator), 0.2, 1.2, (32, 30)) for e in EMOTIONS])
    spots = np.zeros((8, 64, 64), np.float32)
    for spot, points in zip(spots, landmarks, strict=True):
        centre = points[48:60].mean(axis=0)
        cv2.circle(spot, (round(float(centre[0])), round(float(centre[1]))), 2, 1.0, -1)
    mass = attention_mass(face.warp(spots, landmarks, size=64), face.parts)
    assert mass[:, FACE_PARTS.index("mouth")].min() > 0.8


def test_warping_the_canonical_face_onto_itself_changes_nothing(face: CanonicalFace) -> None:
    picture = np.random.default_rng(2).uniform(0, 1, (1, 64, 64)).astype(np.float32)
    np.testing.assert_allclose(face.warp(picture, face.landmarks[None], size=64), picture, atol=2e-3)


def test_a_coarse_map_keeps_its_place(face: CanonicalFace) -> None:
    """A 16 x 16 map of a 64-pixel crop means the same spots as its fourfold enlargement."""
    coarse = np.random.default_rng(3).uniform(0, 1, (1, 16, 16)).astype(np.float32)
    large = cv2.resize(coarse[0], (64, 64), interpolation=cv2.INTER_LINEAR)[None]
    ours, theirs = (face.warp(m, face.landmarks[None], size=64) for m in (coarse, large))
    np.testing.assert_allclose(ours, theirs, atol=1e-2)


def test_the_named_parts_cover_every_pixel_once(face: CanonicalFace) -> None:
    assert tuple(face.parts) == FACE_PARTS
    np.testing.assert_array_equal(np.sum(list(face.parts.values()), axis=0), 1)
    assert area_share(face.parts).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("part", "landmarks"),
    [("mouth", range(48, 68)), ("eyes", range(36, 48)), ("nose", range(28, 36)), ("brows", (19, 24))],
)
def test_a_part_holds_its_own_landmarks(face: CanonicalFace, part: str, landmarks: range) -> None:
    for i in landmarks:
        x, y = np.clip(np.round(face.landmarks[i]).astype(int), 0, 63)
        assert face.parts[part][max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].any()


def test_mass_adds_up_and_counts_only_what_speaks_for_the_class(face: CanonicalFace) -> None:
    maps = np.random.default_rng(4).normal(0, 1, (5, 64, 64)).astype(np.float32)
    mass = attention_mass(maps, face.parts)
    np.testing.assert_allclose(mass.sum(axis=1), 1.0)
    assert (attention_mass(-np.abs(maps), face.parts) == 0).all()
    flat = attention_mass(np.ones((1, 64, 64), np.float32), face.parts)
    np.testing.assert_allclose(flat[0], area_share(face.parts))


def test_crop_landmarks_point_at_the_crop_s_pixels() -> None:
    """A bright dot at the tip of the nose stays under its landmark from canvas to crop."""
    generator = np.random.default_rng(5)
    picture, points = draw(landmarks_of(EMOTIONS[0], generator), generator)
    canvas = canvas_of(picture, points)
    x, y = np.round(canvas.landmarks[30]).astype(int)
    canvas.pixels[:] = 10
    canvas.pixels[y - 1 : y + 2, x - 1 : x + 2] = 255
    crop = cut(canvas, Area.WHOLE_FACE, PUBLISHED_SPEC)
    found = np.argwhere(crop > 128).mean(axis=0)[::-1]
    expected = crop_landmarks(canvas.landmarks[None], PUBLISHED_SPEC)[0, 30]
    assert np.abs(found - expected).max() < 1.5


def test_overlay_is_the_published_mixture() -> None:
    ramp = np.tile(np.linspace(-3, 5, 16, dtype=np.float32), (16, 1))
    ours = overlay(np.full((64, 64), 200, np.uint8), ramp, side=64)
    stretched = brightness(cv2.resize(ramp, (64, 64), interpolation=cv2.INTER_CUBIC))
    jet = cv2.applyColorMap((stretched * 255).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    assert (HEAT_WEIGHT, IMAGE_WEIGHT) == (0.4, 0.5)
    assert np.abs(ours.astype(int) - (0.4 * jet + 0.5 * 200)).max() <= 1
    assert (overlay(np.full((64, 64), 200, np.uint8), np.ones((16, 16), np.float32), 64)[..., 0] == 100).all()
