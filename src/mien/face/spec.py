"""How an area becomes a square of pixels: the crop spec, and the crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mien.types import Area, Float32, UInt8, _check

Sampling = Literal["linear", "cubic"]


@dataclass(frozen=True)
class CropSpec:
    """How an area becomes a square of pixels. Its key names caches, model cards and tables.

    Attributes:
        mask: ``box`` shows all of the area's bounding box, as published; ``hull`` only the convex hulls of its parts;
            ``aligned`` is the whole face laid upright with everything but the area blanked (``mien.face.aligned``).
        eyes: ``one`` brow and eye, as published (landmarks 18-22, 37-42), or ``both`` (18-27, 37-48).
        padded: True pads the box to a square (Table 5, "with padding"); False cuts it to a square.
        size: side of the crop in pixels.
        face_size: a face larger than this (``Face.size``, pixels) is first reduced to it, so that a sharp portrait
            reaches the networks as the 48-pixel faces they were trained on.
        sampling: between pixels, ``linear`` or ``cubic``. Cubic crops of a face hardly depend on the resolution of its
            picture: the same answer at 48 and at 128 pixels for more faces (``docs/results/models/sampling.csv``).
    """

    mask: Literal["box", "hull", "aligned"] = "box"
    eyes: Literal["one", "both"] = "one"
    padded: bool = True
    size: int = 64
    face_size: float = 44.0
    sampling: Sampling = "linear"

    def __post_init__(self) -> None:
        if self.mask not in ("box", "hull", "aligned") or self.eyes not in ("one", "both"):
            raise ValueError(f"CropSpec: no mask is called {self.mask}, or eyes is not one or both: {self.eyes}")
        if self.sampling not in ("linear", "cubic"):
            raise ValueError(f"CropSpec: sampling is linear or cubic, got {self.sampling}")
        if self.size < 8 or self.face_size < 8:
            raise ValueError(f"CropSpec: size and face_size are at least 8, got {self.size}, {self.face_size}")

    @property
    def key(self) -> str:
        """Readable and unique: ``box-one-padded-64-face44``, or ``box-one-padded-64-face44-cubic``."""
        padding = "padded" if self.padded else "cut"
        sampling = "" if self.sampling == "linear" else f"-{self.sampling}"
        return f"{self.mask}-{self.eyes}-{padding}-{self.size}-face{self.face_size:g}{sampling}"

    @classmethod
    def from_key(cls, key: str) -> CropSpec:
        """Inverse of :attr:`key`.

        Raises:
            ValueError: the key has another form.
        """
        try:
            mask, eyes, padding, size, face, *rest = key.split("-")
            sampling = "-".join(rest) or "linear"
            face_size = float(face.removeprefix("face"))
            spec = cls(mask, eyes, padding == "padded", int(size), face_size, sampling)  # type: ignore[arg-type]
        except ValueError as error:
            raise ValueError(f"not a crop spec: {key!r} (expected something like {cls().key!r})") from error
        if spec.key != key:
            raise ValueError(f"not a crop spec: {key!r} (expected something like {cls().key!r})")
        return spec


PUBLISHED_SPEC = CropSpec()

STUDY_SPECS: dict[str, CropSpec] = {
    "published": PUBLISHED_SPEC,
    "cut": CropSpec(padded=False),
    "hull": CropSpec(mask="hull"),
    "both_eyes": CropSpec(eyes="both"),
    "hull_both_eyes": CropSpec(mask="hull", eyes="both"),
}
"""What the study compares."""

ALIGNED_SPEC = CropSpec(mask="aligned", size=112, sampling="cubic")
"""What the one network sees."""

TRAINING_SPECS = STUDY_SPECS | {"cubic": CropSpec(sampling="cubic")}
"""What a network can be trained on: ``cubic`` is the published spec with cubic sampling, for shipped networks."""


@dataclass(frozen=True, eq=False)
class Crop:
    """One area cut out of one face.

    Attributes:
        area: which of the seven.
        spec: how it was cut.
        pixels: uint8 [size, size]; 0 means "not visible" (padding, outside the hulls or the picture), visible
            pixels lie in 1..255.
        box: float32 [4], the square (x0, y0, x1, y1) in pixels of the original picture.
    """

    area: Area
    spec: CropSpec
    pixels: UInt8
    box: Float32

    def __post_init__(self) -> None:
        _check("Crop.pixels", self.pixels, (self.spec.size, self.spec.size), np.uint8)
        _check("Crop.box", self.box, (4,), np.float32)
