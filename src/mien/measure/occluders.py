"""Synthetic occluders drawn on faces, with the share of each piece of the face that they cover.

Drawn at the resolution at which the networks see faces (``crops.Canvas``: 44 pixels), and varied in place, size,
texture, light, noise and sharpness. ``TRAINING_KINDS`` teach the visibility network (``mien.train.visibility``);
``HELD_OUT_KINDS`` are never shown to it and measure it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mien.face.areas import PIECES, PIECES_OF_PART, hull_mask
from mien.face.crops import Canvas
from mien.face.landmarks import (
    BROWS,
    CHIN,
    EYES,
    LEFT_BROW,
    LEFT_CORNER,
    LEFT_EAR,
    LEFT_EYE,
    NOSE_TIP,
    RIGHT_BROW,
    RIGHT_CORNER,
    RIGHT_EAR,
    RIGHT_EYE,
)
from mien.types import Float32, Part, UInt8

_Points = npt.NDArray[np.floating]

OPAQUE = 0.6
"""An occluder hides what is behind it where its opacity reaches this."""


@dataclass(frozen=True, eq=False)
class Occluded:
    """A face behind an occluder.

    Attributes:
        canvas: the canvas with the occluder drawn on it.
        kind: which one; ``none`` where nothing was drawn.
        covered: by piece of the face, the share (0..1) of its hull that is hidden.
        mask: bool [96, 96], where the occluder hides the picture.
    """

    canvas: Canvas
    kind: str
    covered: Mapping[str, float]
    mask: npt.NDArray[np.bool_]

    def share(self, part: Part, eyes: str = "one") -> float:
        """Share (0..1) of a part that is hidden; for the eyes that of the published one, or the less hidden of both."""
        if part is Part.EYES and eyes == "one":
            return self.covered["right_eye"]
        return max(self.covered[piece] for piece in PIECES_OF_PART[part])


@dataclass(frozen=True, eq=False)
class _Scene:
    """What an occluder is drawn for: where it should lie, and where its texture may come from."""

    points: Float32
    pixels: UInt8
    donor: UInt8
    target: Part | None
    generator: np.random.Generator

    @property
    def side(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def size(self) -> float:
        return float(np.sqrt(np.prod(np.maximum(np.ptp(self.points, axis=0), 1.0))))

    def centre(self, part: Part) -> Float32:
        indices = [i for piece in PIECES_OF_PART[part] for i in PIECES[piece]]
        points = self.points[indices]
        return np.asarray((points.min(axis=0) + points.max(axis=0)) / 2, np.float32)

    def reach(self, part: Part) -> Float32:
        """Half the width and height of a part, in pixels."""
        indices = [i for piece in PIECES_OF_PART[part] for i in PIECES[piece]]
        return np.asarray(np.ptp(self.points[indices], axis=0) / 2, np.float32)

    @property
    def down(self) -> Float32:
        """Unit vector from brows to chin."""
        axis = self.points[CHIN] - self.points[BROWS].mean(axis=0)
        return np.asarray(axis / max(float(np.linalg.norm(axis)), 1e-3), np.float32)

    def at(self, origin: _Points, across: float, down: float) -> Float32:
        """A point so many face sizes to the right of and below another."""
        d = self.down
        return np.asarray(origin + self.size * (across * np.array([d[1], -d[0]]) + down * d), np.float32)

    def place(self, spread: float) -> tuple[_Points, _Points]:
        """Centre and half extents of something that covers the target, or lies anywhere on the face."""
        g = self.generator
        if self.target is not None:
            reach = np.maximum(self.reach(self.target), 0.12 * self.size)
            return self.centre(self.target) + g.normal(0, 0.04, 2) * self.size, reach * g.uniform(1.05, 1.05 + spread)
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        centre = low + g.uniform(-0.1, 1.1, 2) * (high - low)
        return centre.astype(np.float32), (self.size * g.uniform(0.1, 0.1 + 0.5 * spread, 2)).astype(np.float32)


_Layer = tuple[Float32, Float32]
"""Opacity (0..1) and grey levels (0..255), each float32 [S, S]."""


def occlude(
    canvas: Canvas, kind: str, generator: np.random.Generator, donor: UInt8 | None = None, target: Part | None = None
) -> Occluded:
    """Draw one occluder on a face.

    Args:
        canvas: the face.
        kind: one of ``TRAINING_KINDS`` or ``HELD_OUT_KINDS``, or ``none``.
        generator: decides place, size, texture, light, sharpness.
        donor: uint8 [96, 96], another picture that pieces of texture are taken from; None takes the face itself.
        target: the part that it should cover; None puts it anywhere, also beside the face.

    Raises:
        ValueError: no occluder has this name.
    """
    blank = np.zeros(canvas.pixels.shape, np.float32)
    if kind == "none":
        return Occluded(canvas, kind, _covered(canvas.landmarks, blank), blank > 0)
    if kind not in _DRAW:
        raise ValueError(f"no occluder is called {kind!r}: choose from {', '.join(_DRAW)}")
    donor = canvas.pixels if donor is None else donor
    scene = _Scene(canvas.landmarks, canvas.pixels, donor, target, generator)
    opacity, grey = _DRAW[kind](scene)
    opacity, grey = _soften(opacity, generator), _lit(grey, generator)
    mixed = canvas.pixels * (1 - opacity) + grey * opacity
    drawn = Canvas(np.clip(mixed, 0, 255).astype(np.uint8), canvas.landmarks, canvas.extent)
    return Occluded(drawn, kind, _covered(canvas.landmarks, opacity), opacity >= OPAQUE)


def _covered(landmarks: Float32, opacity: Float32) -> dict[str, float]:
    shares = {}
    for piece, indices in PIECES.items():
        inside = hull_mask(landmarks[list(indices)], opacity.shape[0]) > 0
        shares[piece] = float((opacity[inside] >= OPAQUE).mean()) if inside.any() else 0.0
    return shares


def _coarse_noise(g: np.random.Generator, side: int, cells: int) -> Float32:
    small = g.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def _stripes(g: np.random.Generator, side: int, period: float, angle: float) -> Float32:
    ys, xs = np.mgrid[:side, :side].astype(np.float32)
    phase = 2 * np.pi * ((xs * np.cos(angle) + ys * np.sin(angle)) / period + g.random())
    return np.asarray(np.sin(phase), np.float32)


def _skin(scene: _Scene) -> Float32:
    """Grey levels like the face's own cheeks, with soft shading."""
    g = scene.generator
    cheeks = [np.clip(scene.points[i].round().astype(int), 0, scene.side - 1) for i in (2, 14, 31, 35, 30)]
    own = float(np.median([scene.pixels[y, x] for x, y in cheeks]))
    shading = g.uniform(3, 20) * _coarse_noise(g, scene.side, int(g.integers(3, 9)))
    return np.asarray(own * g.uniform(0.75, 1.25) + shading, np.float32)


