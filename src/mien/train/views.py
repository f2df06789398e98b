"""What the one network is trained on: aligned faces with anything missing, and how much of each piece is hidden.

A view is made from a prepared face in one of five ways: as it is; only one of the paper's areas; some pieces blanked;
behind something drawn; behind something real, taken from another picture. Then it is moved, lit, blurred. Something in
front of a face is laid on *after* the face was aligned, and the alignment moved at random as landmarks move that were
sought on the covered face.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from mien.face.aligned import AlignedFace, aligned, area_mask, filled, piece_mask
from mien.face.areas import MIRRORED_PIECES, PIECES
from mien.face.crops import Canvas
from mien.face.landmarks import NOSE_TIP
from mien.measure.occluders import TRAINING_KINDS, occlude
from mien.types import AREAS, Float32, Float64, Part, UInt8

Way = Literal["plain", "area", "blanked", "drawn", "real"]
SIDE = 112
DEGREE = {0: 0.02, 1: 0.35, 2: 0.98}
"""Share hidden of a piece that was given a score of 0, 1 or 2 by eye."""
SURE = {0: 1.0, 1: 0.4, 2: 1.0}
"""Weight of such a score: partly hidden was seldom agreed upon."""
BLANKED: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.10, ("right_eye",)), (0.10, ("left_eye",)), (0.20, ("right_eye", "left_eye")), (0.15, ("nose",)),
    (0.20, ("mouth",)), (0.20, ("nose", "mouth")), (0.05, ("right_eye", "left_eye", "nose")),
)  # fmt: skip
"""How often which pieces are blanked together."""
AREA_SHARES = (0.2, 0.2, 0.2, 0.12, 0.12, 0.12, 0.04)
"""How often each area is shown alone, in the order of AREAS."""
TARGETS: tuple[tuple[float, Part | None], ...] = (
    (0.25, None), (0.315, Part.EYES), (0.12, Part.NOSE), (0.315, Part.MOUTH),
)  # fmt: skip
"""What a drawn cover is aimed at; None lies anywhere."""


@dataclass(frozen=True)
class ViewConfig:
    """How training views are made.

    Attributes:
        area, blanked, drawn, real: how often each way is taken; the rest is plain.
        turn: standard deviation of the turn, degrees.
        zoom: of the logarithm of the scale.
        shift: of the shift, in sides.
        erase: how often a random block is taken out of what is not already cut.
    """

    area: float = 0.22
    blanked: float = 0.06
    drawn: float = 0.12
    real: float = 0.12
    turn: float = 7.5
    zoom: float = 0.1
    shift: float = 0.047
    erase: float = 0.2

    def way(self, generator: np.random.Generator) -> Way:
        """One of the five ways."""
        shares = [1 - self.area - self.blanked - self.drawn - self.real, self.area, self.blanked, self.drawn, self.real]
        ways: tuple[Way, ...] = ("plain", "area", "blanked", "drawn", "real")
        return ways[int(generator.choice(5, p=shares))]


@dataclass(frozen=True, eq=False)
class Donor:
    """A really covered face, whose cover may be laid on another.

    Attributes:
        canvas: the covered face.
        hidden: the pieces that it hides.
        mask: True for a face mask, which is taken whole from the nose's bridge to the chin.
    """

    canvas: Canvas
    hidden: tuple[str, ...]
    mask: bool = False


@dataclass(frozen=True, eq=False)
class Seen:
    """A face of which it is known what is hidden.

    Attributes:
        canvas: the face.
        scores: by piece 0, 1 or 2, as in ``mien.data.covered``.
    """

    canvas: Canvas
    scores: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class View:
    """One training example.

    Attributes:
        pixels: uint8 [S, S], 0 = not visible.
        hidden: float32 [4], share (0..1) hidden of each piece.
        weight: float32 [4], how sure that is.
    """

    pixels: UInt8
    hidden: Float32
    weight: Float32


@dataclass(eq=False)
class ViewMaker:
    """Makes views.

    Attributes:
        config: how.
        generator: decides everything random.
        donors: real covers; without any, covers are drawn instead.
        textures: uint8 pictures of 96 pixels, from which drawn covers take texture.
    """

    config: ViewConfig
    generator: np.random.Generator
    donors: Sequence[Donor] = ()
    textures: Sequence[UInt8] = ()
    side: int = SIDE
    _masks: list[Donor] = field(init=False)
    _others: list[Donor] = field(init=False)

    def __post_init__(self) -> None:
        self._masks = [donor for donor in self.donors if donor.mask]
        self._others = [donor for donor in self.donors if not donor.mask]

    def view(
        self, canvas: Canvas, way: Way | None = None, scores: Mapping[str, int] | None = None, sure: float = 1.0
    ) -> View:
        """One view of a face.

        Args:
            canvas: the prepared face.
            way: how; None draws one.
            scores: what is known to be hidden of it already.
            sure: weight of those scores where nothing was laid on; less than 1 where they were guessed.
        """
        way = way or self.config.way(self.generator)
        way = "drawn" if way == "real" and not self.donors else way
        canvas = self._coarser(canvas)
        cover = np.zeros(canvas.pixels.shape, bool)
        if way == "drawn":
            canvas, cover = self._drawn(canvas)
        warp = self._warp()
        face = self._laid(canvas, warp)
        covered = cv2.warpAffine(cover.astype(np.uint8), face.matrix, (self.side,) * 2, flags=cv2.INTER_NEAREST) > 0
        pixels = face.pixels
        if way == "real":
            pixels, covered = self._behind_real(face, warp, covered)
        pixels = self._lit(pixels)
        if way == "area":
            pixels, covered = self._one_area(canvas, face, pixels)
        elif way == "blanked":
            pixels, covered = self._without(face, pixels, covered)
        elif self.generator.random() < self.config.erase:
            pixels, covered = self._erased(pixels, covered)
        return self._finished(face, pixels, covered, scores or {}, sure)

    def _warp(self) -> Float64:
        """float64 [2, 3], in pixels of the aligned face: turn, zoom, stretch, shift."""
        g, c = self.generator, self.config
        angle, zoom, stretch = np.deg2rad(g.normal(0, c.turn)), np.exp(g.normal(0, c.zoom)), np.exp(g.normal(0, 0.04))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turn = turn @ np.diag([zoom * stretch, zoom / stretch])
        middle = np.full(2, (self.side - 1) / 2)
        shift = middle - turn @ middle + g.normal(0, c.shift, 2) * self.side
        return np.hstack([turn, shift[:, None]])

    def _coarser(self, canvas: Canvas) -> Canvas:
        """Now and then at a lower resolution."""
        g = self.generator
        if g.random() >= 0.15:
            return canvas
        share, side = g.uniform(0.5, 0.95), canvas.pixels.shape[0]
        small = cv2.resize(canvas.pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        pixels = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
        return Canvas(np.asarray(pixels, np.uint8), canvas.landmarks, canvas.extent)

    def _drawn(self, canvas: Canvas) -> tuple[Canvas, npt.NDArray[np.bool_]]:
        g = self.generator
        kind = TRAINING_KINDS[int(g.integers(len(TRAINING_KINDS)))]
        target = TARGETS[int(g.choice(len(TARGETS), p=[share for share, _ in TARGETS]))][1]
        texture = self.textures[int(g.integers(len(self.textures)))] if len(self.textures) else None
        drawn = occlude(canvas, kind, g, texture, target)
        return drawn.canvas, drawn.mask

    def _laid(self, canvas: Canvas, warp: Float64) -> AlignedFace:
        """Aligned and moved; beyond the picture its mirror image, its edge, or nothing."""
        roll = self.generator.random()
        if roll < 0.35:
            return aligned(canvas, warp, self.side)
        filled_in = mirrored(canvas) if roll < 0.85 else canvas.pixels
        height, width = canvas.pixels.shape
        whole = Canvas(filled_in, canvas.landmarks, np.array([-1, -1, width, height], np.float32))
        face, real = aligned(whole, warp, self.side), aligned(canvas, warp, self.side)
        return AlignedFace(np.maximum(face.pixels, 1), face.landmarks, face.matrix, real.inside)

    def _behind_real(
        self, face: AlignedFace, warp: Float64, covered: npt.NDArray[np.bool_]
    ) -> tuple[UInt8, npt.NDArray[np.bool_]]:
        """A cover from another picture, laid on where it lay there."""
        g = self.generator
        pool = self._masks if self._masks and (not self._others or g.random() < 0.5) else self._others
        donor = pool[int(g.integers(len(pool)))]
        moved = warp + np.hstack([np.zeros((2, 2)), g.normal(0, 2, (2, 1))])
        other = aligned(donor.canvas, moved, self.side)
        mask = self._outline(donor, other)
        grey = other.pixels.astype(np.float32)
        if g.random() < 0.3:
            grey = grey * g.uniform(0.6, 1.4) + g.uniform(-30, 30)
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), g.uniform(0.6, 2.5)) * (other.pixels > 0)
        mixed = np.clip(face.pixels * (1 - soft) + np.clip(grey, 1, 255) * soft, 1, 255)
        return np.asarray(mixed * (face.pixels > 0), np.uint8), covered | ((mask > 0) & (other.pixels > 0))

    def _outline(self, donor: Donor, other: AlignedFace) -> UInt8:
        g, points = self.generator, other.landmarks
        if donor.mask:
            return filled(_mask_outline(points, g), self.side, convex=False)
        growth = g.uniform(1.3, 2.2)
        masks = [piece_mask(points, piece, self.side, growth) for piece in donor.hidden]
        return np.asarray(np.max(masks, axis=0), np.uint8)

    def _one_area(self, canvas: Canvas, face: AlignedFace, pixels: UInt8) -> tuple[UInt8, npt.NDArray[np.bool_]]:
        g = self.generator
        area = AREAS[int(g.choice(len(AREAS), p=AREA_SHARES))]
        loose = canvas.landmarks + g.normal(0, 0.4, 2) + g.normal(0, 0.3, canvas.landmarks.shape)
        mask = area_mask(face, area, loose.astype(np.float32)) > 0
        return np.asarray(pixels * mask, np.uint8), ~mask

    def _without(
        self, face: AlignedFace, pixels: UInt8, covered: npt.NDArray[np.bool_]
    ) -> tuple[UInt8, npt.NDArray[np.bool_]]:
        g = self.generator
        _, pieces = BLANKED[int(g.choice(len(BLANKED), p=[share for share, _ in BLANKED]))]
        step = 0.014 * self.side
        loose = face.landmarks + g.normal(0, 0.6 * step, 2) + g.normal(0, 0.35 * step, face.landmarks.shape)
        for piece in pieces:
            mask = piece_mask(loose.astype(np.float32), piece, self.side, g.uniform(1.3, 1.8)) > 0
            pixels, covered = np.asarray(pixels * ~mask, np.uint8), covered | mask
        return pixels, covered

    def _erased(self, pixels: UInt8, covered: npt.NDArray[np.bool_]) -> tuple[UInt8, npt.NDArray[np.bool_]]:
        g, side = self.generator, self.side
        width, height = (g.uniform(0.1, 0.4, 2) * side).astype(int)
        x, y = int(g.uniform(-width / 2, side - width / 2)), int(g.uniform(-height / 2, side - height / 2))
        block = np.zeros((side, side), bool)
        block[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)] = True
        grey = 0 if g.random() < 0.5 else int(g.integers(1, 255))
        return np.where(block, np.uint8(grey), pixels).astype(np.uint8), covered | block

    def _lit(self, pixels: UInt8) -> UInt8:
        """Other light, noise, blur; what is not visible stays so."""
        g, x = self.generator, pixels.astype(np.float32)
        if g.random() < 0.7:
            x = x * g.uniform(0.7, 1.25) + g.uniform(-18, 18)
        if g.random() < 0.3:
            x = 255 * (np.clip(x, 0, 255) / 255) ** np.exp(g.normal(0, 0.35))
        if g.random() < 0.25:
            x = x + g.standard_normal(x.shape, np.float32) * np.float32(g.uniform(2, 10))
        if g.random() < 0.2:
            x = np.asarray(cv2.GaussianBlur(x, (0, 0), g.uniform(0.8, 2.2)), np.float32)
        return np.asarray(np.clip(x, 1, 255) * (pixels > 0), np.uint8)

    def _finished(
        self, face: AlignedFace, pixels: UInt8, covered: npt.NDArray[np.bool_], scores: Mapping[str, int], sure: float
    ) -> View:
        """With how much is hidden, half of the views mirrored."""
        gone = covered | ~face.inside
        hidden, weight = np.zeros(len(PIECES), np.float32), np.zeros(len(PIECES), np.float32)
        for place, piece in enumerate(PIECES):
            inside = piece_mask(face.landmarks, piece, self.side) > 0
            share = float(gone[inside].mean()) if inside.any() else 1.0
            hidden[place], weight[place] = share, 1.0 if share > 0.6 else (0.5 if share > 0.02 else 0.25)
            if scores:
                score = scores.get(piece)
                known = 0.0 if score is None else SURE[score] * (1.0 if share > 0.6 else sure)
                weight[place] = max(known, 1.0 if share > 0.6 else 0.0)
                hidden[place] = share if score is None else max(share, DEGREE[score])
        if self.generator.random() < 0.5:
            pixels, swap = pixels[:, ::-1], list(MIRRORED_PIECES)
            hidden, weight = hidden[swap], weight[swap]
        return View(np.ascontiguousarray(pixels), hidden, weight)


def mirrored(canvas: Canvas) -> UInt8:
    """uint8 [96, 96]: the canvas with the picture mirrored beyond its borders."""
    x0, y0, x1, y1 = (int(v) for v in canvas.extent)
    height, width = canvas.pixels.shape
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width - 1), min(y1, height - 1)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return canvas.pixels
    piece = canvas.pixels[y0 : y1 + 1, x0 : x1 + 1]
    return np.asarray(cv2.copyMakeBorder(piece, y0, height - 1 - y1, x0, width - 1 - x1, cv2.BORDER_REFLECT), np.uint8)


def _mask_outline(points: Float32, g: np.random.Generator) -> npt.NDArray[np.floating]:
    """From the bridge of the nose along the jaw: where a worn face mask lies."""
    top, middle, start = (
        points[28] + (points[29] - points[28]) * g.uniform(-0.3, 0.7),
        points[NOSE_TIP],
        int(g.integers(1, 4)),
    )
    jaw = middle + (points[start : 17 - start] - middle) * g.uniform(1.0, 1.12)
    return np.concatenate([jaw, [(jaw[-1] + top) / 2, top, (jaw[0] + top) / 2]])
