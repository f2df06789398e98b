"""The bytes of a picture -> upright pixels, within limits. Pillow reads every header and almost every picture.

A picture may come from anybody, so that

* only the formats of ``formats.READ_FORMATS`` are tried, chosen by the first bytes, not by the file's name;
* the size is known, and refused, before a pixel is decoded; the decoder gets a buffer of that very size, and a file
  that means two sizes at once is damaged;
* a picture is converted in strips, so that no second copy of it in 16 bits, in floats or with alpha is ever made;
* a progressive JPEG may have ``MAX_SCANS`` scans: decoding takes time in proportion to them, whatever its bytes.
"""

from __future__ import annotations

import importlib
import io
import re
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from mien.errors import ImageError
from mien.face import formats
from mien.types import UInt8

MAX_SCANS = 100
"""Scans of a JPEG; programs write 1 to about 20."""
STRIP = 1 << 20
"""Pixels that are converted at a time."""
ROUNDING = 0.5 / 255
"""How far a float pixel may lie outside of 0..1: less than half a grey level is rounding, not another range."""

_PLUGINS = {
    "JPEG": "JpegImagePlugin.JpegImageFile", "PNG": "PngImagePlugin.PngImageFile", "BMP": "BmpImagePlugin.BmpImageFile",
    "WebP": "WebPImagePlugin.WebPImageFile", "TIFF": "TiffImagePlugin.TiffImageFile",
    "GIF": "GifImagePlugin.GifImageFile", "AVIF": "AvifImagePlugin.AvifImageFile",
}  # fmt: skip
_SCAN = re.compile(rb"\xff+([^\x00\xff\x01\xd0-\xd8])", re.DOTALL)
"""A JPEG marker that is not part of a scan's data."""


def decode(data: bytes, max_pixels: int) -> UInt8:
    """Read a picture.

    Args:
        data: the whole file.
        max_pixels: largest width x height.

    Returns:
        uint8 [H, W, 3], RGB, upright.

    Raises:
        ImageError: it is of no format mien reads, damaged, truncated or too large.
    """
    name = _format(data)
    try:
        return _decoded(data, name, max_pixels)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"the {name} needs more memory than there is") from None
    except Exception:
        # Damaged bytes make decoders raise whatever they meet: struct.error, KeyError, SyntaxError, zlib.error, ...
        raise ImageError(f"the {name} is truncated or damaged") from None


def check_pixels(width: int, height: int, limit: int) -> None:
    """Refuse a picture by its size.

    Raises:
        ImageError: it has more than ``limit`` pixels.
    """
    if width * height > limit:
        raise ImageError(f"{width} x {height} pixels are more than {limit / 1e6:g} million, the limit")


