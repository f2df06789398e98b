"""Random variation of a face during training: pose, landmark error, resolution, blur, noise, light, JPEG, erasing."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.face.crops import Canvas, cut
from mien.face.spec import CropSpec
from mien.types import Area, Float32, Float64, Part, UInt8


@dataclass(frozen=True)
class Augmentation:
    """Strength of each variation; the default is mien's own, :data:`PUBLISHED_AUGMENTATION` is the paper's.

    Attributes:
        flip: probability of a horizontal flip.
        rotation: standard deviation in degrees (cut at 2.5).
        zoom: standard deviation of log scale, and half of it for log aspect.
        shift: standard deviation of the landmark box error, as a share of the face size.
        resolution: probability of a loss of resolution (down to 40%).
        light: probability of a random gamma and illumination gradient.
        noise: probability of grey noise.
        jpeg: probability of JPEG compression (quality 25-90).
        erase: probability that a random rectangle is not visible.
    """

    flip: float = 0.5
    rotation: float = 7.0
    zoom: float = 0.05
    shift: float = 0.02
    resolution: float = 0.25
    light: float = 0.5
    noise: float = 0.2
    jpeg: float = 0.1
    erase: float = 0.25


PUBLISHED_AUGMENTATION = Augmentation(
    rotation=0.0, zoom=0.0, shift=0.03, resolution=0.0, light=0.0, noise=0.0, jpeg=0.0, erase=0.0
)
"""Random crop and random horizontal flip (paper, training)."""

LIGHT_AUGMENTATION = Augmentation(resolution=0.1, light=0.2, noise=0.05, jpeg=0.05, erase=0.1)
"""For short trainings: as the default in pose and landmark error, less often in everything else.

Measured on the mouth, 8 epochs at 32 pixels, validation: 70.0% against 69.3%, log loss 0.856 against 0.872
(``docs/results/training/runs.csv, runs 1101d069f076 and be57f15559f5``).
"""

AUGMENTATIONS = {"default": Augmentation(), "light": LIGHT_AUGMENTATION, "published": PUBLISHED_AUGMENTATION}


def random_crop(
    canvas: Canvas,
    area: Area,
    spec: CropSpec,
    strength: Augmentation,
    generator: np.random.Generator,
    hidden: tuple[Part, ...] = (),
) -> UInt8:
    """A randomly varied crop of a canvas; ``hidden`` parts are blanked as in :func:`mien.face.crops.cut`.

    Returns:
        uint8 [spec.size, spec.size], 0 = not visible.
    """
    size = float(np.sqrt(np.prod(np.maximum(np.ptp(canvas.landmarks, axis=0), 1.0))))
    jittered = canvas.landmarks
    if strength.shift:
        centre = jittered.mean(axis=0)
        scale = np.exp(generator.normal(0, strength.shift * 1.5))
        offset = generator.normal(0, strength.shift * size, 2) * 0.7
        jittered = (jittered - centre) * scale + centre + offset
        jittered = (jittered + generator.normal(0, 0.3 * strength.shift * size, jittered.shape)).astype(np.float32)
    varied = Canvas(_disturbed(canvas.pixels, strength, generator), jittered.astype(np.float32), canvas.extent)
    pixels = cut(varied, area, spec, _random_warp(jittered, strength, generator), hidden)
    if generator.random() < strength.erase:
        pixels = _erased(pixels, generator)
    return pixels


def _random_warp(landmarks: Float32, strength: Augmentation, generator: np.random.Generator) -> Float64:
    angle = np.deg2rad(np.clip(generator.normal(0, 1), -2.5, 2.5) * strength.rotation)
    zoom = np.exp(generator.normal(0, strength.zoom)) if strength.zoom else 1.0
    aspect = np.exp(generator.normal(0, strength.zoom / 2)) if strength.zoom else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([zoom * aspect, zoom / aspect])
    if generator.random() < strength.flip:
        linear = np.diag([-1.0, 1.0]) @ linear
    centre = landmarks.mean(axis=0)
    return np.column_stack([linear, centre - linear @ centre])


def _disturbed(pixels: UInt8, strength: Augmentation, generator: np.random.Generator) -> UInt8:
    roll = generator.random(4)
    side = pixels.shape[0]
    if roll[0] < strength.resolution:
        small = round(side * generator.uniform(0.4, 0.9))
        reduced = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA)
        pixels = np.asarray(cv2.resize(reduced, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)
    if roll[1] < strength.light:
        ramp = np.linspace(-0.5, 0.5, side, dtype=np.float32) * generator.normal(0, 0.25)
        gamma = np.float32(np.exp(generator.normal(0, 0.3)))
        lit = (pixels.astype(np.float32) / 255) ** gamma * (1 + (ramp if generator.random() < 0.5 else ramp[:, None]))
        pixels = np.clip(lit * 255, 0, 255).astype(np.uint8)
    if roll[2] < strength.noise:
        noise = generator.standard_normal(pixels.shape, np.float32) * np.float32(generator.uniform(2, 10))
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    if roll[3] < strength.jpeg:
        quality = int(generator.integers(25, 90))
        _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return pixels


def _erased(pixels: UInt8, generator: np.random.Generator) -> UInt8:
    side = pixels.shape[0]
    high, wide = (generator.uniform(0.1, 0.4, 2) * side).astype(int)
    top, left = generator.integers(0, side - high), generator.integers(0, side - wide)
    pixels[top : top + high, left : left + wide] = 0
    return pixels
