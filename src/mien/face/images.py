"""A picture, in whatever form it comes -> upright RGB, within limits. Nothing is stored, nothing leaves the machine.

Sources: a path, the bytes of a file, a binary file object, a numpy array, or a Pillow image. Bytes are read by
:mod:`mien.face.decoding`.

===============  ==================================================================================================
16 bits          scaled to 8 (divided by 257)
alpha            laid over white
grey             repeated in three channels
EXIF             the orientation is applied, so that the face stands upright
more pictures    the first frame or page
float arrays     in 0..1 (but for rounding), scaled to 0..255; any other range is refused, since its white is unknown
Pillow's "I"     32-bit numbers: of 8 bits where none is above 255, else of 16
===============  ==================================================================================================
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.errors import ImageError, path_of, writable
from mien.face import decoding, formats
from mien.face.limits import DEFAULT_LIMITS, Limits
from mien.types import UInt8

ImageSource = Path | str | bytes | bytearray | memoryview | IO[bytes] | npt.NDArray[Any] | Any
"""Path, file content, binary file object, array or Pillow image; see :func:`load`."""


def load(source: ImageSource, limits: Limits = DEFAULT_LIMITS) -> UInt8:
    """Read a picture.

    Args:
        source: a path (str or Path), the content of a file (bytes), a binary file object, a Pillow image, or an array:
            uint8 or uint16 [H, W], [H, W, 1], [H, W, 3] (RGB) or [H, W, 4] (RGB and alpha), or float in 0..1.
        limits: what is refused as too large.

    Returns:
        uint8 [H, W, 3], RGB, upright, values in 0..255.

    Raises:
        ImageError: it is missing, unreadable, empty, truncated, too large, or of no known format or array form; the
            message is one sentence without the source's name, except for a path.
    """
    if isinstance(source, str | Path):
        try:
            return _decoded(_content(source, limits), limits)
        except ImageError as error:
            raise ImageError(f"{writable(source)}: {error}") from None
    if isinstance(source, bytes | bytearray | memoryview):
        return _decoded(bytes(source), limits)
    if isinstance(source, np.ndarray):
        return _from_array(source, limits)
    if hasattr(source, "convert") and hasattr(source, "mode"):
        return _from_pillow(source, limits)
    if hasattr(source, "read"):
        return _decoded(_read(source, limits), limits)
    raise ImageError(f"expected a path, bytes, an array or a Pillow image, got {type(source).__name__}")


def to_gray(image: UInt8) -> UInt8:
    """uint8 [H, W, 3] RGB -> uint8 [H, W] luma (ITU-R 601), what detectors and networks see."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def save(image: UInt8, path: Path | str) -> None:
    """Write a picture in the format its file name ends with.

    Args:
        image: uint8 [H, W, 3], RGB.
        path: ends with one of ``formats.SAVE_SUFFIXES``.

    Raises:
        ImageError: the ending is unknown or the file cannot be written.
    """
    path = path_of(path)
    encoding = formats.SAVE_SUFFIXES.get(path.suffix.lower())
    if encoding is None:
        known = ", ".join(sorted(formats.SAVE_SUFFIXES))
        raise ImageError(f"{writable(path)}: a picture is saved under a name that ends with one of {known}")
    try:
        _, coded = cv2.imencode(encoding, np.ascontiguousarray(image[..., ::-1]))
    except cv2.error:
        height, width = image.shape[:2]
        raise ImageError(f"{writable(path)}: {width} x {height} pixels cannot be saved in this format") from None
    try:
        path.write_bytes(coded.tobytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{writable(path)}: cannot be written ({reason})") from None


def _content(source: Path | str, limits: Limits) -> bytes:
    if not str(source):
        raise ImageError("an empty name is no picture")
    path = path_of(source)
    try:
        with _opened(path) as file:
            return _read(file, limits)
    except FileNotFoundError:
        raise ImageError("no such file") from None
    except PermissionError:
        raise ImageError("may not be read (permission denied)") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"cannot be read ({reason})") from None


def _opened(path: Path) -> IO[bytes]:
    """Open a file, and nothing that would wait for a writer or never end; a shell's own ``<(...)`` is fine."""
    kind = path.stat().st_mode
    if stat.S_ISDIR(kind):
        raise ImageError("is a folder, not a picture")
    if not stat.S_ISREG(kind) and not (stat.S_ISFIFO(kind) and _is_descriptor(path)):
        raise ImageError("is a device or a named pipe, not a file")
    return path.open("rb")


def _is_descriptor(path: Path) -> bool:
    return path.as_posix() == "/dev/stdin" or path.parent.as_posix() in ("/dev/fd", "/proc/self/fd")


def _read(file: IO[bytes], limits: Limits) -> bytes:
    """At most one byte more than the limit allows."""
    data = file.read(limits.bytes + 1)
    if isinstance(data, str):
        raise ImageError("the file object gives text: open it in binary mode, 'rb'")
    return data


def _decoded(data: bytes, limits: Limits) -> UInt8:
    if not data:
        raise ImageError("the file is empty")
    if len(data) > limits.bytes:
        raise ImageError(f"the file is larger than {limits.bytes / 1e6:g} MB, the limit")
    return decoding.decode(data, limits.pixels)


def _from_array(array: npt.NDArray[Any], limits: Limits) -> UInt8:
    shaped = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if shaped.ndim not in (2, 3) or (shaped.ndim == 3 and shaped.shape[2] not in (3, 4)):
        raise ImageError(f"expected an array [H, W], [H, W, 3] (RGB) or [H, W, 4] (RGBA), got {list(array.shape)}")
    if shaped.size == 0:
        raise ImageError(f"the array is empty: {list(array.shape)}")
    decoding.check_pixels(shaped.shape[1], shaped.shape[0], limits.pixels)
    return decoding.to_rgb(shaped)


def _from_pillow(image: Any, limits: Limits) -> UInt8:
    width, height = image.size
    decoding.check_pixels(width, height, limits.pixels)
    if width * height == 0:
        raise ImageError(f"the Pillow image is empty: {width} x {height}")
    try:
        return decoding.from_pillow(image)
    except ImageError:
        raise
    except Exception as error:  # a lazily opened file is decoded here: see decoding.decode
        raise ImageError(f"the Pillow image cannot be read ({error})") from None


__all__ = ["DEFAULT_LIMITS", "ImageSource", "Limits", "load", "save", "to_gray"]