def _piece_of_donor(scene: _Scene) -> Float32:
    """A random piece of another picture, moved, turned and scaled."""
    g, side = scene.generator, scene.side
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), g.uniform(0, 360), g.uniform(0.8, 2.5))
    turn[:, 2] = turn[:, 2] + g.uniform(-0.4, 0.4, 2) * side
    moved = cv2.warpAffine(scene.donor, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return moved.astype(np.float32)


_TEXTURE_SHARES = (0.12, 0.12, 0.12, 0.32, 0.1, 0.22)
"""Flat, coarse noise, stripes, skin, fine noise, a piece of another picture; what looks like skin is hardest."""


def _any_texture(scene: _Scene) -> Float32:
    g, side = scene.generator, scene.side
    flat = np.full((side, side), g.uniform(0, 255), np.float32)
    choice = int(g.choice(6, p=_TEXTURE_SHARES))
    if choice == 0:
        return flat
    if choice == 1:
        return flat + g.uniform(10, 80) * _coarse_noise(g, side, int(g.integers(3, 24)))
    if choice == 2:
        return flat + g.uniform(10, 80) * _stripes(g, side, g.uniform(2.5, 12), g.uniform(0, np.pi))
    if choice == 3:
        return _skin(scene)
    if choice == 4:
        return flat + g.standard_normal((side, side), np.float32) * np.float32(g.uniform(5, 50))
    return _piece_of_donor(scene)


def _lit(grey: Float32, g: np.random.Generator) -> Float32:
    """A gradient of light and some noise."""
    side, angle = grey.shape[0], g.uniform(0, 2 * np.pi)
    ramp = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    light = 1 + g.uniform(0, 0.6) * (ramp[None, :] * np.cos(angle) + ramp[:, None] * np.sin(angle))
    noise = g.standard_normal(grey.shape, np.float32) * np.float32(g.uniform(0, 6))
    return np.asarray(np.clip(grey * light + noise, 0, 255), np.float32)


def _soften(opacity: Float32, g: np.random.Generator) -> Float32:
    blur = float(g.uniform(0, 1.2))
    if blur < 0.3:
        return opacity
    return np.asarray(cv2.GaussianBlur(opacity, (0, 0), blur), np.float32)


def _filled(side: int, points: _Points) -> Float32:
    mask = np.zeros((side, side), np.float32)
    cv2.fillPoly(mask, [np.round(np.asarray(points) * 16).astype(np.int32)], 1.0, lineType=cv2.LINE_AA, shift=4)
    return mask


def _ellipse(side: int, centre: _Points, radii: tuple[float, float], angle: float) -> Float32:
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    circle = np.stack([radii[0] * np.cos(turn), radii[1] * np.sin(turn)], axis=1)
    return _filled(side, (circle @ np.array([[c, s], [-s, c]]) + centre).astype(np.float32))


def _line(mask: Float32, start: _Points, end: _Points, width: float) -> None:
    a, b = (tuple(int(v) for v in np.round(p * 16)) for p in (start, end))
    cv2.line(mask, a, b, 1.0, max(1, round(width)), lineType=cv2.LINE_AA, shift=4)


def _box_corners(centre: _Points, half: _Points, angle: float) -> Float32:
    c, s = np.cos(angle), np.sin(angle)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) * half
    return np.asarray(corners @ np.array([[c, s], [-s, c]]) + centre, np.float32)


