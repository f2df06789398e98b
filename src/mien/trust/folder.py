"""A folder of models: its manifest, typed, with one reader and one writer.

``manifest.json``::

    {
      "version": "...", "dataset": "ferplus", "default": "resnet",
      "networks": {
        "resnet": {"mouth": ENTRY, ..., "whole_face": ENTRY},      (all seven name one file)
        "vgg":    {"mouth": ENTRY, ..., "whole_face": ENTRY}
      },
      "visualisation": ENTRY,                                      (may be absent)
      "face_size_range": [24, 512],                                (pixels for which accuracy was measured)
      "fitted": {"calibration.json": SHA256, ...}                  (files that ``mien calibrate`` wrote)
    }
    ENTRY = {"file": "vgg-mouth.onnx", "sha256": "...", "spec": "box-one-padded-64-face44", "flip": true,
             "logit_bias": [8 numbers], "thresholds": {...}, and how it came about: "run", "training", "curve", ...}

``flip`` averages the logits of a crop and its mirror image; ``logit_bias`` (logit adjustment for rare emotions; zeros
where none) is added where it changes the emotion said, see :func:`mien.trust.models.with_bias`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import ModelError, NotCalibratedError
from mien.face.spec import CropSpec
from mien.jobs.files import replace_json
from mien.types import AREAS, N_EMOTIONS, Area, Float32

SHIPPED = Path(__file__).parents[1] / "models"
MANIFEST = "manifest.json"
FITTED_FILES = ("calibration.json", "fusion.json", "reference.npz")
"""What answers read of what ``mien calibrate`` fits; the manifest keeps their hashes."""
VERSION = "0.1.0"
"""Of a folder that is begun now."""

_READ_BY_MIEN = ("file", "sha256", "spec", "flip", "logit_bias", "thresholds")


@dataclass(frozen=True)
class ModelEntry:
    """One network file and how it is used.

    Attributes:
        path: the ONNX file.
        sha256: of the file, hexadecimal.
        spec: how its crops are cut.
        flip: average with the mirror image.
        logit_bias: float32 [8], for :func:`mien.trust.models.with_bias`.
        thresholds: by piece of the face, the share from which it counts as hidden; of a network that says so.
        record: how it came about, JSON-like: precision, run, command, teachers, commit, training, curve, ...; nothing
            that answers reads it.
    """

    path: Path
    sha256: str
    spec: CropSpec
    flip: bool = False
    logit_bias: Float32 = field(default_factory=lambda: np.zeros(N_EMOTIONS, np.float32))
    thresholds: Mapping[str, float] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, folder: Path, values: Mapping[str, Any]) -> ModelEntry:
        """Read a manifest's ENTRY.

        Raises:
            ModelError: a key is missing, or a value is none.
        """
        try:
            return cls(
                folder / values["file"],
                str(values["sha256"]),
                CropSpec.from_key(values["spec"]),
                bool(values.get("flip", False)),
                np.asarray(values.get("logit_bias", [0.0] * N_EMOTIONS), np.float32).reshape(N_EMOTIONS),
                {str(piece): float(share) for piece, share in values.get("thresholds", {}).items()},
                {name: value for name, value in values.items() if name not in _READ_BY_MIEN},
            )
        except KeyError as error:
            raise ModelError(f"{folder / MANIFEST}: an entry lacks {error}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"{folder / MANIFEST}: an entry is damaged ({error})") from error

    def to_dict(self) -> dict[str, Any]:
        """Inverse of :meth:`from_dict`."""
        thresholds = {"thresholds": dict(self.thresholds)} if self.thresholds else {}
        return {
            "file": self.path.name, "sha256": self.sha256, "spec": self.spec.key, "flip": self.flip,
            "logit_bias": [round(float(value), 5) for value in self.logit_bias], **thresholds, **self.record,
        }  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """What a folder of models holds.

    Attributes:
        folder: of the models.
        version: of the folder.
        dataset: the networks were trained on.
        default: the network family that answers where none is named.
        networks: the entry of each area, by network family.
        visualisation: the visualisation network; None where there is none.
        face_size_range: smallest and largest ``Face.size`` in pixels for which accuracy was measured; None where it
            was not.
        fitted: SHA-256 of each file that ``mien calibrate`` wrote, by its name.
    """

    folder: Path
    version: str = VERSION
    dataset: str = ""
    default: str = ""
    networks: Mapping[str, Mapping[Area, ModelEntry]] = field(default_factory=dict)
    visualisation: ModelEntry | None = None
    face_size_range: tuple[float, float] | None = None
    fitted: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a folder, with a default and at least one network of areas that are known.

        Raises:
            ModelError: it is missing or damaged.
        """
        try:
            return _parsed(folder, (folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"no models in {folder}: {MANIFEST} cannot be read ({error})") from error

    @classmethod
    def from_dict(cls, folder: Path, values: Any) -> Manifest:
        """Inverse of :meth:`to_dict`; raises as :meth:`read` does."""
        networks = values.get("networks") if isinstance(values, dict) else None
        known = {area.value for area in AREAS}
        if (
            not isinstance(networks, dict)
            or not isinstance(values.get("default"), str)
            or not networks
            or not all(isinstance(of, dict) and of and of.keys() <= known for of in networks.values())
        ):
            raise ModelError(f"no models in {folder}: {MANIFEST} is damaged (it names no networks by area)")
        sizes, seen = values.get("face_size_range"), values.get("visualisation")
        try:
            return cls(
                folder, str(values.get("version", "")), str(values.get("dataset", "")), values["default"],
                {
                    name: {area: ModelEntry.from_dict(folder, of[area.value]) for area in AREAS if area.value in of}
                    for name, of in networks.items()
                },
                None if seen is None else ModelEntry.from_dict(folder, seen),
                None if sizes is None else (float(sizes[0]), float(sizes[1])),
                {str(name): str(digest) for name, digest in values.get("fitted", {}).items()},
            )  # fmt: skip
        except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            raise ModelError(f"no models in {folder}: {MANIFEST} is damaged ({error})") from error

    @classmethod
    def of(cls, folder: Path) -> Manifest:
        """The folder's manifest, or that of a folder that is begun now."""
        return cls.read(folder) if (folder / MANIFEST).is_file() else cls(folder)

    def to_dict(self) -> dict[str, Any]:
        """JSON-like values."""
        sizes = {} if self.face_size_range is None else {"face_size_range": list(self.face_size_range)}
        return {
            "version": self.version, "dataset": self.dataset, "default": self.default,
            "networks": {
                name: {area.value: entry.to_dict() for area, entry in of.items()} for name, of in self.networks.items()
            },
            **({} if self.visualisation is None else {"visualisation": self.visualisation.to_dict()}),
            **sizes,
            **({"fitted": dict(self.fitted)} if self.fitted else {}),
        }  # fmt: skip

    def write(self) -> None:
        """Write it: the file is there whole, or as it was before."""
        replace_json(self.folder / MANIFEST, self.to_dict())

    def with_entries(self, network: str, entries: Mapping[Area, ModelEntry]) -> Manifest:
        """The same with these entries of a network family in place of those it had."""
        of = {**self.networks.get(network, {}), **entries}
        ordered = {area: of[area] for area in AREAS if area in of}
        return replace(self, networks={**self.networks, network: ordered})

    def with_fitted(self, names: Iterable[str]) -> Manifest:
        """The same with the hashes of these files, as they are now; of a file that is not there, none."""
        kept = {name: digest for name, digest in self.fitted.items() if name not in set(names)}
        new = {name: _digest((self.folder / name).read_bytes()) for name in names if (self.folder / name).is_file()}
        return replace(self, fitted=kept | new)


@lru_cache(maxsize=4)
def _parsed(folder: Path, text: str) -> Manifest:
    """A folder's manifest is read for the networks and again for each fitted file, and seldom changes in between."""
    return Manifest.from_dict(folder, json.loads(text))


def fitted_bytes(folder: Path, name: str) -> bytes:
    """Content of a file that ``mien calibrate`` wrote, checked against the manifest beside it.

    Args:
        folder: of models; one without a manifest holds what was fitted alone, and nothing is checked.
        name: of the file.

    Raises:
        NotCalibratedError: it is not there, and the manifest does not say that it should be.
        ModelError: it is missing though the manifest names it, cannot be read, or is not the one that was written.
    """
    path = folder / name
    wanted = Manifest.read(folder).fitted.get(name) if (folder / MANIFEST).is_file() else None
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        if wanted is None:
            raise NotCalibratedError(f"{path} does not exist: make it with  mien calibrate") from error
        raise ModelError(
            f"{path} is missing, though {MANIFEST} names it: make it again with  mien calibrate"
        ) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): make it again with  mien calibrate") from error
    if wanted is not None and _digest(content) != wanted:
        raise ModelError(
            f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}: make it again with  mien calibrate"
        )
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
