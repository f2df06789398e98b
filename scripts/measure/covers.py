"""Covers drawn on a photo over a face whose mesh is known: mask, scarf, bar, sunglasses, sunglasses with mask."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mien.types import Float32, UInt8

KINDS = ("mask", "scarf", "bar", "sunglasses+mask", "sunglasses")
JAW = (93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323)


def cover(rgb: UInt8, mesh: Float32, kind: str, generator: np.random.Generator) -> UInt8:
    """A photo uint8 [H, W, 3] with a face's parts covered; colour and edges differ every time."""
    points = mesh[:, :2].astype(np.float64)
    eyes = points[263] - points[33]
    width = float(np.linalg.norm(eyes))
    if kind == "sunglasses+mask":
        return cover(cover(rgb, mesh, "sunglasses", generator), mesh, "mask", generator)
    if kind == "mask":
        top = points[197] + (points[168] - points[197]) * generator.uniform(-0.2, 0.7)
        outline = [*points[list(JAW)], (points[352] + top) / 2, top, (points[123] + top) / 2]
        return _painted(rgb, [np.array(outline)], generator)
    if kind == "scarf":
        jaw = points[[234, *JAW, 454]]
        wider = jaw.mean(axis=0) + (jaw - jaw.mean(axis=0)) * 1.25
        nose = points[5] + (points[197] - points[5]) * generator.uniform(-1, 0.8)
        return _painted(rgb, [np.vstack([wider, nose])], generator)
    along = eyes / max(width, 1e-6)
    across = np.array([-along[1], along[0]])
    middle = (points[263] + points[33]) / 2
    if kind == "bar":
        long, high = generator.uniform(0.75, 1.0) * width, generator.uniform(0.22, 0.36) * width
        corners = [middle + x * long * along + y * high * across for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        return _painted(rgb, [np.array(corners)], generator)
    radius = generator.uniform(0.24, 0.32) * width
    turn = np.linspace(0, 2 * np.pi, 40)
    circle = np.stack([np.cos(turn) * 1.15, np.sin(turn)], axis=1) * radius
    lenses = [points[list(pair)].mean(axis=0) + circle + 0.05 * width * across for pair in ((33, 133), (362, 263))]
    left, right = (lens.mean(axis=0) for lens in lenses)
    above, below = 0.05 * width * across, 0.03 * width * across
    bridge = np.array([left - above, right - above, right + below, left + below])
    return _filled(rgb, [*lenses, bridge], np.full(rgb.shape, generator.integers(5, 46), np.float32))


def _painted(rgb: UInt8, outlines: Sequence[np.ndarray], generator: np.random.Generator) -> UInt8:
    height, width = rgb.shape[:2]
    grey = generator.choice([10, 30, 180, 230, 250])
    colour = generator.integers(0, 256, 3) if generator.random() < 0.6 else np.full(3, grey)
    fill = np.broadcast_to(colour.astype(np.float32), rgb.shape).copy()
    if generator.random() < 0.5:
        fill *= np.linspace(generator.uniform(0.6, 1), generator.uniform(0.8, 1.2), height)[:, None, None]
    if generator.random() < 0.3:
        noise = generator.normal(0, 30, (8, 8, 3)).astype(np.float32)
        fill += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return _filled(rgb, outlines, fill)


def _filled(rgb: UInt8, outlines: Sequence[np.ndarray], fill: np.ndarray) -> UInt8:
    mask = np.zeros(rgb.shape[:2], np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    share = mask[..., None] / np.float32(255)
    return np.clip(rgb * (1 - share) + fill * share, 0, 255).astype(np.uint8)
