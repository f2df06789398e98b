"""Fixtures that many tests share: a photo of a face, and a folder of tiny networks with the shipped ones' interface."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.assets import SAMPLE
from mien.face import images
from mien.face.spec import ALIGNED_SPEC, CropSpec
from mien.trust.authenticity import Calibration, SourceCalibration, fingerprint
from mien.trust.fitted import write_fitted
from mien.trust.folder import FITTED_FILES, Manifest
from mien.trust.fusion import Fusion
from mien.trust.models import Models
from mien.trust.reference import ReferenceAnswers, write_reference
from mien.trust.sources import HIDDEN_SOURCES
from mien.types import AREAS, N_EMOTIONS, UInt8

signal.signal(signal.SIGINT, signal.default_int_handler)
"""Tests of Ctrl-C work too where the shell began the tests in the background, which ignores it."""


@pytest.fixture(scope="session")
def photo() -> UInt8:
    """uint8 [512, 512, 3], RGB: the bundled sample."""
    pixels = images.load(SAMPLE)
    pixels.flags.writeable = False
    return pixels


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with every part of a shipped one; the networks are random linear maps."""
    folder = tmp_path_factory.mktemp("models")
    build_tiny_models(folder)
    write_tiny_trust(folder)
    return folder


@pytest.fixture(scope="session")
def untrusted_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same networks, never calibrated, without visualisation network or one that sees what is hidden."""
    folder = tmp_path_factory.mktemp("untrusted")
    build_tiny_models(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["visualisation"], manifest["networks"]["resnet"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def build_tiny_models(folder: Path, seed: int = 0) -> None:
    """manifest.json and small ONNX files: three network families, visualisation."""
    generator = np.random.default_rng(seed)
    spec = CropSpec().key

    def entry(name: str, model: Any, spec: str = spec) -> dict[str, Any]:
        content = model.SerializeToString()
        (folder / name).write_bytes(content)
        return {"file": name, "sha256": hashlib.sha256(content).hexdigest(), "spec": spec, "flip": True,
                "logit_bias": [0.0] * N_EMOTIONS}  # fmt: skip

    vgg = {area.value: entry(f"vgg-{area.value}.onnx", _classifier(generator)) for area in AREAS}
    shared = entry("anyarea.onnx", _classifier(generator, parts=True))
    one = entry("resnet.onnx", _one_pass(generator), ALIGNED_SPEC.key)
    manifest = {
        "version": "tiny", "dataset": "random", "default": "anyarea",
        "networks": {"vgg": vgg, "anyarea": {area.value: shared for area in AREAS},
                     "resnet": {area.value: one for area in AREAS}},
        "visualisation": entry("densenet.onnx", _visualisation(generator)),
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))


def write_tiny_trust(folder: Path) -> None:
    """calibration.json and fusion.json that fit the folder's networks: temperature 1, judge = probability."""
    plain = SourceCalibration(
        "none", np.ones(8), np.zeros(8), 1.0, np.tile([0.01, 0.0, 0.001], (8, 1)), np.full(8, 50, np.int64),
        np.array([0.8, 0.9]), np.array([0.1, 0.05]),
    )  # fmt: skip
    calibrations, fusions = {}, {}
    for network in ("vgg", "anyarea", "resnet"):
        models = Models(folder, network)
        sources = {f"{kind}{area.value}": plain for area in AREAS for kind in ("", "fused_", "partial_")}
        sources |= dict.fromkeys(HIDDEN_SOURCES, plain)
        prints = {area.value: fingerprint(models, area) for area in AREAS}
        prior = np.full(8, 0.125, np.float32)
        calibrations[network] = Calibration("random", 100, prior, sources, prints).to_dict()
        fusions[network] = Fusion({}).to_dict()
    write_fitted(folder / "calibration.json", "anyarea", calibrations)
    write_fitted(folder / "fusion.json", "anyarea", fusions)
    write_reference(folder, {network: tiny_reference(c["sources"]) for network, c in calibrations.items()})
    Manifest.read(folder).with_fitted(FITTED_FILES).write()


