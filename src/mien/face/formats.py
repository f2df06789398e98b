"""Which format are these bytes, and how many pixels do they promise? Read from the header, before anything is decoded.

Knowing both first keeps a decompression bomb from being unpacked, and lets a picture in a format mien does not read be
refused by that format's name.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

READ_FORMATS = ("JPEG", "PNG", "WebP", "TIFF", "BMP", "GIF")
"""Formats mien reads; of an animation or a multi-page file the first picture."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
"""File name endings of these formats, lower case: what a folder's pictures are found by."""

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".3gp", ".ts"})
"""File name endings of videos, lower case."""

ORIENTATION_TAG = 274

PHOTOMETRIC_TAG = 262

EXTRA_SAMPLES_TAG = 338

_BRANDS = {
    b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"heim": "HEIC",
    b"heis": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF", b"crx ": "Canon raw", b"qt  ": "video",
}  # fmt: skip

_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"GIF87a", "GIF"), (b"GIF89a", "GIF"), (b"BM", "BMP"),
    (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"), (b"II+\x00", "TIFF"), (b"MM\x00+", "TIFF"), (b"%PDF", "PDF"),
    (b"\xff\x0a", "JPEG XL"), (b"\x00\x00\x00\x0cJXL ", "JPEG XL"), (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"8BPS", "Photoshop"), (b"PK\x03\x04", "ZIP"), (b"\x1aE\xdf\xa3", "video"), (b"<svg", "SVG"),
)  # fmt: skip


def sniff(data: bytes) -> str | None:
    """Name of the format by its first bytes; None where it is unknown. Only ``READ_FORMATS`` can be read."""
    if data[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "video"}.get(data[8:12])
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "video")
    return next((name for magic, name in _MAGICS if data.startswith(magic)), None)


def dimensions(data: bytes, name: str) -> tuple[int, int] | None:
    """(width, height) in pixels as the header says; None where the header is damaged.

    Args:
        data: the whole file.
        name: one of ``READ_FORMATS``.
    """
    try:
        width, height = _DIMENSIONS[name](data)
    except (struct.error, IndexError, KeyError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(data: bytes) -> tuple[int, int]:
    """Walk the segments to the frame header (SOF0-15 without DHT, JPG and DAC)."""
    at = 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if data[at] != 0xFF:
            raise ValueError("no marker where one must be")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]


def _tiff(data: bytes) -> tuple[int, int]:
    tags = tiff_tags(data)
    return tags[256], tags[257]


_DIMENSIONS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "JPEG": _jpeg, "PNG": _png, "WebP": _webp, "TIFF": _tiff, "BMP": _bmp, "GIF": _gif,
}  # fmt: skip


def tiff_tags(data: bytes) -> dict[int, int]:
    """First value of every integer tag in the first directory of a TIFF, a BigTIFF or an EXIF block.

    Raises:
        struct.error, KeyError: the directory is damaged.
    """
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    start = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    count = struct.unpack_from(order + ("Q" if big else "H"), data, start)[0]
    first, step, value_at = (start + 8, 20, 12) if big else (start + 2, 12, 8)
    kinds = {1: "B", 3: "H", 4: "I", 16: "Q"}
    tags = {}
    for entry in range(first, first + min(count, 512) * step, step):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if kind in kinds:
            tags[tag] = struct.unpack_from(order + kinds[kind], data, entry + value_at)[0]
    return tags