def _tilt(scene: _Scene) -> float:
    """The face's roll in radians."""
    return float(np.arctan2(-scene.down[0], scene.down[1]))


def _block(scene: _Scene) -> _Layer:
    g = scene.generator
    centre, half = scene.place(0.8)
    angle = g.uniform(-0.8, 0.8) if scene.target is None else _tilt(scene) + g.uniform(-0.3, 0.3)
    return _filled(scene.side, _box_corners(centre, half, angle)), _any_texture(scene)


def _blob(scene: _Scene) -> _Layer:
    g = scene.generator
    centre, half = scene.place(0.9)
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = 1.1 + 0.25 * np.sin(turn * g.integers(2, 5) + g.uniform(0, 6)) + 0.1 * g.standard_normal(24)
    outline = centre + (radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)) * half
    texture = _skin(scene) if g.random() < 0.4 else _any_texture(scene)
    return _filled(scene.side, outline.astype(np.float32)), texture


def _patch(scene: _Scene) -> _Layer:
    """An ellipse over one piece (an eye patch, a plaster) with its string."""
    g = scene.generator
    pieces = list(PIECES) if scene.target is None else list(PIECES_OF_PART[scene.target])
    mask = np.zeros((scene.side, scene.side), np.float32)
    for piece in pieces if scene.target is not None else [pieces[int(g.integers(len(pieces)))]]:
        points = scene.points[list(PIECES[piece])]
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        radii = np.maximum(np.ptp(points, axis=0) * g.uniform(0.6, 0.95, 2), 0.1 * scene.size)
        mask = np.maximum(mask, _ellipse(scene.side, centre, (float(radii[0]), float(radii[1])), _tilt(scene)))
        if g.random() < 0.5:
            _line(mask, centre, scene.at(centre, g.uniform(-1, 1), g.uniform(-0.6, 0.1)), g.uniform(1, 2))
    return mask, _any_texture(scene)


def _surgical_mask(scene: _Scene) -> _Layer:
    g, p = scene.generator, scene.points
    below_nose = g.random() < 0.2 if scene.target is None else scene.target is Part.MOUTH
    top = (p[33] + p[51]) / 2 if below_nose else p[28] + (p[29] - p[28]) * g.uniform(-0.5, 0.8)
    middle = p[NOSE_TIP]
    start = int(g.integers(1, 4)) if not below_nose else int(g.integers(3, 5))
    jaw = middle + (p[start : 17 - start] - middle) * g.uniform(0.98, 1.12)
    outline = np.concatenate([jaw, [(jaw[-1] + top) / 2 + g.normal(0, 0.6, 2), top, (jaw[0] + top) / 2]])
    mask = _filled(scene.side, outline.astype(np.float32))
    for ear, corner in ((p[RIGHT_EAR], jaw[0]), (p[LEFT_EAR], jaw[-1])):
        _line(mask, corner, scene.at(ear, 0, g.uniform(-0.1, 0.1)), 1)
    level = g.uniform(20, 60) if g.random() < 0.25 else g.uniform(110, 250)
    pleats = g.uniform(0, 25) * _stripes(g, scene.side, g.uniform(3, 8), np.pi / 2 + _tilt(scene))
    return mask, np.asarray(level + pleats + 8 * _coarse_noise(g, scene.side, 5), np.float32)


