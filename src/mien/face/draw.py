"""Overlays on photos: boxes, landmarks, areas, a card of results beside them, and class maps in the published colours.

All pictures are uint8 [H, W, 3], RGB.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mien.face.areas import PART_LANDMARKS, PIECES, PIECES_OF_PART, bounding_box
from mien.face.colours import PART_COLOURS, rgb
from mien.types import Area, Face, Float32, Part, UInt8

HEAT_WEIGHT, IMAGE_WEIGHT = 0.4, 0.5
"""The published overlay: heatmap x 0.4 + image x 0.5 (paper, CAM)."""

_HIDDEN, _INK, _PAPER, _FAINT, _BAR = (150, 150, 150), (32, 33, 36), (255, 255, 255), (110, 113, 118), (66, 103, 178)

_FONT = cv2.FONT_HERSHEY_DUPLEX

SHORTEST, LONGEST = 720, 1600
"""A photo's longer side is brought into this range before drawing, so that lines and words can be read."""

CARD_WIDTH = 680

_HEADING = 34

THUMB = 36
"""Side in pixels of a crop on a card."""


@dataclass(frozen=True)
class Bar:
    """One line of a card: a name, a share as a bar, and words.

    Attributes:
        name: at the left.
        share: 0..1, length of the bar.
        text: at the right.
        faint: drawn in grey, for what does not count.
        picture: uint8 [S, S] grey, drawn before the name; None draws none.
    """

    name: str
    share: float
    text: str
    faint: bool = False
    picture: UInt8 | None = None

    @property
    def height(self) -> int:
        """Pixels that the line takes."""
        return 24 if self.picture is None else THUMB + 6


@dataclass(frozen=True)
class Group:
    """Bars under one heading.

    Attributes:
        heading: what the bars measure.
        bars: from top to bottom.
    """

    heading: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Card:
    """What stands beside the photo for one face.

    Attributes:
        title: the answer.
        lines: sentences below it.
        groups: of bars.
        tag: short words at the face itself.
    """

    title: str
    lines: Sequence[str]
    groups: Sequence[Group]
    tag: str


def overlay(image: UInt8, maps: Sequence[tuple[Float32, Float32]]) -> UInt8:
    """Lay class maps over a photo, each inside its crop's box: JET colours, heatmap x 0.4 + image x 0.5.

    Args:
        image: uint8 [H, W, 3], RGB.
        maps: of each face the map, float32 [S, S] in 0..1, and its box, float32 [4] (x0, y0, x1, y1) in pixels.

    Returns:
        uint8 [H, W, 3], RGB; unchanged outside the boxes.
    """
    result = image.copy()
    height, width = image.shape[:2]
    for values, box in maps:
        x0, y0, x1, y1 = (round(float(v)) for v in box)
        side = (max(x1 - x0, 1), max(y1 - y0, 1))
        left, top, right, bottom = max(x0, 0), max(y0, 0), min(x0 + side[0], width), min(y0 + side[1], height)
        if left >= right or top >= bottom:
            continue
        heat = jet(cv2.resize(values, side, interpolation=cv2.INTER_LINEAR).astype(np.float32))
        inside = heat[top - y0 : bottom - y0, left - x0 : right - x0]
        under = image[top:bottom, left:right]
        result[top:bottom, left:right] = blend(inside, under)
    return result


def jet(values: Float32) -> UInt8:
    """float32 [H, W] in 0..1 -> uint8 [H, W, 3] RGB in OpenCV's COLORMAP_JET."""
    levels = (np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1], np.uint8)


def blend(heat: UInt8, image: UInt8) -> UInt8:
    """The published overlay of two pictures of one size."""
    mixed = heat * np.float32(HEAT_WEIGHT) + image * np.float32(IMAGE_WEIGHT)
    return np.round(mixed).astype(np.uint8)


