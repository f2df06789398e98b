"""Formats of pictures and videos: which mien reads, by which endings a folder's files are found, what bytes really are.

A picture in a format mien does not read is refused by that format's name.
"""

from __future__ import annotations

READ_FORMATS = ("JPEG", "PNG", "WebP", "TIFF", "BMP", "GIF", "AVIF")
"""Formats mien reads; of an animation or a multi-page file the first picture. HEIC with ``pillow-heif`` installed."""
HEIF_FORMATS = ("HEIC", "HEIF")
"""Formats that the optional package ``pillow-heif`` reads."""

SUFFIX_FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".jif": "JPEG", ".pjpeg": "JPEG", ".pjp": "JPEG",
    ".png": "PNG", ".apng": "PNG", ".webp": "WebP", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", ".dib": "BMP",
    ".gif": "GIF", ".avif": "AVIF", ".heic": "HEIC", ".heif": "HEIF", ".hif": "HEIF",
}  # fmt: skip
"""File name ending, lower case -> the format it usually means. What a file is, its bytes say: see :func:`sniff`."""
SUFFIXES = frozenset(SUFFIX_FORMATS)
"""Endings of pictures, lower case: what a folder's pictures are found by."""
SAVE_SUFFIXES = {
    suffix: encoding
    for suffix, name in SUFFIX_FORMATS.items()
    if (encoding := {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "TIFF": ".tif", "BMP": ".bmp", "GIF": ".gif"}
        .get(name))
}  # fmt: skip
"""Endings a picture can be saved with -> OpenCV's ending for the same format."""

OTHER_PICTURE_SUFFIXES = frozenset({
    ".jxl", ".jp2", ".j2k", ".jpx", ".psd", ".svg", ".ico", ".pbm", ".pgm", ".ppm", ".pnm", ".tga", ".exr", ".hdr",
    ".raw", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".orf", ".rw2", ".raf", ".pef", ".srw",
    ".x3f", ".erf", ".3fr", ".dcm",
})  # fmt: skip
"""Endings of pictures mien does not read: a folder's are named as left out."""

VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".wmv", ".asf",
    ".3gp", ".3g2", ".ts", ".mts", ".m2ts", ".m2t", ".flv", ".f4v", ".ogv", ".vob", ".mxf", ".dv", ".divx", ".mjpeg",
    ".mjpg", ".y4m",
})  # fmt: skip
"""File name endings of videos, lower case."""

SYSTEM_FOLDERS = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN", "__MACOSX"})
"""Folders of a file system or an archive, never of its user: they are not looked into."""

ORIENTATION_TAG = 274
"""EXIF: 1..8, how the camera was held."""

_BRANDS = {
    b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"hevx": "HEIC",
    b"heim": "HEIC", b"heis": "HEIC", b"crx ": "Canon raw", b"qt  ": "video",
}  # fmt: skip
_GENERIC_BRANDS = frozenset({b"mif1", b"msf1", b"mif2"})
"""Any picture in HEIF's container: the compatible brands tell which."""
_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"GIF87a", "GIF"), (b"GIF89a", "GIF"), (b"BM", "BMP"),
    (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"), (b"II+\x00", "TIFF"), (b"MM\x00+", "TIFF"), (b"%PDF", "PDF"),
    (b"\xff\x0a", "JPEG XL"), (b"\x00\x00\x00\x0cJXL ", "JPEG XL"), (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"8BPS", "Photoshop"), (b"PK\x03\x04", "ZIP"), (b"\x1aE\xdf\xa3", "video"), (b"FLV", "video"),
    (b"OggS", "video"), (b"\x00\x00\x01\xba", "video"), (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video"),
    (b"<svg", "SVG"), (b"<?xml", "XML"), (b"<!DOCTYPE", "HTML"), (b"<html", "HTML"),
)  # fmt: skip


def sniff(data: bytes) -> str | None:
    """Name of the format by its first bytes; None where it is unknown. Only ``READ_FORMATS`` can be read."""
    if data[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "video"}.get(data[8:12])
    if data[4:8] == b"ftyp":
        return _branded(data)
    return next((name for magic, name in _MAGICS if data.startswith(magic)), None)


def _branded(data: bytes) -> str:
    """A file in the ISO base container: by its major brand, or, where that says nothing, by a compatible one."""
    major = data[8:12]
    if major not in _GENERIC_BRANDS:
        return _BRANDS.get(major, "video")
    end = min(int.from_bytes(data[:4], "big"), 256)
    compatible = (data[at : at + 4] for at in range(16, end, 4))
    return next((_BRANDS[brand] for brand in compatible if brand in _BRANDS), "HEIF")
