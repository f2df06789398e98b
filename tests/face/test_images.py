import contextlib
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.assets import SAMPLE
from mien.errors import ImageError
from mien.face import formats, images
from mien.face.images import Limits
from mien.types import UInt8

LOSSLESS = ("PNG", "TIFF", "BMP", "WEBP")
ALL = (*LOSSLESS, "JPEG", "GIF")


@pytest.fixture(scope="module")
def picture() -> UInt8:
    """uint8 [40, 60, 3] in which every corner has its own colour."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30], pixels[:20, 30:], pixels[20:, :30], pixels[20:, 30:] = (
        (250, 20, 20), (20, 250, 20), (20, 20, 250), (240, 240, 30),
    )  # fmt: skip
    return pixels


def encoded(pixels: UInt8 | Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    if kind == "WEBP":
        options.setdefault("lossless", True)
    if kind == "JPEG":
        options.setdefault("quality", 95)
        options.setdefault("subsampling", 0)
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ALL)
def test_every_format_gives_the_same_rgb(picture: UInt8, kind: str) -> None:
    loaded = images.load(encoded(picture, kind))
    assert loaded.shape == picture.shape
    assert loaded.dtype == np.uint8
    if kind in LOSSLESS:
        assert (loaded == picture).all()
    else:
        assert np.abs(loaded.astype(int) - picture).mean() < 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_the_picture_upright(picture: UInt8, kind: str, orientation: int) -> None:
    """Stored sideways with the tag that says so, it comes out as it was."""
    undo = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90",
            7: "TRANSVERSE", 8: "ROTATE_270"}  # fmt: skip
    stored = Image.fromarray(picture)
    if orientation in undo:
        stored = stored.transpose(getattr(Image.Transpose, undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    loaded = images.load(encoded(stored, kind, exif=exif))
    assert loaded.shape == picture.shape
    assert np.abs(loaded.astype(int) - picture).mean() < 4
    assert (images.load(_with_exif(stored, orientation)) == picture).all()


def _with_exif(stored: Image.Image, orientation: int) -> Image.Image:
    exif = stored.getexif()
    exif[0x0112] = orientation
    return stored


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_laid_over_white_and_kept_upright(picture: UInt8, kind: str) -> None:
    alpha = np.zeros(picture.shape[:2], np.uint8)
    alpha[:, 30:] = 255
    alpha[:10, :30] = 128
    stored = Image.fromarray(np.dstack([picture, alpha])).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    loaded = images.load(encoded(stored, kind, exif=exif, **({"exact": True} if kind == "WEBP" else {})))
    assert (loaded[:, 30:] == picture[:, 30:]).all()
    assert (loaded[11:, :29] == 255).all()
    np.testing.assert_allclose(loaded[:9, :29], picture[:9, :29] * (128 / 255) + 255 * (127 / 255), atol=2)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "BMP"])
def test_grey_is_repeated(picture: UInt8, kind: str) -> None:
    grey = picture[..., 0]
    loaded = images.load(encoded(grey, kind) if kind != "WEBP" else encoded(np.dstack([grey] * 3), kind))
    assert loaded.shape == picture.shape
    assert np.abs(loaded.astype(int) - grey[..., None]).max() < 6


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_scaled_to_eight(picture: UInt8, suffix: str, channels: int) -> None:
    deep = picture[..., 0].astype(np.uint16) * 257 if channels == 1 else picture.astype(np.uint16) * 257
    _, coded = cv2.imencode(suffix, deep if channels == 1 else deep[..., ::-1])
    wanted = picture[..., :1] if channels == 1 else picture
    assert (images.load(coded.tobytes()) == wanted).all()


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGBA", "1", "CMYK", "I;16", "RGB"])
def test_pillow_images_of_every_mode(picture: UInt8, mode: str) -> None:
    grey = Image.fromarray(picture).convert("L")
    if mode == "I;16":
        given, wanted = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), np.asarray(grey)[..., None]
    else:
        given = Image.fromarray(picture).convert(mode)
        wanted = np.asarray(given.convert("RGB"))
    assert np.abs(images.load(given).astype(int) - wanted).max() <= 1


def test_cmyk_files_are_not_taken_for_alpha(picture: UInt8) -> None:
    inks = Image.fromarray(picture).convert("CMYK")
    for kind in ("TIFF", "JPEG"):
        assert np.abs(images.load(encoded(inks, kind)).astype(int) - picture).mean() < 4


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_first_picture_of_several(picture: UInt8, kind: str) -> None:
    other = Image.fromarray(255 - picture)
    data = encoded(picture, kind, save_all=True, append_images=[other])
    assert np.abs(images.load(data).astype(int) - picture).mean() < 4


def test_all_kinds_of_sources_agree(picture: UInt8, tmp_path: Path) -> None:
    data = encoded(picture, "PNG")
    path = tmp_path / "ü photo.png"
    path.write_bytes(data)
    for source in (
        path,
        str(path),
        data,
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        Image.open(path),
        picture,
    ):
        assert (images.load(source) == picture).all()


def test_arrays_of_every_documented_form(picture: UInt8) -> None:
    grey = picture[..., 0]
    assert (images.load(grey) == grey[..., None]).all()
    assert (images.load(grey[..., None]) == grey[..., None]).all()
    assert (images.load(picture.astype(np.float64) / 255) == picture).all()
    assert (images.load(picture.astype(np.uint16) * 257) == picture).all()
    assert (images.load(np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])) == picture).all()
    assert images.load(picture[::2, ::-3]).flags.c_contiguous


def test_given_array_is_never_changed(picture: UInt8) -> None:
    rgba = np.dstack([picture, np.full(picture.shape[:2], 9, np.uint8)])
    before = rgba.copy()
    images.load(rgba)
    assert (rgba == before).all()


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 4, 3)) - 0.1, "0..1"),
        (np.full((4, 4, 3), 200.0), "0..1"),
        (np.full((4, 4), np.nan), "0..1"),
        (np.zeros((4, 4, 3), np.int64), "uint8"),
        (np.zeros((4, 4), bool), "uint8"),
        (np.zeros((3, 20, 20), np.uint8), r"\[3, 20, 20\]"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"\[2, 4, 4, 3\]"),
        (np.zeros(7, np.uint8), r"\[7\]"),
        (np.zeros((0, 4, 3), np.uint8), "empty"),
    ],
)
def test_other_arrays_are_refused_in_one_sentence(array: np.ndarray, words: str) -> None:
    with pytest.raises(ImageError, match=words) as caught:
        images.load(array)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_truncated_files_are_refused(photo: UInt8, kind: str, share: float) -> None:
    data = encoded(photo[:200, :200], kind)
    with pytest.raises(ImageError, match=r"truncated|damaged"):
        images.load(data[: int(len(data) * share)])


def test_truncated_progressive_jpeg_is_refused(photo: UInt8) -> None:
    data = encoded(photo, "JPEG", progressive=True)
    assert images.load(data).shape == photo.shape
    with pytest.raises(ImageError, match="truncated"):
        images.load(data[: len(data) * 3 // 4])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_damaged_bytes_give_a_picture_or_an_image_error(kind: str, seed: int, edits: int) -> None:
    generator = np.random.default_rng(seed)
    data = bytearray(encoded(generator.integers(0, 256, (24, 31, 3), np.uint8), kind))
    for at in generator.integers(0, len(data), edits):
        data[at] = generator.integers(0, 256)
    with contextlib.suppress(ImageError):
        assert images.load(bytes(data), Limits(pixels=10**6)).ndim == 3


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise_anything_else(data: bytes) -> None:
    with pytest.raises(ImageError):
        images.load(data)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    """A PNG of 40,000 x 40,000 pixels whose data is not even there."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")
    with pytest.raises(ImageError, match="40000 x 40000 pixels"):
        images.load(data)


