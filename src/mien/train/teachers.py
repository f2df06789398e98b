"""Teachers: what finished networks say of the training faces, kept as soft targets for another. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mien.data.cache import FaceCache, crops_of
from mien.errors import UsageError
from mien.jobs.files import hash_of, replace_json, replacing
from mien.train.batches import part_bits
from mien.train.networks import predict
from mien.train.runs import Trained, load
from mien.types import AREAS, N_EMOTIONS, Area, Float32

PIECE = 2048
"""Faces predicted at a time; bounds the memory of their crops."""


def write_teacher(
    cache: FaceCache, runs: Sequence[Path | str], area: Area | None, folder: Path, say: Callable[[str], None] = print
) -> Path:
    """The mean log probability of several networks for every training face, mirror images averaged.

    Args:
        cache: the data set that the student will see.
        runs: folders of finished trainings; those that do not answer for an area are left out there.
        area: the student's area; None is all seven.
        folder: gets ``teacher-KEY.npy`` (float32 [N, 1, 8], or [N, 7, 8] in the order of AREAS; rows of other splits
            are 0) and ``teacher-KEY.json``; a file that is there is not made again.
        say: gets a line a network and area.

    Returns:
        The ``.npy`` file, for ``TrainConfig.teacher``.

    Raises:
        ModelError: a run is not finished.
        UsageError: no run answers for a needed area.
    """
    teachers = [load(run) for run in runs]
    areas = AREAS if area is None else (area,)
    for needed in areas:
        if not any(needed in teacher.config.areas for teacher in teachers):
            raise UsageError(f"no teacher answers for {needed.words}")
    made_of = {
        "cache": cache.folder.name,
        "areas": [a.value for a in areas],
        "runs": sorted(teacher.name for teacher in teachers),
    }
    path = folder / f"teacher-{hash_of(made_of)}.npy"
    if path.is_file():
        return path
    rows, out = cache.rows("train"), np.zeros((len(cache.index), len(areas), N_EMOTIONS), np.float32)
    for column, needed in enumerate(areas):
        heard = [teacher for teacher in teachers if needed in teacher.config.areas]
        for teacher in heard:
            say(f"{teacher.name} says {needed.words}")
            out[rows, column] += _log_probabilities(cache, rows, teacher, needed) / len(heard)
    replace_json(path.with_suffix(".json"), made_of)
    with replacing(path) as scratch:
        np.save(scratch, out)
    return path


def _log_probabilities(cache: FaceCache, rows: npt.NDArray[np.int64], teacher: Trained, area: Area) -> Float32:
    found: list[Tensor] = []
    for start in range(0, len(rows), PIECE):
        crops = crops_of(cache, rows[start : start + PIECE], area, teacher.config.final_spec)
        mirrored = crops[:, :, ::-1].copy()
        found.append((_answers(teacher, crops, area) + _answers(teacher, mirrored, area)) / 2)
    return np.asarray(torch.cat(found).log_softmax(dim=1).numpy(), np.float32)


def _answers(teacher: Trained, crops: npt.NDArray[np.uint8], area: Area) -> Tensor:
    parts = part_bits([area]).expand(len(crops), 3)
    return predict(teacher.network, torch.from_numpy(crops), parts)
