"""A picture, in whatever form it comes -> upright RGB, within limits. Nothing is stored, nothing leaves the machine.

Sources: a path, the bytes of a file, a binary file object, a numpy array, or a Pillow image (Pillow itself is not
needed).

===============  ==================================================================================================
16 bits          scaled to 8 (divided by 257)
alpha            laid over white
grey             repeated in three channels
EXIF             the orientation is applied, so that the face stands upright
more pictures    the first frame or page
float arrays     in 0..1, scaled to 0..255; any other range is refused, since its white is unknown
===============  ==================================================================================================
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.errors import ImageError
from mien.face import formats
from mien.types import UInt8

ImageSource = Path | str | bytes | bytearray | memoryview | IO[bytes] | npt.NDArray[Any] | Any
"""Path, file content, binary file object, array or Pillow image; see :func:`load`."""


@dataclass(frozen=True)
class Limits:
    """What is refused before it is decoded.

    Attributes:
        pixels: largest width x height.
        bytes: largest file.
    """

    pixels: int = 100_000_000
    bytes: int = 200_000_000


DEFAULT_LIMITS = Limits()


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
        path = Path(source).expanduser()
        try:
            return _decoded(_content(path, limits), limits)
        except ImageError as error:
            raise ImageError(f"{source}: {error}") from None
    if isinstance(source, bytes | bytearray | memoryview):
        return _decoded(bytes(source), limits)
    if isinstance(source, np.ndarray):
        return _from_array(source, limits)
    if hasattr(source, "convert") and hasattr(source, "mode"):
        return _from_pillow(source, limits)
    if hasattr(source, "read"):
        return _decoded(source.read(limits.bytes + 1), limits)
    raise ImageError(f"expected a path, bytes, an array or a Pillow image, got {type(source).__name__}")


def to_gray(image: UInt8) -> UInt8:
    """uint8 [H, W, 3] RGB -> uint8 [H, W] luma (ITU-R 601), what detectors and networks see."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def save(image: UInt8, path: Path | str) -> None:
    """Write a picture in the format its file name ends with.

    Args:
        image: uint8 [H, W, 3], RGB.
        path: ends with one of ``formats.SUFFIXES``.

    Raises:
        ImageError: the ending is unknown or the file cannot be written.
    """
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix not in formats.SUFFIXES:
        raise ImageError(f"{path}: a picture's file name ends with one of {', '.join(sorted(formats.SUFFIXES))}")
    _, coded = cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]))
    try:
        path.write_bytes(coded.tobytes())
    except OSError as error:
        raise ImageError(f"{path}: cannot be written ({error.strerror})") from None


def _content(path: Path, limits: Limits) -> bytes:
    try:
        if path.is_dir():
            raise ImageError("is a folder, not a picture")
        with path.open("rb") as file:
            return file.read(limits.bytes + 1)
    except FileNotFoundError:
        raise ImageError("no such file") from None
    except PermissionError:
        raise ImageError("may not be read (permission denied)") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"cannot be read ({reason})") from None


def _decoded(data: bytes, limits: Limits) -> UInt8:
    if not data:
        raise ImageError("the file is empty")
    if len(data) > limits.bytes:
        raise ImageError(f"the file is larger than {limits.bytes / 1e6:g} MB, the limit")
    name = formats.sniff(data)
    if name is None:
        raise ImageError(f"not a picture: mien reads {', '.join(formats.READ_FORMATS)}")
    if name not in formats.READ_FORMATS:
        kind = "a video" if name == "video" else f"in the {name} format"
        raise ImageError(f"it is {kind}: mien reads pictures as {', '.join(formats.READ_FORMATS)}")
    size = formats.dimensions(data, name)
    if size is None:
        raise ImageError(f"the {name} is damaged or truncated: its header holds no picture size")
    _check_pixels(size[0], size[1], limits)
    pixels = _pixels(data, name)
    if pixels is None:
        raise ImageError(f"the {name} is truncated or damaged")
    return _to_rgb(pixels, premultiplied=_is_premultiplied(data, name, pixels))


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        raise ImageError(f"{width} x {height} pixels are more than {limits.pixels / 1e6:g} million, the limit")


def _pixels(data: bytes, name: str) -> npt.NDArray[Any] | None:
    """RGB, RGBA or grey of any depth, upright; None where the decoder gives up.

    OpenCV turns a picture upright itself in IMREAD_COLOR, and every TIFF; that mode loses alpha and depth, which only
    the other formats can have.
    """
    buffer = np.frombuffer(data, np.uint8)
    try:
        with _silent():
            if name in ("JPEG", "BMP") or _is_cmyk(data, name):
                pixels = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
            elif name in ("PNG", "WebP"):
                pixels, kinds, blocks = cv2.imdecodeWithMetadata(buffer, flags=cv2.IMREAD_UNCHANGED)
                pixels = None if pixels is None else _upright(pixels, _orientation(kinds, blocks))
            else:
                pixels = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if pixels is None or pixels.size == 0:
        return None
    return pixels if pixels.ndim == 2 else _swapped(pixels)