def from_pillow(image: Image.Image) -> UInt8:
    """A Pillow image of any mode, loaded or not -> uint8 [H, W, 3], RGB, upright, alpha laid over white.

    Raises:
        ImageError: its numbers have a range of which white is unknown; any other exception comes from Pillow.
    """
    image.load()
    width, height = image.size
    rows = max(1, STRIP // max(width, 1))
    scale = _scale(image)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        pixels[top : top + rows] = _strip_rgb(strip, image, scale)
    return _upright(pixels, _orientation(image))


def to_rgb(pixels: npt.NDArray[Any]) -> UInt8:
    """An array in memory -> uint8 RGB.

    Args:
        pixels: uint8, uint16, or float in 0..1; grey [H, W], RGB [H, W, 3] or RGBA [H, W, 4].

    Returns:
        uint8 [H, W, 3], alpha laid over white.

    Raises:
        ImageError: another type, or floats outside of 0..1 by more than rounding.
    """
    _check_values(pixels)
    if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    rgb = np.empty((height, width, 3), np.uint8)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        rgb[top : top + rows] = _over_white(_eight_bits(pixels[top : top + rows]))
    return rgb


def _format(data: bytes) -> str:
    name = formats.sniff(data)
    if name is None:
        raise ImageError(f"not a picture: mien reads {', '.join(formats.READ_FORMATS)}")
    if name in formats.READ_FORMATS or name in formats.HEIF_FORMATS:
        return name
    kind = "a video" if name == "video" else f"in the {name} format"
    raise ImageError(f"it is {kind}: mien reads pictures as {', '.join(formats.READ_FORMATS)}")


def _decoded(data: bytes, name: str, max_pixels: int) -> UInt8:
    _raise_pillows_limit(max_pixels)
    try:
        image = _opened(data, name)
    except ImageError:
        raise
    except Exception as error:
        if name == "TIFF" and isinstance(error, SyntaxError | KeyError):
            return _unusual_tiff(data, max_pixels)
        raise ImageError(f"the {name} is damaged or truncated: its header holds no picture size") from None
    with image:
        check_pixels(*image.size, max_pixels)
        if name == "JPEG":
            _check_scans(data, image)
        return _webp(data, image) if name == "WebP" else from_pillow(image)


def _raise_pillows_limit(max_pixels: int) -> None:
    """Pillow warns or refuses by a limit of its own, which is lower than ours; the user's counts."""
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels


def _opened(data: bytes, name: str) -> Image.Image:
    """Read the header alone."""
    if name in formats.HEIF_FORMATS:
        return _opened_heif(data, name)
    module, plugin = _PLUGINS[name].split(".")
    image: Image.Image = getattr(importlib.import_module(f"PIL.{module}"), plugin)(io.BytesIO(data), "")
    if min(image.size) < 1:
        raise ValueError("no pixels")
    return image


def _opened_heif(data: bytes, name: str) -> Image.Image:
    try:
        from pillow_heif.as_plugin import HeifImageFile
    except ImportError:
        raise ImageError(
            f"it is in the {name} format, which mien reads with pillow-heif: pip install pillow-heif, or save it as "
            "JPEG"
        ) from None
    image: Image.Image = HeifImageFile(io.BytesIO(data), "")  # type: ignore[no-untyped-call]
    return image


def _check_scans(data: bytes, image: Image.Image) -> None:
    """Count the scans as the decoder will meet them: Pillow stopped reading where the first one begins.

    Their marker is looked for as plain bytes first, which takes no time and never finds fewer.
    """
    if data.count(b"\xff\xda") <= MAX_SCANS:
        return
    file = getattr(image, "fp", None)
    at, scans = 0 if file is None else file.tell(), 1
    while (found := _SCAN.search(data, at)) is not None and found[1] != b"\xd9":
        scans += found[1] == b"\xda"
        if scans > MAX_SCANS:
            raise ImageError(f"the JPEG has more than {MAX_SCANS} scans, the limit")
        at = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))