def _sunglasses(scene: _Scene) -> _Layer:
    g, p, tilt = scene.generator, scene.points, _tilt(scene)
    mask = np.zeros((scene.side, scene.side), np.float32)
    eyes, brows = (
        (p[RIGHT_EYE].mean(axis=0), p[LEFT_EYE].mean(axis=0)),
        (p[RIGHT_BROW].mean(axis=0), p[LEFT_BROW].mean(axis=0)),
    )
    centres = [eye + g.uniform(0, 0.5) * (brow - eye) for eye, brow in zip(eyes, brows, strict=True)]
    wide = float(np.clip(np.linalg.norm(p[LEFT_CORNER] - p[RIGHT_CORNER]) * g.uniform(0.26, 0.34), 2, 30))
    tall = wide * g.uniform(0.75, 1.05)
    square = g.random() < 0.5
    for centre in centres:
        half = np.array([wide, tall], np.float32)
        lens = _filled(scene.side, _box_corners(centre, half, tilt)) if square else None
        mask = np.maximum(mask, _ellipse(scene.side, centre, (wide, tall), tilt) if lens is None else lens)
    _line(mask, centres[0], centres[1], g.uniform(1, 3))
    _line(mask, centres[0], p[RIGHT_EAR], 1.5)
    _line(mask, centres[1], p[LEFT_EAR], 1.5)
    shine = np.clip(_stripes(g, scene.side, g.uniform(8, 40), g.uniform(0, np.pi)), 0, 1) * g.uniform(0, 110)
    level = g.uniform(0, 70) if g.random() < 0.85 else g.uniform(70, 220)
    return mask * np.float32(g.uniform(0.8, 1.0)), np.asarray(level + shine, np.float32)


