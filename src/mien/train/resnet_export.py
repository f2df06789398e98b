"""The one network -> ONNX in a folder of models: int8, with the thresholds of what is hidden. Needs torch and onnx.

Nothing here reads the test split: quantiser's ranges come from training views, logit bias and thresholds from
validation faces.
"""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mien.data.cache import FaceCache
from mien.data.covered import CoveredFace
from mien.face.areas import PIECES
from mien.face.spec import CropSpec
from mien.jobs.checkout import commit
from mien.jobs.files import replace_file
from mien.train.export import Precision, biased, choose_bias, halve, quantise
from mien.train.resnet import FaceResNet
from mien.train.resnet_run import NAME, TrainedResNet, ViewData, made, plain_faces
from mien.trust.folder import Manifest, ModelEntry
from mien.trust.models import Models
from mien.types import AREAS, Area, Float32

FILE = f"{NAME}.onnx"
MOST_WRONG = 0.02
"""At most this share of the pieces that both looks by eye call visible may be said hidden, on validation."""
LEAST_THRESHOLD = 0.25
QUANTISED_FACES = 512
_OPSET = 17


@dataclass(frozen=True)
class Threshold:
    """The share from which a piece counts as hidden, and what that means on validation faces looked at by eye.

    Attributes:
        share: the threshold.
        found: share of hidden pieces said hidden.
        wrong: share of visible pieces said hidden.
        hidden, visible: how many there were.
    """

    share: float
    found: float
    wrong: float
    hidden: int
    visible: int