def _webp(data: bytes, image: Image.Image) -> UInt8:
    """Pillow keeps four copies of a WebP's canvas, OpenCV one; both call the same library."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    width, height = image.size
    if pixels is None or pixels.shape[:2] != (height, width) or pixels.dtype != np.uint8:
        return from_pillow(image)
    for row in pixels:  # in place: cvtColor would copy the whole picture
        row[:, :3] = row[:, 2::-1].copy()
    return _upright(to_rgb(pixels), _orientation(image))


def _unusual_tiff(data: bytes, max_pixels: int) -> UInt8:
    """Float colours, which Pillow does not know and libtiff, by OpenCV, does."""
    tags = TiffImagePlugin.ImageFileDirectory_v2(data[:16] if b"+" in data[2:4] else data[:8])
    file = io.BytesIO(data)
    file.seek(tags.next)
    tags.load(file)
    width, height, floats = int(tags[256]), int(tags[257]), set(np.ravel(tags.get(339, 1))) == {3}
    check_pixels(width, height, max_pixels)
    kind = "float" if floats else f"{'/'.join(str(bits) for bits in np.ravel(tags.get(258, 1)))}-bit"
    if not floats or len(tags) != _entries(data, tags):
        raise ImageError(f"the TIFF holds {kind} pixels of a kind mien does not read: save it with 8 or 16 bits")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape[:2] != (height, width) or pixels.dtype.kind != "f":
        raise ImageError("the TIFF is truncated or damaged")
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    return to_rgb(pixels)


def _entries(data: bytes, tags: TiffImagePlugin.ImageFileDirectory_v2) -> int:
    """Entries that the first directory says it has; more than there are tags means that one is there twice."""
    count = data[tags.offset : tags.offset + (8 if b"+" in data[2:4] else 2)]
    return int.from_bytes(count, "little" if data[:2] == b"II" else "big")


def _scale(image: Image.Image) -> float | None:
    """White of a 16-bit, 32-bit or float image; None for a mode of 8 bits.

    Mode ``I`` does not say how many of its 32 bits count: the largest pixel does.
    """
    if image.mode.startswith("I;16"):
        return 65535.0
    if image.mode == "F":
        _check_floats(*_extrema(image))
        return 1.0
    if image.mode != "I":
        return None
    low, high = _extrema(image)
    if low < 0 or high > 65535:
        raise ImageError(f"whole-number pixels must lie in 0..65535, got {low:.0f} to {high:.0f}")
    return 255.0 if high <= 255 else 65535.0


def _extrema(image: Image.Image) -> tuple[float, float]:
    low, high = np.ravel(image.getextrema())
    return float(low), float(high)


def _strip_rgb(strip: Image.Image, image: Image.Image, scale: float | None) -> UInt8:
    if scale is not None:
        values = np.asarray(strip).astype(np.float32) * np.float32(255 / scale)
        grey: UInt8 = np.clip(np.rint(values), 0, 255).astype(np.uint8)
        return grey[..., None]
    if image.mode == "RGB" and not image.has_transparency_data:
        return np.asarray(strip)
    if image.has_transparency_data:
        return _over_white(np.asarray(strip.convert("RGBA")))
    return np.asarray(strip.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    """EXIF's 1..8; 1 where it says nothing, or nothing that can be read."""
    try:
        return int(image.getexif().get(formats.ORIENTATION_TAG, 1))
    except Exception:  # any damage there does not harm the pixels
        return 1


def _upright(pixels: UInt8, orientation: int) -> UInt8:
    """Undo an EXIF orientation (1..8): transpose, then mirror."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _check_values(pixels: npt.NDArray[Any]) -> None:
    kind = pixels.dtype.newbyteorder("=")
    if kind.kind == "f":
        _check_floats(float(pixels.min()), float(pixels.max()))
    elif kind not in (np.uint8, np.uint16):
        raise ImageError(f"pixels must be uint8, uint16 or float in 0..1, got {pixels.dtype.name}")


def _check_floats(low: float, high: float) -> None:
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):
        raise ImageError(f"float pixels must lie in 0..1, got {low:.6g} to {high:.6g}: scale them, or give uint8")


def _eight_bits(pixels: npt.NDArray[Any]) -> UInt8:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind == "f":
        levels: UInt8 = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
        return levels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _over_white(pixels: UInt8) -> UInt8:
    """Grey [H, W], RGB [H, W, 3] or RGBA [H, W, 4] -> [H, W, 3] or, of grey, [H, W, 1]."""
    if pixels.ndim == 2:
        return pixels[..., None]
    if pixels.shape[2] == 3 or pixels[..., 3].min() == 255:
        return pixels[..., :3]
    alpha: npt.NDArray[np.uint16] = pixels[..., 3].astype(np.uint16)
    white = 255 * (255 - alpha) + 127  # with colour x alpha at most 65,152
    colours: list[UInt8] = [((pixels[..., c] * alpha + white) // 255).astype(np.uint8) for c in range(3)]
    return np.stack(colours, axis=2)