def _hair(scene: _Scene) -> _Layer:
    """A fringe, or locks that fall over one side."""
    g, p = scene.generator, scene.points
    mask = np.zeros((scene.side, scene.side), np.float32)
    one_side, down = g.random() < 0.5, g.uniform(-0.1, 0.6)
    low, high = (0, 26) if not one_side else ((0, 19) if g.random() < 0.5 else (24, 16))
    left, right = p[low] if low else p[RIGHT_EAR], p[high] if high != 26 else p[LEFT_EAR]
    roots = left + g.random((int(g.integers(20, 90)), 1)) * (right - left)
    d = scene.down
    axes, t = scene.size * np.array([[d[1], -d[0]], d]), np.linspace(0, 1, 6)[:, None, None]
    start = roots + np.stack([g.normal(0, 0.05, len(roots)), np.full(len(roots), -0.6)], axis=1) @ axes
    bend = roots + np.stack([g.normal(0, 0.08, len(roots)), np.full(len(roots), -0.15)], axis=1) @ axes
    end = roots + np.stack([g.normal(0, 0.12, len(roots)), down + g.normal(0, 0.08, len(roots))], axis=1) @ axes
    curves = ((1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end).transpose(1, 0, 2)
    for thick in (1, 2):
        strands = [np.round(curve * 16).astype(np.int32) for curve in curves[thick - 1 :: 2]]
        cv2.polylines(mask, strands, False, 1.0, thick, cv2.LINE_AA, shift=4)
    level = g.uniform(10, 90) if g.random() < 0.7 else g.uniform(90, 210)
    streaks = g.uniform(5, 35) * _stripes(g, scene.side, g.uniform(2, 5), g.normal(0, 0.3))
    return mask, np.asarray(level + streaks, np.float32)


def _sleeve(scene: _Scene) -> _Layer:
    """A broad band across the face from border to border: an arm, a bar, somebody's shoulder."""
    g = scene.generator
    centre, half = scene.place(0.6)
    angle = g.uniform(0, np.pi)
    thick = float(half.min() if scene.target is not None else scene.size * g.uniform(0.1, 0.4))
    corners = _box_corners(centre, np.array([3.0 * scene.size, thick], np.float32), angle)
    if scene.target is None and g.random() < 0.5:
        corners[:2] += (corners[:2] - corners[3:1:-1]) * 6
    return _filled(scene.side, corners), _any_texture(scene)


def _hand(scene: _Scene) -> _Layer:
    """Palm and four fingers in the colour of the face, from a side or below; aimed at a part, they just cover it."""
    g = scene.generator
    part = scene.target or list(Part)[int(g.integers(3))]
    down = scene.down
    across = np.array([down[1], -down[0]]) * (-1) ** int(g.integers(2))
    from_below = g.random() < (0.4 if scene.target is None else 0.5 * (part is Part.MOUTH))
    tilt = g.uniform(-0.5, 0.5) if scene.target is None else g.uniform(-0.15, 0.15)
    along = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]]) @ (-down if from_below else across)
    aside = np.array([along[1], -along[0]])
    reach = scene.reach(part)
    far, wide = float(np.abs(along) @ reach), float(np.abs(aside) @ reach)
    width = max(0.55 * wide, 0.05 * scene.size) * g.uniform(1.1, 1.3)
    if scene.target is None:
        width *= g.uniform(1.0, 1.8)
    centre = scene.centre(part) + g.normal(0, 0.06 if scene.target is None else 0.015, 2) * scene.size
    palm = centre - along * (far + g.uniform(0.35, 0.5) * scene.size)
    angle = float(np.arctan2(along[1], along[0]))
    mask = _ellipse(scene.side, palm, (0.3 * scene.size, 2.3 * width), angle)
    edges = np.zeros_like(mask)
    for finger in (-1.5, -0.5, 0.5, 1.5):
        start = palm + aside * finger * width
        end = centre + along * far * (1.15 - 0.05 * abs(finger)) + aside * finger * width
        _line(mask, start, end, 1.05 * width)
        _line(edges, start + aside * 0.5 * width, end + aside * 0.5 * width, 1)
    shade = cv2.GaussianBlur(edges, (0, 0), 0.8) * g.uniform(20, 70)
    return mask, np.asarray(_skin(scene) - shade, np.float32)


def _scarf(scene: _Scene) -> _Layer:
    """Knitted cloth over everything below the nose or the eyes, wider than the face."""
    g, p = scene.generator, scene.points
    from_nose = scene.target is not Part.MOUTH and g.random() < 0.6
    level = p[28] + (p[NOSE_TIP] - p[28]) * g.uniform(0, 0.5) if from_nose else (p[33] + p[51]) / 2
    across = np.linspace(-1.6, 1.6, 17)
    wave = 0.03 * np.sin(across * g.uniform(1, 5) + g.uniform(0, 6)) + 0.06 * across**2 * g.uniform(-1, 1)
    top = np.stack([scene.at(level, a, d) for a, d in zip(across, wave, strict=True)])
    outline = np.concatenate([top, [scene.at(level, 1.6, 2.5), scene.at(level, -1.6, 2.5)]])
    side, angle = scene.side, g.uniform(0.3, 0.9)
    knit = _stripes(g, side, g.uniform(2.5, 4), angle) * _stripes(g, side, g.uniform(2.5, 4), -angle)
    bands = _stripes(g, side, g.uniform(6, 16), np.pi / 2) * g.uniform(0, 50)
    return _filled(side, outline), np.asarray(g.uniform(30, 220) + g.uniform(8, 40) * knit + bands, np.float32)