def _swapped(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    code = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}.get(pixels.shape[2])
    return pixels[..., 0] if code is None else cv2.cvtColor(pixels, code)


@contextmanager
def _silent() -> Iterator[None]:
    """OpenCV logs what is wrong with a file; the user gets one sentence instead."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def _is_cmyk(data: bytes, name: str) -> bool:
    """Four inks are not three colours and alpha (photometric interpretation 5)."""
    return name == "TIFF" and formats.tiff_tags(data).get(formats.PHOTOMETRIC_TAG) == 5


def _is_premultiplied(data: bytes, name: str, pixels: npt.NDArray[Any]) -> bool:
    """libtiff multiplies 8-bit colours by alpha itself; deeper ones come as stored (1: associated alpha)."""
    if name != "TIFF":
        return False
    return pixels.dtype == np.uint8 or formats.tiff_tags(data).get(formats.EXTRA_SAMPLES_TAG) == 1


def _orientation(kinds: Any, blocks: Any) -> int:
    for kind, block in zip(np.ravel(kinds), blocks, strict=True):
        if kind == cv2.IMAGE_METADATA_EXIF:
            try:
                exif = np.ascontiguousarray(block).tobytes().removeprefix(b"Exif\x00\x00")
                return formats.tiff_tags(exif).get(formats.ORIENTATION_TAG, 1)
            except (struct.error, KeyError):
                return 1
    return 1


def _upright(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Undo an EXIF orientation (1..8): transpose, then mirror."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _from_array(array: npt.NDArray[Any], limits: Limits) -> UInt8:
    shaped = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if shaped.ndim not in (2, 3) or (shaped.ndim == 3 and shaped.shape[2] not in (3, 4)):
        raise ImageError(f"expected an array [H, W], [H, W, 3] (RGB) or [H, W, 4] (RGBA), got {list(array.shape)}")
    if shaped.size == 0:
        raise ImageError(f"the array is empty: {list(array.shape)}")
    _check_pixels(shaped.shape[1], shaped.shape[0], limits)
    return _to_rgb(shaped)


def _from_pillow(image: Any, limits: Limits) -> UInt8:
    width, height = image.size
    _check_pixels(width, height, limits)
    try:
        orientation = image.getexif().get(formats.ORIENTATION_TAG, 1)
        if image.mode.startswith("I;16") or image.mode in ("I", "F"):
            pixels = np.asarray(image)
            pixels = (
                pixels.astype(np.uint16) if image.mode == "I" and 0 <= pixels.min() <= pixels.max() < 65536 else pixels
            )
        else:
            pixels = np.asarray(image.convert("RGBA"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"the Pillow image cannot be read ({error})") from None
    return _to_rgb(_upright(pixels, orientation))


def _to_rgb(pixels: npt.NDArray[Any], premultiplied: bool = False) -> UInt8:
    """Grey [H, W], RGB [H, W, 3] or RGBA [H, W, 4] of any depth -> uint8 [H, W, 3]."""
    eight = _to_eight_bits(pixels)
    if eight.ndim == 2:
        return np.repeat(eight[..., None], 3, axis=2)
    if eight.shape[2] == 4:
        return _over_white(eight, premultiplied)
    return np.ascontiguousarray(eight)


def _to_eight_bits(pixels: npt.NDArray[Any]) -> UInt8:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.newbyteorder("=") == np.uint16:
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.dtype.kind == "f":
        low, high = float(pixels.min()), float(pixels.max())
        if low >= 0.0 and high <= 1.0:
            return np.round(pixels * 255).astype(np.uint8)
        raise ImageError(f"float pixels must lie in 0..1, got {low:g} to {high:g}: scale them, or give uint8")
    raise ImageError(f"pixels must be uint8, uint16 or float in 0..1, got {pixels.dtype.name}")


def _over_white(rgba: UInt8, premultiplied: bool) -> UInt8:
    alpha = rgba[..., 3:]
    if alpha.min() == 255:
        return np.ascontiguousarray(rgba[..., :3])
    share = alpha.astype(np.float32) / 255
    colour = rgba[..., :3] * (np.float32(1) if premultiplied else share)
    return np.round(np.minimum(colour + 255 * (1 - share), 255)).astype(np.uint8)
