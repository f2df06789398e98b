"""Finished trainings -> a folder of ONNX models with manifest. Needs torch and onnx (extra ``train``).

The steps: export in fp32, quantise where asked (static int8, calibrated on training crops), choose each area's logit
bias (every emotion is said, on validation), write ``manifest.json``. Nothing here reads the test split.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mien.data.cache import FaceCache, crops_of
from mien.face.spec import CropSpec
from mien.jobs.checkout import commit
from mien.measure import metrics
from mien.measure.fit.bias import prior_bias, say_every
from mien.measure.predictions import labels_of, logits_of, predict
from mien.train.networks import to_onnx
from mien.train.runs import Trained
from mien.trust.folder import Manifest, ModelEntry
from mien.trust.models import Models
from mien.types import AREAS, PARTS, Area, Float32, Float64

Precision = Literal["fp32", "fp16", "int8"]

STRENGTHS = tuple(round(0.1 * step, 1) for step in range(11))
"""Strengths of logit adjustment whose accuracy and macro recall on validation stand in the model cards."""


@dataclass(frozen=True)
class ExportConfig:
    """How trainings become shipped models.

    Attributes:
        precision: of the area networks: ``fp32``, ``fp16`` or ``int8`` (static, per channel). The visualisation
            network is kept as ``fp16`` where the others are ``int8``.
        flip: average logits with the mirror image.
        strength: of logit adjustment towards rare emotions, 0 to 1. It is not chosen by validation: the best of eleven
            strengths there cost 1.7 points of the eyes' accuracy on test (docs/LOG.md, second session). Whatever it is,
            every emotion is said (``adjustment.say_every``).
    """

    precision: Precision = "int8"
    flip: bool = True
    strength: float = 0.0


def export(trained: Trained, path: Path, precision: Precision, cache: FaceCache) -> str:
    """Write one network as ONNX and return its SHA-256.

    Args:
        trained: a finished training.
        path: the ONNX file to write.
        precision: ``int8`` quantises convolutions and the classifier, normalisation stays in float; ``fp16`` keeps
            the weights in half precision and computes in fp32.
        cache: training crops for the quantiser's ranges.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if precision != "int8":
        to_onnx(trained.network, path, trained.config.final_spec.size)
        if precision == "fp16":
            halve(path)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            plain = Path(scratch) / "plain.onnx"
            to_onnx(trained.network, plain, trained.config.final_spec.size)
            quantise(plain, path, _CalibrationCrops(trained, cache), ["Conv", "MaxPool", "Gemm"])
    return hashlib.sha256(path.read_bytes()).hexdigest()


def halve(path: Path) -> None:
    """Keep the weights of an ONNX file as float16, each cast to float32 when the file is opened."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 64:
            name, kept = tensor.name, f"{tensor.name}_half"
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), kept))
            casts.append(helper.make_node("Cast", [kept], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)
    onnx.save(model, path)


def quantise(plain: Path, path: Path, feeds: Any, kinds: list[str]) -> None:
    """Static int8, per channel, of these kinds of nodes; ranges come from ``feeds`` (a CalibrationDataReader)."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = plain.with_name("ready.onnx")
    quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
    quantize_static(
        str(ready),
        str(path),
        feeds,
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=kinds,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )


class _CalibrationCrops:
    """onnxruntime's CalibrationDataReader over 512 training crops."""

    def __init__(self, trained: Trained, cache: FaceCache, faces: int = 512, batch: int = 64) -> None:
        rows = np.random.default_rng(0).permutation(cache.rows("train"))[:faces]
        spec = trained.config.final_spec
        anyarea = trained.config.network == "anyarea"
        self._feeds = self._feeds_of(cache, np.sort(rows), trained.config.areas, spec, anyarea, batch)

    @staticmethod
    def _feeds_of(
        cache: FaceCache,
        rows: npt.NDArray[np.int64],
        areas: tuple[Area, ...],
        spec: CropSpec,
        anyarea: bool,
        batch: int,
    ) -> Iterator[dict[str, Any]]:
        for start in range(0, len(rows), batch):
            area = areas[(start // batch) % len(areas)]
            crops = crops_of(cache, rows[start : start + batch], area, spec)
            feed: dict[str, Any] = {"crops": crops}
            if anyarea:
                bits = np.array([[float(p in area.parts) for p in PARTS]], np.float32)
                feed["parts"] = np.repeat(bits, len(crops), axis=0)
            yield feed

    def get_next(self) -> dict[str, Any] | None:
        """Next feed, or None at the end."""
        return next(self._feeds, None)


@dataclass(frozen=True)
class TradeOff:
    """Accuracy and macro recall on validation at each strength of logit adjustment, and what is shipped.

    Attributes:
        rows: one dict a strength: strength, accuracy, macro_recall, emotions_said (how many of the eight).
        strength: the shipped one.
        bias: float32 [8], added to the logits: that of the strength, and what makes every emotion be said.
        shipped: the same measures with ``bias``.
    """

    rows: list[dict[str, float]]
    strength: float
    bias: Float32
    shipped: dict[str, float]


def choose_bias(
    logits: Float32, labels: npt.NDArray[np.int64], prior: npt.NDArray[np.floating], strength: float = 0.0
) -> TradeOff:
    """Logit adjustment after training: of a given strength, then emotions said too seldom are raised on validation.

    Args:
        logits: float32 [N, 8] on validation, without bias.
        labels: int64 [N].
        prior: [8], share of each emotion in training.
        strength: 0 (none) to 1.
    """
    rows = [{"strength": s, **_measures_of(logits + prior_bias(prior, s), labels)} for s in STRENGTHS]
    bias = prior_bias(prior, strength)
    bias += say_every(logits + bias, labels)
    bias -= bias.mean()
    return TradeOff(rows, strength, bias.astype(np.float32), _measures_of(logits + bias, labels))


def _measures_of(logits: Float32 | Float64, labels: npt.NDArray[np.int64]) -> dict[str, float]:
    said = logits.argmax(axis=1)
    return {
        "accuracy": metrics.accuracy(labels, said).value, "macro_recall": metrics.macro_recall(labels, said),
        "emotions_said": float(len(np.unique(said))),
    }  # fmt: skip


def export_trainings(
    cache: FaceCache,
    trainings: list[Trained],
    out: Path,
    config: ExportConfig | None = None,
    progress: Callable[[str], None] = print,
    commands: Mapping[str, str] = {},
) -> Manifest:
    """Export trainings into a models folder, with each area's logit bias from validation.

    What the folder already holds for other areas and networks stays.

    Args:
        cache: the data set they were trained on.
        trainings: finished; a VGG for an area, a DenseNet for visualisation, or an any-area network.
        out: the models folder.
        config: how.
        progress: gets one line a step.
        commands: what was typed for a training, by its name; for the model cards.

    Returns:
        The manifest.
    """
    config = config or ExportConfig()
    out.mkdir(parents=True, exist_ok=True)
    manifest = replace(Manifest.of(out), dataset=str(cache.index["dataset"].iloc[0]))
    for trained in trainings:
        manifest = _added(manifest, cache, trained, config, commands.get(trained.name, ""), progress)
    manifest = replace(manifest, default=_default(manifest))
    manifest.write()
    for trained in trainings:
        if trained.config.network != "densenet":
            manifest = _adjusted(manifest, cache, trained, config, progress)
    manifest.write()
    return manifest


def _added(
    manifest: Manifest, cache: FaceCache, trained: Trained, config: ExportConfig, command: str,
    progress: Callable[[str], None],
) -> Manifest:  # fmt: skip
    network, out = trained.config.network, manifest.folder
    name = f"{network}.onnx" if network != "vgg" else f"vgg-{trained.config.area}.onnx"
    precision: Precision = "fp16" if (network, config.precision) == ("densenet", "int8") else config.precision
    digest = export(trained, out / name, precision, cache)
    progress(f"{name}: {precision}, {(out / name).stat().st_size / 1e6:.1f} MB")
    record = {
        "precision": precision, "run": trained.name, "command": command, "teachers": trained.teachers,
        "commit": commit() or "unknown", "training": trained.config.to_dict(), "curve": trained.curve,
    }  # fmt: skip
    spec, flip = trained.config.final_spec, config.flip and network != "densenet"
    entry = ModelEntry(out / name, digest, spec, flip, record=record)
    if network == "densenet":
        return replace(manifest, visualisation=entry)
    return manifest.with_entries(network, dict.fromkeys(trained.config.areas, entry))


def _adjusted(
    manifest: Manifest, cache: FaceCache, trained: Trained, config: ExportConfig, progress: Callable[[str], None]
) -> Manifest:
    network = trained.config.network
    prior = cache.votes[cache.rows("train")].mean(axis=0)
    models = Models(manifest.folder, network)
    for area in trained.config.areas:
        table = predict(cache, models, "validation", (area,))
        trade = choose_bias(logits_of(table), labels_of(table), prior, config.strength)
        manifest = manifest.with_entries(network, {area: biased(manifest.networks[network][area], trade)})
        plain, chosen = trade.rows[0], trade.shipped
        progress(
            f"{network} {area.value}: validation accuracy {plain['accuracy']:.4f} -> {chosen['accuracy']:.4f}, "
            f"macro recall {plain['macro_recall']:.4f} -> {chosen['macro_recall']:.4f} at strength {trade.strength}, "
            f"{chosen['emotions_said']:.0f} emotions said"
        )
    return manifest


def biased(entry: ModelEntry, trade: TradeOff) -> ModelEntry:
    """The entry with a logit bias, and what it trades for what on validation."""
    values = np.asarray(np.round(np.asarray(trade.bias, np.float64), 5), np.float32)
    kept = {"strength": trade.strength, "validation": trade.rows, "shipped": trade.shipped}
    return replace(entry, logit_bias=values, record={**entry.record, "trade_off": kept})


def _default(manifest: Manifest) -> str:
    """The default as it is where it answers every area; else the first family that does, else the first."""
    complete = [name for name, of in manifest.networks.items() if len(of) == len(AREAS)]
    if manifest.default in complete:
        return manifest.default
    return next(iter(complete or manifest.networks), "")