def _goggles(scene: _Scene) -> _Layer:
    """A diver's mask or a virtual-reality headset, over brows, eyes and the bridge of the nose."""
    g, p, tilt = scene.generator, scene.points, _tilt(scene)
    middle = (p[BROWS].mean(axis=0) + p[EYES].mean(axis=0)) / 2
    wide = max(float(np.linalg.norm(p[LEFT_EAR] - p[RIGHT_EAR])) / 2, 0.35 * scene.size) * g.uniform(0.85, 1.05)
    tall = scene.size * g.uniform(0.2, 0.27)
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    shape = np.stack([np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.5 * wide,
                      np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.5 * tall], axis=1)  # fmt: skip
    c, s = np.cos(tilt), np.sin(tilt)
    outline = shape @ np.array([[c, s], [-s, c]]) + middle
    mask = _filled(scene.side, outline.astype(np.float32))
    inner = _filled(scene.side, ((outline - middle) * 0.8 + middle).astype(np.float32))
    rim, glass = g.uniform(0, 255), g.uniform(0, 255)
    glow = np.clip(_stripes(g, scene.side, g.uniform(20, 60), g.uniform(0, np.pi)), 0, 1) * g.uniform(0, 90)
    return mask, np.asarray(rim * (1 - inner) + (glass + glow) * inner, np.float32)


def _cup(scene: _Scene) -> _Layer:
    """A round vessel in front of mouth and nose, shaded like a cylinder, with its rim."""
    g = scene.generator
    part = scene.target or (Part.MOUTH if g.random() < 0.7 else Part.NOSE)
    centre = scene.centre(part) + g.normal(0, 0.03, 2) * scene.size
    wide = max(float(scene.reach(part)[0]), 0.16 * scene.size) * g.uniform(1.05, 1.5)
    tall = max(float(scene.reach(part)[1]), 0.12 * scene.size) * g.uniform(1.0, 1.4 if scene.target is None else 1.15)
    taper = g.uniform(0.75, 1.0)
    top, low = centre - np.array([0, tall]), centre + np.array([0, tall * g.uniform(1, 2.5)])
    right = np.array([wide, 0])
    body = np.stack([top - right, top + right, low + right * taper, low - right * taper])
    mask = np.maximum(_filled(scene.side, body.astype(np.float32)), _ellipse(scene.side, top, (wide, wide * 0.25), 0))
    xs = (np.arange(scene.side, dtype=np.float32) - centre[0]) / wide
    shade = np.sqrt(np.clip(1 - np.clip(xs + g.uniform(-0.4, 0.4), -1, 1) ** 2, 0, 1))[None, :]
    rim = _ellipse(scene.side, top, (wide, wide * 0.25), 0) * g.uniform(-60, 60)
    grey = g.uniform(60, 240) * (0.45 + 0.55 * shade) + rim
    return mask, np.asarray(np.broadcast_to(grey, mask.shape), np.float32)


def _sheet(scene: _Scene) -> _Layer:
    """A printed page or a telephone held before one half of the face."""
    g = scene.generator
    centre, half = scene.place(0.5)
    if scene.target is None:
        part = list(Part)[int(g.integers(3))]
        centre, half = scene.centre(part), scene.size * g.uniform(0.25, 0.6, 2)
    angle = g.uniform(-0.4, 0.4)
    mask = _filled(scene.side, _box_corners(centre, half, angle))
    dark = g.random() < 0.4
    lines = np.clip(_stripes(g, scene.side, g.uniform(3, 5), np.pi / 2 + angle), 0, 1)
    words = (_coarse_noise(g, scene.side, 32) > -0.2).astype(np.float32)
    grey = 30 + 40 * _coarse_noise(g, scene.side, 3) if dark else g.uniform(190, 250) - 120 * lines * words
    inner = _filled(scene.side, _box_corners(centre, half * 0.85, angle))
    return mask, np.asarray(grey * inner + (15 if dark else 235) * (1 - inner), np.float32)


_DRAW: dict[str, Callable[[_Scene], _Layer]] = {
    "block": _block, "blob": _blob, "patch": _patch, "surgical_mask": _surgical_mask, "sunglasses": _sunglasses,
    "hair": _hair, "sleeve": _sleeve, "hand": _hand, "scarf": _scarf, "goggles": _goggles, "cup": _cup,
    "sheet": _sheet,
}  # fmt: skip

TRAINING_KINDS = ("block", "blob", "patch", "surgical_mask", "sunglasses", "hair", "sleeve")

HELD_OUT_KINDS = ("hand", "scarf", "goggles", "cup", "sheet")

KINDS_FOR: dict[Part, tuple[str, ...]] = {
    Part.EYES: ("sunglasses", "goggles", "hand", "block", "sheet"),
    Part.NOSE: ("patch", "hand", "block", "sheet", "blob"),
    Part.MOUTH: ("surgical_mask", "scarf", "hand", "cup", "block"),
}
"""Occluders that can cover one part and leave the others visible."""
