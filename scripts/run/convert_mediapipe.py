"""Make the ONNX networks that find faces and their mesh from MediaPipe's TFLite files.

    pip install tflite flatbuffers onnx
    python scripts/run/convert_mediapipe.py FOLDER_OF_TFLITE src/mien/face/networks

Every network then takes ``image``, uint8 [N, side, side, 3], RGB, N free; scaling to the values the network was
trained with is its first node. Weights stay in half precision where the original's are (ONNX Runtime widens them when
it loads the file). The check that both files answer the same is tests/face/test_detect.py (OpenCV runs the TFLite).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

OPERATORS = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
TYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
    tflite.TensorType.INT8: np.int8,
    tflite.TensorType.UINT8: np.uint8,
}


@dataclass(frozen=True)
class Network:
    """One TFLite file, the ONNX file made of it, and its two outputs in the original's order."""

    source: str
    target: str
    scale: float
    offset: float
    outputs: tuple[str, str]
    inner: tuple[tuple[int, str], ...] = ()
    """More outputs: a tensor of the original, and its name."""


NETWORKS = (
    Network(
        "face_detection_short_range.tflite",
        "blazeface_short.onnx",
        1 / 127.5,
        -1.0,
        ("boxes", "scores"),
        ((157, "cells"),),
    ),
    Network("face_detection_back.tflite", "blazeface_back.onnx", 1 / 127.5, -1.0, ("boxes", "scores")),
    Network("face_landmark.tflite", "face_mesh.onnx", 1 / 255, 0.0, ("mesh", "presence"), ((205, "features"),)),
)
EIGHT = 8
"""ONNX Runtime's fast layout holds channels in blocks of so many: planes between convolutions are filled up with zeros
to a multiple of it, and what that layout does not know (a PReLU, a change of the number of channels) is written as
convolutions. Measured on one AVX2 core: the mesh 6.1 -> 2.2 ms, short range 2.6 -> 1.5 ms."""


class Converter:
    """Walks through a TFLite graph once and writes the same graph in ONNX; pictures lie channels first there."""

    def __init__(self, data: bytes, network: Network) -> None:
        self.model = tflite.Model.GetRootAsModel(data, 0)
        self.graph = self.model.Subgraphs(0)
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[int, np.ndarray] = {}
        self.initializers: dict[str, onnx.TensorProto] = {}

    # -- what the TFLite file says -------------------------------------------------------------------------------
    def shape(self, tensor: int) -> list[int]:
        """Of a tensor."""
        return [int(n) for n in self.graph.Tensors(tensor).ShapeAsNumpy()]

    def constant(self, tensor: int) -> np.ndarray | None:
        """A tensor's values, where they stand in the file."""
        if tensor in self.constants:
            return self.constants[tensor]
        described = self.graph.Tensors(tensor)
        data = self.model.Buffers(described.Buffer()).DataAsNumpy()
        if not isinstance(data, np.ndarray) or described.Sparsity() is not None:
            return None
        return data.view(TYPES[described.Type()]).reshape(self.shape(tensor))

    # -- what the ONNX file gets ---------------------------------------------------------------------------------
    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """A node; returns the name of its output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def store(self, name: str, values: np.ndarray) -> str:
        """A constant; half precision ones are widened in the graph."""
        values = np.ascontiguousarray(values)
        self.initializers[name] = numpy_helper.from_array(values, name)
        return name if values.dtype != np.float16 else self.add("Cast", [name], name + "_32", to=TensorProto.FLOAT)

    def name(self, tensor: int) -> str:
        """Name of a tensor; a constant of rank four is laid channels first."""
        values = self.constant(tensor)
        if values is None:
            return f"t{tensor}"
        if f"c{tensor}" in self.initializers:
            return f"c{tensor}" + ("_32" if values.dtype == np.float16 else "")
        return self.store(f"c{tensor}", values.transpose(0, 3, 1, 2) if values.ndim == 4 else values)

    def run(self) -> onnx.ModelProto:
        """The whole network."""
        image = int(self.graph.Inputs(0))
        side = self.shape(image)[1]
        self.store("scale", np.float32(self.network.scale).reshape(()))
        self.store("offset", np.float32(self.network.offset).reshape(()))
        self.add("Transpose", ["image"], "planes", perm=[0, 3, 1, 2])
        self.add("Cast", ["planes"], "values", to=TensorProto.FLOAT)
        self.add("Mul", ["values", "scale"], "scaled")
        self.add("Add", ["scaled", "offset"], f"t{image}")
        for number in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(number)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            kind = OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            HANDLERS[kind](self, operator)
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *self._finish(tensor, name)])
            for name, tensor in self._outputs()
        ]
        pictures = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", side, side, 3])
        graph = helper.make_graph(self.nodes, "mien", [pictures], outputs, list(self.initializers.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        model.producer_name = "convert_mediapipe"
        model.doc_string = f"MediaPipe's {self.network.source} (Google, Apache-2.0), converted"
        onnx.checker.check_model(model, full_check=True)
        return model

    def _outputs(self) -> list[tuple[str, int]]:
        own = zip(self.network.outputs, (int(i) for i in self.graph.OutputsAsNumpy()), strict=True)
        return [*own, *((name, tensor) for tensor, name in self.network.inner)]

    def _finish(self, tensor: int, name: str) -> list[int]:
        """Last node of an output: drop what has one element only; returns the output's shape a picture."""
        shapes = {"boxes": [-1, 16], "scores": [-1], "mesh": [468, 3], "presence": [], "features": [288]}
        shape = {**shapes, "cells": [96, 8, 8]}[name]
        self.store(name + "_shape", np.array([0, *shape] if name != "presence" else [-1], np.int64))
        self.add("Reshape", [f"t{tensor}", name + "_shape"], name)
        return [n if n > 0 else self.shape(tensor)[1] for n in shape]