def tiny_reference(sources: Iterable[str]) -> dict[str, ReferenceAnswers]:
    """Answers of 200 drawn faces a source, right more often than not."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, N_EMOTIONS, 200)
    logits = (2 * np.eye(N_EMOTIONS)[labels] + generator.standard_normal((200, N_EMOTIONS))).astype(np.float32)
    return dict.fromkeys(sources, ReferenceAnswers(logits, labels))


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any]) -> Any:
    from onnx import checker, helper, numpy_helper

    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return model


def _value(name: str, kind: str, shape: list[Any]) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape)


def _pooled(window: int) -> list[Any]:
    """crops uint8 [N, 64, 64] -> pooled float [N, 1, 64 / window, 64 / window] in 0..1."""
    from onnx import TensorProto, helper

    return [
        helper.make_node("Cast", ["crops"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "full"], ["scaled"]),
        helper.make_node("Unsqueeze", ["scaled", "one"], ["picture"]),
        helper.make_node("AveragePool", ["picture"], ["pooled"], kernel_shape=[window] * 2, strides=[window] * 2),
    ]


def _classifier(generator: np.random.Generator, parts: bool = False) -> Any:
    from onnx import helper

    nodes = [
        *_pooled(8),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["raw" if parts else "logits"]),
    ]
    inputs = [_value("crops", "UINT8", ["N", 64, 64])]
    constants = {
        "full": np.float32(255), "one": np.array([1], np.int64),
        "weight": generator.normal(0, 0.6, (64, 8)).astype(np.float32),
    }  # fmt: skip
    if parts:
        inputs.append(_value("parts", "FLOAT", ["N", 3]))
        constants["part_weight"] = generator.normal(0, 0.5, (3, 8)).astype(np.float32)
        nodes += [
            helper.make_node("MatMul", ["parts", "part_weight"], ["shift"]),
            helper.make_node("Add", ["raw", "shift"], ["logits"]),
        ]
    return _model(nodes, inputs, [_value("logits", "FLOAT", ["N", 8])], constants)


def _visualisation(generator: np.random.Generator) -> Any:
    """Class maps = weight x brightness; logits = their means + bias (the CAM identity holds)."""
    from onnx import helper

    nodes = [
        *_pooled(4),
        helper.make_node("Mul", ["pooled", "weight"], ["class_maps"]),
        helper.make_node("GlobalAveragePool", ["class_maps"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat_means"]),
        helper.make_node("Add", ["flat_means", "bias"], ["logits"]),
        helper.make_node("GlobalAveragePool", ["pooled"], ["feature"]),
        helper.make_node("Flatten", ["feature"], ["features"]),
    ]
    outputs = [
        _value("logits", "FLOAT", ["N", 8]), _value("class_maps", "FLOAT", ["N", 8, 16, 16]),
        _value("features", "FLOAT", ["N", 1]),
    ]  # fmt: skip
    constants = {
        "full": np.float32(255), "one": np.array([1], np.int64),
        "weight": generator.normal(0, 2, (1, 8, 1, 1)).astype(np.float32),
        "bias": generator.normal(0, 1, (1, 8)).astype(np.float32),
    }  # fmt: skip
    return _model(nodes, [_value("crops", "UINT8", ["N", 64, 64])], outputs, constants)


def _one_pass(generator: np.random.Generator) -> Any:
    """Aligned faces -> random linear logits; a piece is hidden as far as its corner of the face is not visible."""
    from onnx import TensorProto, helper

    nodes = [
        *_pooled(16),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["logits"]),
        helper.make_node("Greater", ["flat", "dark"], ["lit"]),
        helper.make_node("Cast", ["lit"], ["visible"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["visible", "where"], ["seen"]),
        helper.make_node("Sub", ["all", "seen"], ["hidden"]),
    ]
    where = np.zeros((49, 4), np.float32)
    for piece, cell in enumerate((15, 19, 24, 38)):
        where[cell, piece] = 0.9
    constants = {
        "full": np.float32(255), "one": np.array([1], np.int64), "dark": np.float32(0.02), "where": where,
        "all": np.full((1, 4), 0.95, np.float32), "weight": generator.normal(0, 0.6, (49, 8)).astype(np.float32),
    }  # fmt: skip
    outputs = [_value("logits", "FLOAT", ["N", 8]), _value("hidden", "FLOAT", ["N", 4])]
    return _model(nodes, [_value("crops", "UINT8", ["N", 112, 112])], outputs, constants)
