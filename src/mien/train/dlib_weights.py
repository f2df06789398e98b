"""dlib's face recognition network (CC0), read from its own file format: weights to start the one network from.

The file is dlib's serialisation of a nested C++ template. Every layer writes the layers below it first, so they stand
in the file from input to output. Integers are packed (a byte with sign bit 0x80 and the number of bytes, then little
endian), strings are a packed length and bytes, tensors are version 2, four packed sizes and little-endian float32.
Only convolutions (``con_4``) and affine layers (``affine_``) are read here.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.errors import ModelError
from mien.types import Float32

FILE = "dlib_face_recognition_resnet_model_v1.dat"
LAYERS = 29
"""Convolutions in the file, each followed by an affine layer."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution and the affine layer behind it: ``y = gamma * (weight * x + bias) + beta``.

    Attributes:
        weight: float32 [out, in, rows, columns].
        bias: float32 [out].
        gamma: float32 [out].
        beta: float32 [out].
    """

    weight: Float32
    bias: Float32
    gamma: Float32
    beta: Float32


def weights_file() -> Path:
    """The file inside the ``face_recognition_models`` package.

    Raises:
        ModelError: it is not installed.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError("dlib's face weights are missing: install them with  pip install face_recognition_models")
    path = Path(next(iter(spec.submodule_search_locations))) / "models" / FILE
    if not path.is_file():
        raise ModelError(f"dlib's face weights are missing: {path}")
    return path


def read_layers(path: Path) -> list[Layer]:
    """The convolutions with their affine layers, from input to output.

    Raises:
        ModelError: the file is not dlib's face recognition network.
    """
    data = path.read_bytes()
    convolutions: list[tuple[Float32, Float32]] = []
    affines: list[tuple[Float32, Float32]] = []
    try:
        for match in re.finditer(rb"\x01(?:\x05con_4|\x07affine_)", data):
            reader = _Reader(data, match.start())
            if reader.string() == "con_4":
                convolutions.append(_convolution(reader))
            else:
                affines.append(_affine(reader))
    except (ValueError, IndexError) as error:
        raise ModelError(f"{path} is not dlib's face recognition network ({error})") from error
    if len(convolutions) != LAYERS or len(affines) != LAYERS:
        raise ModelError(f"{path} is not dlib's face recognition network ({len(convolutions)} convolutions)")
    return [Layer(*convolution, *affine) for convolution, affine in zip(convolutions, affines, strict=True)]


class _Reader:
    """Reads dlib's serialisation from a position in a byte string."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def integer(self) -> int:
        head = self.data[self.at]
        size, negative = head & 0x0F, bool(head & 0x80)
        if head & 0x70 or not 1 <= size <= 8:
            raise ValueError(f"byte {self.at}: {head:#x} does not start an integer")
        value = int.from_bytes(self.data[self.at + 1 : self.at + 1 + size], "little")
        self.at += 1 + size
        return -value if negative else value

    def string(self) -> str:
        size = self.integer()
        self.at += size
        return self.data[self.at - size : self.at].decode("latin-1")

    def tensor(self) -> Float32:
        if (version := self.integer()) != 2:
            raise ValueError(f"tensor of version {version}")
        shape = tuple(self.integer() for _ in range(4))
        count = int(np.prod(shape))
        values = np.frombuffer(self.data, "<f4", count, self.at).reshape(shape)
        self.at += 4 * count
        return values

    def sizes(self) -> tuple[int, ...]:
        if (version := self.integer()) != 1:
            raise ValueError(f"sizes of version {version}")
        return tuple(self.integer() for _ in range(4))


def _convolution(reader: _Reader) -> tuple[Float32, Float32]:
    numbers = reader.tensor().ravel()
    filters, rows, columns, *_geometry = (reader.integer() for _ in range(7))
    shape, bias_shape = reader.sizes(), reader.sizes()
    count = int(np.prod(shape))
    if shape[0] != filters or shape[2:] != (rows, columns) or bias_shape != (1, filters, 1, 1):
        raise ValueError(f"a convolution of {shape} and {filters} filters")
    if len(numbers) != count + filters:
        raise ValueError(f"a convolution of {len(numbers)} numbers, expected {count + filters}")
    return numbers[:count].reshape(shape), numbers[count:]


def _affine(reader: _Reader) -> tuple[Float32, Float32]:
    numbers = reader.tensor().ravel()
    gamma, beta = reader.sizes(), reader.sizes()
    count = int(np.prod(gamma))
    if gamma != beta or len(numbers) != 2 * count:
        raise ValueError(f"an affine layer of {gamma} and {len(numbers)} numbers")
    return numbers[:count], numbers[count:]