def test_limits_hold_for_every_kind_of_source(picture: UInt8, tmp_path: Path) -> None:
    few, small = Limits(pixels=60 * 40 - 1), Limits(bytes=50)
    (tmp_path / "a.png").write_bytes(encoded(picture, "PNG"))
    for source in (picture, Image.fromarray(picture), encoded(picture, "PNG"), tmp_path / "a.png"):
        with pytest.raises(ImageError, match="60 x 40 pixels"):
            images.load(source, few)
    for source in (encoded(picture, "PNG"), io.BytesIO(encoded(picture, "PNG")), tmp_path / "a.png"):
        with pytest.raises(ImageError, match="larger than"):
            images.load(source, small)
    assert images.load(picture, Limits(pixels=60 * 40)).shape == picture.shape


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@pytest.mark.parametrize("marker", [b"\xff\x01", b"\xff\xd0", b"\xff\x00"])
def test_a_jpeg_cannot_lie_about_its_size_with_a_marker_that_has_no_length(marker: bytes) -> None:
    """The decoder steps over FF 01; who takes the FF E0 behind it for its length finds a small size 65 kB further."""
    small = b"\xff\xc0\0\x0b\x08" + struct.pack(">HH", 10, 10)
    inside = bytes(0xFFE0 - 4) + small + bytes(4)
    segment = b"\xff\xe0" + struct.pack(">H", len(inside) + 2) + inside
    big = encoded(np.zeros((3000, 3000), np.uint8), "JPEG")
    with pytest.raises(ImageError, match=r"3000 x 3000|no picture size"):
        images.load(b"\xff\xd8" + marker + segment + big[2:], Limits(pixels=10**6))