class _Exported(nn.Module):
    """Crops uint8 [N, S, S] -> logits [N, 8], hidden [N, 4] in 0..1."""

    def __init__(self, network: FaceResNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        logits, hidden = self.network(crops[:, None].float())
        return logits, hidden.sigmoid()


def to_onnx(network: FaceResNet, path: Path, side: int) -> None:
    """Write the network with a free batch dimension.

    Input ``crops`` uint8 [N, side, side]; outputs ``logits`` float32 [N, 8] and ``hidden`` float32 [N, 4], 0 to 1.
    """
    names = ["crops", "logits", "hidden"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of the fixed input size, and of its own deprecation
        torch.onnx.export(
            _Exported(network.eval().float()),
            (torch.randint(0, 256, (2, side, side), dtype=torch.uint8),),
            str(path),
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={name: {0: "batch"} for name in names},
            opset_version=_OPSET,
            dynamo=False,
        )


def export_resnet(
    trained: TrainedResNet,
    data: ViewData,
    out: Path,
    precision: Precision = "int8",
    flip: bool = True,
    command: str = "",
    covered: Mapping[str, CoveredFace] = {},
    again: Mapping[str, CoveredFace] = {},
    progress: Callable[[str], None] = print,
) -> None:
    """Write the network and its entries in the manifest; it becomes the folder's default.

    Args:
        trained: a finished training.
        data: what its views were made from.
        out: the models folder; what it already holds stays.
        precision: ``int8``, ``fp16`` or ``fp32``.
        flip: average with the mirror image.
        command: what was typed for the training, for the card.
        covered: validation faces looked at by eye, for the thresholds; empty leaves them at one half.
        again: the same, looked at a second time; where the two disagree a piece is left out.
        progress: gets one line a step.
    """
    out.mkdir(parents=True, exist_ok=True)
    cache, side = data.cache, trained.config.side
    digest = _write(trained, data, out / FILE, precision)
    progress(f"{FILE}: {precision}, {(out / FILE).stat().st_size / 1e6:.1f} MB")
    record = {
        "precision": precision, "run": trained.name, "command": command, "teachers": list(trained.config.teachers),
        "commit": commit() or "unknown", "training": trained.config.to_dict(), "curve": trained.curve,
    }  # fmt: skip
    spec = CropSpec(mask="aligned", size=side, sampling="cubic")
    entry = ModelEntry(out / FILE, digest, spec, flip, record=record)
    manifest = replace(Manifest.of(out), dataset=str(cache.index["dataset"].iloc[0]), default=NAME)
    manifest = manifest.with_entries(NAME, dict.fromkeys(AREAS, entry))
    manifest.write()
    manifest = _adjusted(manifest, cache, progress)
    thresholds = choose_thresholds(cache, Models(out, NAME), covered, again)
    shares = {piece: found.share for piece, found in thresholds.items()}
    seen = {"thresholds_on_validation": {piece: vars(found) for piece, found in thresholds.items()}}
    manifest = manifest.with_entries(NAME, {
        area: replace(of, thresholds=shares, record={**of.record, **seen})
        for area, of in manifest.networks[NAME].items()
    })  # fmt: skip
    for piece, found in thresholds.items():
        progress(f"{piece}: hidden from {found.share:.2f}: {found.found:.1%} of {found.hidden} hidden ones found, "
                 f"{found.wrong:.1%} of {found.visible} visible ones said hidden")  # fmt: skip
    manifest.write()


def choose_thresholds(
    cache: FaceCache,
    models: Models,
    covered: Mapping[str, CoveredFace],
    again: Mapping[str, CoveredFace] = {},
) -> dict[str, Threshold]:
    """For each piece the lowest share that says at most ``MOST_WRONG`` of the visible ones hidden; eyes share one."""
    ids = list(cache.index["id"])
    rows = np.array([row for row, name in enumerate(ids) if name in covered], np.int64)
    faces = plain_faces(cache, rows, models.entry(Area.WHOLE_FACE).spec.size) if len(rows) else None
    if faces is None:
        return {piece: Threshold(0.5, 0.0, 0.0, 0, 0) for piece in PIECES}
    _, said = models.one_pass(faces)
    found: dict[str, Threshold] = {}
    for pieces in (("right_eye", "left_eye"), ("nose",), ("mouth",)):
        values = [_values(piece, ids, rows, said, covered, again) for piece in pieces]
        hidden, visible = (np.concatenate([v[k] for v in values]) for k in (0, 1))
        share = max(LEAST_THRESHOLD, float(np.quantile(visible, 1 - MOST_WRONG)) + 1e-6) if len(visible) else 0.5
        share = round(min(share, 0.9), 3)
        for piece in pieces:
            found[piece] = Threshold(
                share, float((hidden >= share).mean()) if len(hidden) else 0.0,
                float((visible >= share).mean()) if len(visible) else 0.0, len(hidden), len(visible),
            )  # fmt: skip
    return {piece: found[piece] for piece in PIECES}


def _values(
    piece: str, ids: list[str], rows: npt.NDArray[np.int64], said: Float32,
    covered: Mapping[str, CoveredFace], again: Mapping[str, CoveredFace],
) -> tuple[Float32, Float32]:  # fmt: skip
    """What was said of pieces that are hidden, and of those that are visible, by both looks."""
    column, hidden, visible = list(PIECES).index(piece), [], []
    for place, row in enumerate(rows):
        first = covered[ids[row]].scores.get(piece)
        second = again[ids[row]].scores.get(piece) if ids[row] in again else first
        if first == second == 2:
            hidden.append(said[place, column])
        elif first == second == 0:
            visible.append(said[place, column])
    return np.array(hidden, np.float32), np.array(visible, np.float32)


def _adjusted(manifest: Manifest, cache: FaceCache, progress: Callable[[str], None]) -> Manifest:
    """Each area's logit bias from validation: every emotion is said."""
    from mien.measure.predictions import labels_of, logits_of, predict

    prior = cache.votes[cache.rows("train")].mean(axis=0)
    for area in AREAS:
        table = predict(cache, Models(manifest.folder, NAME), "validation", (area,))
        trade = choose_bias(logits_of(table), labels_of(table), prior)
        manifest = manifest.with_entries(NAME, {area: biased(manifest.networks[NAME][area], trade)})
        plain, chosen = trade.rows[0], trade.shipped
        progress(f"{NAME} {area.value}: validation accuracy {plain['accuracy']:.4f} -> {chosen['accuracy']:.4f}, "
                 f"macro recall {plain['macro_recall']:.4f} -> {chosen['macro_recall']:.4f}")  # fmt: skip
    manifest.write()
    return manifest


def _write(trained: TrainedResNet, data: ViewData, path: Path, precision: Precision) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "plain.onnx"
        to_onnx(trained.network, plain, trained.config.side)
        if precision == "int8":
            quantise(plain, path, _TrainingViews(trained, data), ["Conv"])
        else:
            if precision == "fp16":
                halve(plain)
            replace_file(path, plain.read_bytes())
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _TrainingViews:
    """onnxruntime's CalibrationDataReader over training views."""

    def __init__(self, trained: TrainedResNet, data: ViewData) -> None:
        self._feeds = self._feeds_of(trained, data)

    @staticmethod
    def _feeds_of(trained: TrainedResNet, data: ViewData) -> Iterator[dict[str, Any]]:
        batches = made(data, trained.config, [0, 0, 0])
        for _ in range(max(1, QUANTISED_FACES // trained.config.batch)):
            yield {"crops": next(batches)[0]}

    def get_next(self) -> dict[str, Any] | None:
        """Next feed, or None at the end."""
        return next(self._feeds, None)