def _options(operator: Any, kind: Any) -> Any:
    options, table = kind(), operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options


def _activated(converter: Converter, name: str, output: int, activation: int) -> None:
    kinds = {tflite.ActivationFunctionType.NONE: "Identity", tflite.ActivationFunctionType.RELU: "Relu"}
    if activation == tflite.ActivationFunctionType.RELU6:
        limits = [converter.store(f"clip{output}_{i}", np.float32(v).reshape(())) for i, v in enumerate((0, 6))]
        converter.add("Clip", [name, *limits], f"t{output}")
    else:
        converter.add(kinds[activation], [name], f"t{output}")


def _same_pads(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _pads(converter: Converter, options: Any, source: int, kernel: tuple[int, int]) -> list[int]:
    if options.Padding() == tflite.Padding.VALID:
        return [0, 0, 0, 0]
    _, height, width, _ = converter.shape(source)
    top, bottom = _same_pads(height, kernel[0], options.StrideH())
    left, right = _same_pads(width, kernel[1], options.StrideW())
    return [top, left, bottom, right]


def _filled(channels: int) -> int:
    """Channels of a plane in the ONNX file; the picture, heads and outputs keep theirs."""
    return -(-channels // EIGHT) * EIGHT if channels >= 2 * EIGHT else channels


def _zeros_to(values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Zeros after the end of the first axes."""
    return np.pad(values, [(0, size - n) for size, n in zip(sizes, values.shape, strict=False)]
                  + [(0, 0)] * (values.ndim - len(sizes)))  # fmt: skip


def _convolution(converter: Converter, operator: Any) -> None:
    _convolve(converter, operator, tflite.Conv2DOptions, (0, 3, 1, 2), depthwise=False)


def _depthwise(converter: Converter, operator: Any) -> None:
    _convolve(converter, operator, tflite.DepthwiseConv2DOptions, (3, 0, 1, 2), depthwise=True)


def _convolve(converter: Converter, operator: Any, kind: Any, order: tuple[int, ...], *, depthwise: bool) -> None:
    options = _options(operator, kind)
    source, weight, *bias = (int(i) for i in operator.InputsAsNumpy())
    output = int(operator.Outputs(0))
    values, given = converter.constant(weight), [converter.constant(b) for b in bias if b >= 0]
    assert values is not None
    kernel = values.shape[1:3]
    laid = values.transpose(order)
    group = converter.shape(source)[3] if depthwise else 1
    last = output in converter.graph.OutputsAsNumpy()
    wide = (laid.shape[0] if last else _filled(laid.shape[0]), 1 if depthwise else _filled(laid.shape[1]))
    names = [converter.name(source), converter.store(f"w{weight}_{output}", _zeros_to(laid, wide))]
    names += [converter.store(f"b{weight}_{output}", _zeros_to(b, wide[:1])) for b in given if b is not None]
    assert options.DilationHFactor() == options.DilationWFactor() == 1
    converter.add(
        "Conv", names, f"conv{output}", kernel_shape=kernel, strides=[options.StrideH(), options.StrideW()],
        pads=_pads(converter, options, source, kernel), group=_filled(group),
    )  # fmt: skip
    _activated(converter, f"conv{output}", output, options.FusedActivationFunction())


def _addition(converter: Converter, operator: Any) -> None:
    options, output = _options(operator, tflite.AddOptions), int(operator.Outputs(0))
    converter.add("Add", [converter.name(int(i)) for i in operator.InputsAsNumpy()], f"add{output}")
    _activated(converter, f"add{output}", output, options.FusedActivationFunction())


def _relu(converter: Converter, operator: Any) -> None:
    converter.add("Relu", [converter.name(int(operator.Inputs(0)))], f"t{int(operator.Outputs(0))}")


def _prelu(converter: Converter, operator: Any) -> None:
    source, slope = (int(i) for i in operator.InputsAsNumpy())
    values, output = converter.constant(slope), int(operator.Outputs(0))
    assert values is not None
    slopes, name = values.reshape(-1, 1, 1, 1).astype(np.float32), converter.name(source)
    above = converter.add("Relu", [name], f"above{output}")
    parts = [
        converter.add("Conv", [part, converter.store(f"slope{output}_{n}", weights)], f"slope{output}_{n}_of",
                      kernel_shape=(1, 1), group=len(slopes))
        for n, (part, weights) in enumerate(((above, 1 - slopes), (name, slopes)))
    ]  # fmt: skip
    converter.add("Add", parts, f"t{output}")


def _pad(converter: Converter, operator: Any) -> None:
    source, amounts = (int(i) for i in operator.InputsAsNumpy())
    values, output = converter.constant(amounts), int(operator.Outputs(0))
    assert values is not None
    have, want = converter.shape(source)[-1], converter.shape(output)[-1]
    if want > have:
        assert np.count_nonzero(values) == 1, "channels after the last ones"
        same = np.eye(_filled(want), _filled(have), dtype=np.float32)
        same[have:] = 0
        weights = converter.store(f"same{output}", same[..., None, None])
        converter.add("Conv", [converter.name(source), weights], f"t{output}", kernel_shape=(1, 1))
        return
    ordered = values[[0, 3, 1, 2]].T.reshape(-1).astype(np.int64)
    converter.add("Pad", [converter.name(source), converter.store(f"pad{output}", ordered)], f"t{output}")


def _max_pool(converter: Converter, operator: Any) -> None:
    options = _options(operator, tflite.Pool2DOptions)
    source, kernel = int(operator.Inputs(0)), (options.FilterHeight(), options.FilterWidth())
    converter.add(
        "MaxPool", [converter.name(source)], f"t{int(operator.Outputs(0))}", kernel_shape=kernel,
        strides=[options.StrideH(), options.StrideW()], pads=_pads(converter, options, source, kernel),
    )  # fmt: skip


def _reshape(converter: Converter, operator: Any) -> None:
    source, output = int(operator.Inputs(0)), int(operator.Outputs(0))
    name = converter.name(source)
    if len(converter.shape(source)) == 4:
        name = converter.add("Transpose", [name], f"last{output}", perm=[0, 2, 3, 1])
    shape = converter.store(f"shape{output}", np.array([0, *_free_first(converter.shape(output)[1:])], np.int64))
    converter.add("Reshape", [name, shape], f"t{output}")


def _free_first(shape: list[int]) -> list[int]:
    return [-1, *shape[1:]]


def _concatenation(converter: Converter, operator: Any) -> None:
    options, output = _options(operator, tflite.ConcatenationOptions), int(operator.Outputs(0))
    rank = len(converter.shape(output))
    axis = options.Axis() % rank
    axis = {0: 0, 1: 2, 2: 3, 3: 1}[axis] if rank == 4 else axis
    converter.add("Concat", [converter.name(int(i)) for i in operator.InputsAsNumpy()], f"t{output}", axis=axis)


def _dequantize(converter: Converter, operator: Any) -> None:
    values = converter.constant(int(operator.Inputs(0)))
    assert values is not None, "only constants are widened"
    converter.constants[int(operator.Outputs(0))] = values


HANDLERS: dict[str, Callable[[Converter, Any], None]] = {
    "ADD": _addition,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEQUANTIZE": _dequantize,
    "MAX_POOL_2D": _max_pool,
    "PAD": _pad,
    "PRELU": _prelu,
    "RELU": _relu,
    "RESHAPE": _reshape,
}


def main() -> None:
    """Convert every network of ``NETWORKS``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of the TFLite files")
    parser.add_argument("target", type=Path, help="folder for the ONNX files")
    arguments = parser.parse_args()
    arguments.target.mkdir(parents=True, exist_ok=True)
    for network in NETWORKS:
        model = Converter((arguments.source / network.source).read_bytes(), network).run()
        path = arguments.target / network.target
        onnx.save(model, path)
        print(f"{network.source} -> {path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
