"""A folder of models: its manifest and the entries in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import ModelError
from mien.face.spec import CropSpec
from mien.jobs.files import write_text
from mien.types import N_EMOTIONS, Float32

SHIPPED = Path(__file__).parents[1] / "models"


@dataclass(frozen=True)
class ModelEntry:
    """One network file and how it is used.

    Attributes:
        path: the ONNX file.
        sha256: of the file, hexadecimal.
        spec: how its crops are cut.
        flip: average with the mirror image.
        logit_bias: float32 [8], for :func:`with_bias`.
        thresholds: by piece of the face, the share from which it counts as hidden; of a network that says so.
    """

    path: Path
    sha256: str
    spec: CropSpec
    flip: bool
    logit_bias: Float32
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, folder: Path, values: Mapping[str, Any]) -> ModelEntry:
        """Read a manifest's ENTRY.

        Raises:
            ModelError: a key is missing.
        """
        try:
            bias = np.asarray(values.get("logit_bias", [0.0] * N_EMOTIONS), np.float32)
            spec = CropSpec.from_key(values["spec"])
            borders = {str(piece): float(share) for piece, share in values.get("thresholds", {}).items()}
            flip = bool(values.get("flip", False))
            return cls(folder / values["file"], values["sha256"], spec, flip, bias, borders)
        except KeyError as error:
            raise ModelError(f"{folder / 'manifest.json'}: an entry lacks {error}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"{folder / 'manifest.json'}: an entry is damaged ({error})") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """The folder's manifest, or a fresh one."""
    path = folder / "manifest.json"
    if path.is_file():
        manifest: dict[str, Any] = json.loads(path.read_text())
        return manifest
    return {"version": "1", "dataset": "", "default": "", "networks": {}}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest in one step."""
    write_text(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n")