@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("large_first", [True, False])
def test_a_tiff_cannot_lie_about_its_size_with_a_tag_that_is_there_twice(compression: int, large_first: bool) -> None:
    large, small, pixels = 30_000, 10, zlib.compress(bytes(10**6))
    sizes = (large, small) if large_first else (small, large)
    rows = sizes[0]
    entries = [(256, sizes[0]), (257, sizes[0]), (258, 8), (259, compression), (262, 1), (273, 0), (277, 1),
               (278, rows), (279, len(pixels)), (256, sizes[1]), (257, sizes[1])]  # fmt: skip
    start = 8 + 2 + 12 * len(entries) + 4
    body = b"".join(struct.pack("<HHII", tag, 4, 1, start if tag == 273 else value) for tag, value in entries)
    data = b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4) + pixels
    if large_first:
        with pytest.raises(ImageError, match="30000 x 30000 pixels"):
            images.load(data)
    else:
        with contextlib.suppress(ImageError):
            assert images.load(data).shape == (10, 10, 3)


def _peak_mb(data: bytes, tmp_path: Path) -> float:
    """Largest resident memory, in MB, of a process that loads the file; it also counts about 55 MB of libraries."""
    path = tmp_path / "x"
    path.write_bytes(data)
    code = (
        "import contextlib, re, sys\nfrom pathlib import Path\nfrom mien.face import images\n"
        "with contextlib.suppress(images.ImageError): images.load(sys.argv[1])\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) / 1000)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_a_length_in_a_png_takes_no_memory(tmp_path: Path) -> None:
    """51 bytes that promise 2 GB."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 0x78787878) + b"IDAT" + b"x" * 11
    assert _peak_mb(data, tmp_path) < 150


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_large_picture_with_alpha_takes_little_more_than_its_pixels(kind: str, tmp_path: Path) -> None:
    """16 million pixels: 64 MB with alpha and 48 MB without; before, 700 MB."""
    pixels = np.zeros((4000, 4000, 4), np.uint8)
    pixels[::2, :, 3] = 90
    options = {"compress_level": 1} if kind == "PNG" else {"method": 0}
    assert _peak_mb(encoded(pixels, kind, **options), tmp_path) < 55 + 64 + 48 + 100


def test_a_large_picture_of_16_bits_takes_little_more_than_its_pixels(tmp_path: Path) -> None:
    _, coded = cv2.imencode(".png", np.zeros((4000, 4000, 3), np.uint16))
    assert _peak_mb(coded.tobytes(), tmp_path) < 55 + 64 + 48 + 100


def _progressive(scans: int) -> bytes:
    """A grey progressive JPEG whose last scan is there ``scans`` times more."""
    data = encoded(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + b"\xff\xd9"


def test_the_scans_of_a_jpeg_are_limited() -> None:
    assert images.load(_progressive(40)).shape == (64, 64, 3)
    with pytest.raises(ImageError, match="scans"):
        images.load(_progressive(200))
    with pytest.raises(ImageError, match="scans"):  # a second picture's end inside a comment stops no count
        images.load(_progressive(200).replace(b"\xff\xda", b"\xff\xfe\0\4\xff\xd9\xff\xda"))


def test_what_follows_a_jpeg_is_not_counted_as_scans() -> None:
    """A motion photo has a video behind it, a multi-picture file more pictures."""
    data = encoded(np.zeros((16, 16, 3), np.uint8), "JPEG")
    assert images.load(data + b"\xff\xda\0\4" * 500).shape == (16, 16, 3)


def test_stray_bytes_between_the_segments_of_a_jpeg_do_no_harm(photo: UInt8) -> None:
    data = encoded(photo, "JPEG")
    at = data.index(b"\xff\xdb")
    assert (images.load(data[:at] + b"\0\1stray" + data[at:]) == images.load(data)).all()


@pytest.mark.parametrize("type_", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_float_tiffs(picture: UInt8, type_: type, channels: int) -> None:
    rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    wanted = {1: picture[..., 0], 3: picture, 4: rgba}[channels]
    stored = wanted if channels == 1 else wanted[..., [2, 1, 0, 3][:channels]]
    done, coded = cv2.imencode(".tif", stored.astype(type_) / 255)
    assert done
    assert (images.load(coded.tobytes()) == (wanted[..., None] if channels == 1 else picture)).all()
    with pytest.raises(ImageError, match=r"damaged|not read"):
        images.load(coded.tobytes()[: len(coded) // 2])


def test_a_bigtiff_that_is_only_a_head_is_refused() -> None:
    with pytest.raises(ImageError, match="damaged"):
        images.load(b"II+\0\x08\0\0\0" + b"\xff" * 8)


@pytest.mark.parametrize("size", [(2000, 1), (2000, 10), (1, 3000), (8, 300), (1, 1)])
def test_narrow_pictures(size: tuple[int, int]) -> None:
    assert images.load(encoded(Image.new("RGB", size, "red"), "PNG")).shape == (size[1], size[0], 3)


def test_heif_is_read_where_pillow_heif_is_installed(photo: UInt8, monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(Image.fromarray(photo)).save(buffer, quality=95)
    data = buffer.getvalue()
    assert formats.sniff(data) == "HEIC"
    assert np.abs(images.load(data).astype(int) - photo).mean() < 4
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    with pytest.raises(ImageError, match=r"HEIC.*pip install pillow-heif"):
        images.load(data)


def test_avif_is_read(photo: UInt8) -> None:
    assert np.abs(images.load(encoded(photo, "AVIF", quality=90)).astype(int) - photo).mean() < 4


def test_numbers_of_32_bits_in_pillow(picture: UInt8) -> None:
    grey = picture[..., 0]
    for scale in (1, 257):
        given = Image.fromarray(grey.astype(np.int32) * scale)
        assert given.mode == "I"
        assert (images.load(given) == grey[..., None]).all()
    with pytest.raises(ImageError, match=r"0\.\.65535"):
        images.load(Image.fromarray(grey.astype(np.int32) * 100_000))


def test_floats_that_overshoot_by_rounding_are_taken(picture: UInt8) -> None:
    floats = picture.astype(np.float64) / 255
    floats[0, 0], floats[0, 1] = 1 + 1e-9, -1e-9
    loaded = images.load(floats)
    assert (loaded[0, 0] == 255).all()
    assert (loaded[0, 1] == 0).all()
    assert (loaded[1:] == picture[1:]).all()


def test_a_refused_range_is_said_so_that_it_does_not_contradict_itself() -> None:
    with pytest.raises(ImageError, match=r"got 0 to 1\.00[3-9]"):
        images.load(np.array([[0, 1.0034]]))


def test_text_file_objects_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(ImageError, match="binary"), (tmp_path / "a.txt").open() as file:
        images.load(file)
    with pytest.raises(ImageError, match="binary"):
        images.load(io.StringIO("hello"))


def test_a_named_pipe_and_a_device_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cam.jpg")
    for path in (tmp_path / "cam.jpg", Path("/dev/zero")):
        with pytest.raises(ImageError, match="not a file"):
            images.load(path)


def test_a_shells_own_pipe_is_read(picture: UInt8) -> None:
    reading, writing = os.pipe()
    os.write(writing, encoded(picture, "PNG"))
    os.close(writing)
    assert (images.load(f"/dev/fd/{reading}") == picture).all()
    os.close(reading)


def test_names_that_are_not_utf8_can_be_read_and_said(picture: UInt8, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/zz\xe9.png"))
    with pytest.raises(ImageError, match=r"zz\\xe9\.png: no such file") as caught:
        images.load(path)
    str(caught.value).encode()
    path.write_bytes(encoded(picture, "PNG"))
    assert (images.load(path) == picture).all()


def test_a_name_that_begins_with_a_tilde(picture: UInt8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~photo.png").write_bytes(encoded(picture, "PNG"))
    assert (images.load("~photo.png") == picture).all()


def test_an_empty_name_is_no_picture() -> None:
    with pytest.raises(ImageError, match="empty name"):
        images.load("")


@pytest.mark.parametrize("suffix", [".jfif", ".jif", ".pjpeg", ".dib", ".heic", ".avif", ".JPG"])
def test_endings_that_cameras_and_browsers_give(suffix: str) -> None:
    assert suffix.lower() in formats.SUFFIXES


def test_a_picture_with_an_unusual_ending_is_saved_in_its_format(picture: UInt8, tmp_path: Path) -> None:
    for suffix, name in ((".jfif", "JPEG"), (".dib", "BMP"), (".JPE", "JPEG")):
        images.save(picture, tmp_path / f"a{suffix}")
        assert formats.sniff((tmp_path / f"a{suffix}").read_bytes()) == name


def test_a_limit_above_pillows_own_is_the_users(monkeypatch: pytest.MonkeyPatch, picture: UInt8) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    for kind in ("TIFF", "PNG", "GIF"):
        assert images.load(encoded(picture, kind)).shape == picture.shape


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello, this is a text", "not a picture"),
        (b"", "empty"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00", "AVIF is damaged"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", "AVIF is damaged"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x00", "Canon raw"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00", "video"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\xff\x0a" + bytes(20), "JPEG XL"),
        (b"<svg xmlns=...", "SVG"),
        (b"\xff\xd8\xff", "truncated"),
        (b"BM", "truncated"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        images.load(data)


def test_paths_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match=r"gone\.jpg: no such file"):
        images.load(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match="is a folder"):
        images.load(tmp_path)
    with pytest.raises(ImageError, match="cannot be read"):
        images.load("a\0b.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        images.load(tmp_path / ("x" * 5000))

    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError, match="permission denied"):
        images.load(SAMPLE)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_read_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(ImageError, match="permission denied"):
        images.load(path)


def test_other_types_are_refused() -> None:
    with pytest.raises(ImageError, match="got int"):
        images.load(3)


def test_decoder_log_level_is_put_back(picture: UInt8) -> None:
    level = cv2.utils.logging.getLogLevel()
    with pytest.raises(ImageError):
        images.load(encoded(picture, "TIFF")[:200])
    assert cv2.utils.logging.getLogLevel() == level


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
def test_saved_pictures_can_be_loaded(picture: UInt8, tmp_path: Path, suffix: str) -> None:
    images.save(picture, tmp_path / f"out{suffix}")
    assert np.abs(images.load(tmp_path / f"out{suffix}").astype(int) - picture).mean() < 5


def test_saving_refuses_what_it_cannot_do(picture: UInt8, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="ends with one of"):
        images.save(picture, tmp_path / "out.xyz")
    with pytest.raises(ImageError, match="cannot be written"):
        images.save(picture, tmp_path / "nowhere" / "out.png")


def test_gray_is_opencvs_luma(picture: UInt8) -> None:
    assert (images.to_gray(picture) == cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)).all()


def test_sample_is_the_bundled_photo(photo: UInt8) -> None:
    assert photo.shape == (512, 512, 3)
    assert (SAMPLE.parent / "SOURCE.md").is_file()