def annotate(image: UInt8, marks: Sequence[tuple[Face, Collection[Part]]], cards: Sequence[Card]) -> UInt8:
    """Draw faces on a photo, with a card for each as far as they fit.

    Args:
        image: uint8 [H, W, 3], RGB.
        marks: each face and its visible parts.
        cards: one a face, in the same order.

    Returns:
        uint8 [H', W', 3], RGB: the photo, brought to a size that can be read, and the cards at its right.
    """
    scale = float(np.clip(max(image.shape[:2]), SHORTEST, LONGEST)) / max(image.shape[:2])
    canvas = np.ascontiguousarray(_resized(image, scale))
    for (face, visible), card in zip(marks, cards, strict=True):
        mark_face(canvas, face, visible, scale, card.tag)
    if not cards:
        return canvas
    drawn = [draw_card(card) for card in cards]
    return _beside(canvas, drawn)


def visibility_picture(image: UInt8, marks: Sequence[tuple[Face, Mapping[str, float], Collection[str]]]) -> UInt8:
    """A photo with the outline of each piece of each face: in the part's colour where it is visible, grey and filled
    where it is hidden, with the percentage hidden.

    Args:
        image: uint8 [H, W, 3], RGB.
        marks: for each face its place, by piece the share hidden, and the pieces taken as hidden.
    """
    scale = float(np.clip(SHORTEST / max(image.shape[:2]), LONGEST / max(image.shape[:2]) / 4, 4))
    canvas = _resized(image, max(1.0, scale))
    grown = canvas.shape[1] / image.shape[1]
    for face, shares, hidden in marks:
        for piece, indices in PIECES.items():
            points = np.round(cv2.convexHull((face.landmarks[list(indices)] + 0.5) * grown - 0.5)).astype(np.int32)
            color = _HIDDEN if piece in hidden else rgb(PART_COLOURS[_PART_OF[piece]])
            if piece in hidden:
                filled = canvas.copy()
                cv2.fillConvexPoly(filled, points, color)
                canvas = cv2.addWeighted(filled, 0.5, canvas, 0.5, 0).astype(np.uint8)
            cv2.polylines(canvas, [points], True, color, 2, cv2.LINE_AA)
            x, y = points[:, 0].min(axis=0)
            _write(canvas, f"{shares[piece]:.0%}", (int(x), int(y) - 4), 0.5, color)
    return canvas


_PART_OF = {piece: part for part, pieces in PIECES_OF_PART.items() for piece in pieces}


def mark_face(canvas: UInt8, face: Face, visible: Collection[Part], scale: float = 1.0, tag: str = "") -> None:
    """Draw one face in place: its box, its landmarks, the boxes of eyes, nose and mouth (grey where hidden), a tag.

    Args:
        canvas: uint8 [H, W, 3], RGB; changed.
        face: in pixels of the photo.
        visible: parts drawn in colour.
        scale: pixels of the canvas a pixel of the photo.
        tag: words above the box.
    """
    thin = int(np.clip(round(face.size * scale / 80), 1, 4))
    points = (face.landmarks + 0.5) * scale - 0.5
    box = (face.box + 0.5) * scale - 0.5
    _rectangle(canvas, box, _PAPER, thin)
    dot = (thin + 1) // 2
    for point in points:
        _dot(canvas, point, _PAPER, dot)
    for part in Part:
        color = rgb(PART_COLOURS[part]) if part in visible else _HIDDEN
        for index in PART_LANDMARKS["one"][part]:
            _dot(canvas, points[index], color, dot)
        _rectangle(canvas, bounding_box(points.astype(np.float32), Area.of({part})), color, thin)
    if tag:
        _tag(canvas, tag, box)


