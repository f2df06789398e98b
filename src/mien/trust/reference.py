"""The answers that a calibration was fitted on, kept beside it: what any other mix of emotions is worked out from.

``reference.npz`` holds, of every network family and source, the logits (float16) and labels (uint8) of the fitting
faces: no picture, no name. From them come prediction sets and trust tables for any mix, and the estimate of a mix.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.errors import ModelError
from mien.jobs.files import replacing
from mien.trust.folder import SHIPPED, fitted_bytes
from mien.types import N_EMOTIONS, Float32

FILE_NAME = "reference.npz"

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ReferenceAnswers:
    """Answers of one source for labelled faces.

    Attributes:
        logits: float32 [N, 8].
        labels: int64 [N], position of the right emotion.
    """

    logits: Float32
    labels: Labels


def read_reference(folder: Path | str | None, network: str) -> dict[str, ReferenceAnswers]:
    """Reference answers of a network family, by source.

    Args:
        folder: of models; None is the one shipped in the package.
        network: the family's name.

    Raises:
        ModelError: there are none, or the file is damaged.
    """
    path = (SHIPPED if folder is None else Path(folder).expanduser()) / FILE_NAME
    content = io.BytesIO(fitted_bytes(path.parent, path.name))
    try:
        with np.load(content, allow_pickle=False) as kept:
            names = sorted({key.split("/")[1] for key in kept.files if key.startswith(f"{network}/")})
            found = {name: _answers(kept, f"{network}/{name}") for name in names}
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is damaged ({error}): make it again with  mien calibrate") from error
    if not found:
        raise ModelError(f"{path} holds nothing for the network {network!r}: make it with  mien calibrate")
    return found


def write_reference(folder: Path, networks: Mapping[str, Mapping[str, ReferenceAnswers]]) -> None:
    """Write the reference answers of every network family; the file is there as a whole or not at all."""
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for network, sources in networks.items():
        for source, answers in sources.items():
            arrays[f"{network}/{source}/logits"] = np.clip(answers.logits, -6e4, 6e4).astype(np.float16)
            arrays[f"{network}/{source}/labels"] = answers.labels.astype(np.uint8)
    with replacing(folder / FILE_NAME) as scratch:
        np.savez_compressed(scratch, **arrays)  # type: ignore[arg-type]


def _answers(kept: Mapping[str, npt.NDArray[np.generic]], key: str) -> ReferenceAnswers:
    logits, labels = kept[f"{key}/logits"].astype(np.float32), kept[f"{key}/labels"].astype(np.int64)
    if logits.shape != (len(labels), N_EMOTIONS) or not len(labels) or labels.max() >= N_EMOTIONS:
        raise ValueError(f"{key} has the wrong shape")
    return ReferenceAnswers(logits, labels)