def draw_card(card: Card) -> UInt8:
    """uint8 [h, CARD_WIDTH, 3]: title, sentences and bars on white."""
    rows = sum(bar.height for group in card.groups for bar in group.bars)
    lines = [piece for line in card.lines for piece in _wrapped(line, CARD_WIDTH - 40, 0.48)]
    height = 58 + 22 * len(lines) + rows + _HEADING * len(card.groups) + 18
    sheet = np.full((height, CARD_WIDTH, 3), 255, np.uint8)
    _write(sheet, card.title, (20, 40), 0.85, _INK)
    y = 58
    for line in lines:
        y += 22
        _write(sheet, line, (20, y - 6), 0.48, _FAINT)
    for group in card.groups:
        y += _HEADING
        _write(sheet, group.heading, (20, y - 6), 0.42, _FAINT)
        for bar in group.bars:
            y += bar.height
            _bar(sheet, bar, y - 6)
    return sheet


def _bar(sheet: UInt8, bar: Bar, bottom: int) -> None:
    left, length = 208, 150
    ink, fill = (_HIDDEN, _HIDDEN) if bar.faint else (_INK, _BAR)
    y = bottom
    if bar.picture is not None:
        small = cv2.resize(bar.picture, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
        sheet[bottom - THUMB : bottom, 20 : 20 + THUMB] = small[..., None]
        y = bottom - THUMB // 2 + 6
    _write(sheet, bar.name, (20 if bar.picture is None else 20 + THUMB + 12, y), 0.48, ink)
    cv2.rectangle(sheet, (left, y - 12), (left + length, y), (236, 238, 242), -1)
    cv2.rectangle(sheet, (left, y - 12), (left + round(length * float(np.clip(bar.share, 0, 1))), y), fill, -1)
    _write(sheet, bar.text, (left + length + 12, y), 0.48, ink)


def _beside(canvas: UInt8, cards: Sequence[UInt8]) -> UInt8:
    """The cards in a column at the photo's right; those that no longer fit are left out and counted."""
    kept = [cards[0]]
    for card in cards[1:]:
        if sum(len(k) for k in kept) + len(card) > max(canvas.shape[0], len(cards[0])):
            break
        kept.append(card)
    column = np.concatenate(kept)
    missing = len(cards) - len(kept)
    if missing:
        more = np.full((30, CARD_WIDTH, 3), 255, np.uint8)
        _write(more, f"and {missing} more face{'s' * (missing > 1)}: see the tags", (20, 20), 0.48, _FAINT)
        column = np.concatenate([column, more])
    height = max(len(canvas), len(column))
    whole = np.full((height, canvas.shape[1] + CARD_WIDTH, 3), 255, np.uint8)
    whole[: canvas.shape[0], : canvas.shape[1]] = canvas
    whole[: len(column), canvas.shape[1] :] = column
    return whole


def _tag(canvas: UInt8, words: str, box: Float32) -> None:
    size = 0.4 + max(canvas.shape[:2]) / 6000
    (wide, high), base = cv2.getTextSize(words, _FONT, size, 1)
    x = int(np.clip(box[0], 0, max(canvas.shape[1] - wide - 8, 0)))
    y = int(np.clip(box[1] - 6, high + base + 4, canvas.shape[0] - base))
    cv2.rectangle(canvas, (x, y - high - base), (x + wide + 8, y + base), _PAPER, -1)
    _write(canvas, words, (x + 4, y), size, _INK)


def _write(canvas: UInt8, words: str, at: tuple[int, int], size: float, color: tuple[int, int, int]) -> None:
    cv2.putText(canvas, words, at, _FONT, size, color, 1, cv2.LINE_AA)


def _wrapped(words: str, width: int, size: float) -> list[str]:
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and cv2.getTextSize(longer, _FONT, size, 1)[0][0] > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _rectangle(canvas: UInt8, box: Float32, color: tuple[int, int, int], thick: int) -> None:
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    cv2.rectangle(canvas, (x0, y0), (x1, y1), color, thick, cv2.LINE_AA)


def _dot(canvas: UInt8, point: Float32, color: tuple[int, int, int], radius: int) -> None:
    cv2.circle(canvas, (round(float(point[0])), round(float(point[1]))), radius, color, -1, cv2.LINE_AA)


def _resized(image: UInt8, scale: float) -> UInt8:
    if scale == 1.0:
        return image.copy()
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=method).astype(np.uint8)
