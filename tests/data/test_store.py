"""What people's folders and zips look like, and what strangers' zips hold."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest

from builders.data import (
    drawn_face,
    ferplus_kaggle,
    plain_ferplus_rows,
    rafdb_repack,
    write_lines,
    write_picture,
    zipped,
)  # fmt: skip
from mien.data import inspect, load_gray, read, store
from mien.data.store import Store, read_bytes
from mien.errors import DatasetError, ImageError, MienError, UsageError


def small(root: Path, suffix: str = ".png") -> Path:
    for number, name in enumerate(("happy/a", "happy/b", "sad/c", "sad/d")):
        write_picture(root / f"{name}.png", drawn_face(number, 40))
        (root / f"{name}.png").rename(root / f"{name}{suffix}")
    return root


def test_a_link_to_a_parent_adds_nothing(tmp_path: Path) -> None:
    root = small(tmp_path / "set")
    (root / "happy" / "up").symlink_to("..")
    (root / "happy" / "self").symlink_to(".")
    (root / "joy").symlink_to("happy")
    dataset = read("mine", root)
    assert sorted(s.id for s in dataset.samples) == ["happy/a.png", "happy/b.png", "sad/c.png", "sad/d.png"]
    assert [str(n) for n in dataset.notes] == [
        f"{name}/: a link to a folder that is read already; it is left out"
        for name in ("happy/self", "happy/up", "joy")
    ]


def test_a_link_to_a_folder_elsewhere_is_followed_once(tmp_path: Path) -> None:
    elsewhere = small(tmp_path / "elsewhere")
    root = tmp_path / "set"
    root.mkdir()
    (root / "happy").symlink_to(elsewhere / "happy")
    (root / "sad").symlink_to(elsewhere / "sad")
    (root / "sadness").symlink_to(elsewhere / "sad")
    assert sorted(s.id for s in read("mine", root).samples) == [
        "happy/a.png", "happy/b.png", "sad/c.png", "sad/d.png"
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", [".jfif", ".jif", ".pjpeg", ".dib", ".JPG"])
def test_endings_that_are_pictures_too(tmp_path: Path, suffix: str) -> None:
    dataset = read("mine", small(tmp_path, suffix))
    assert len(dataset.samples) == 4
    assert not inspect(dataset, quiet=True).problems


def test_what_has_another_ending_is_left_out_by_kind(tmp_path: Path) -> None:
    root = small(tmp_path)
    for name in ("happy/e.svg", "happy/f.jxl", "sad/g.jxl", "sad/noending", "README.md"):
        (root / name).write_text("x")
    assert [n.text for n in read("mine", root).notes] == [
        "files left out because mien reads no pictures so called: 2 .jxl, 1 .svg, 1 without an ending"
    ]
    only = tmp_path / "only"
    (only / "happy").mkdir(parents=True)
    (only / "happy" / "a.jxl").write_text("x")
    with pytest.raises(DatasetError, match=r"its files are 1 \.jxl"):
        read("mine", only)


def test_a_pipe_and_a_dead_link_are_named_and_not_waited_for(tmp_path: Path) -> None:
    root = small(tmp_path)
    os.mkfifo(root / "happy" / "cam.png")
    (root / "sad" / "gone.png").symlink_to("nowhere.png")
    dataset = read("mine", root)
    assert len(dataset.samples) == 4
    assert [str(n) for n in dataset.notes] == [
        "happy/cam.png: a device or a named pipe, not a file; it is left out",
        "sad/gone.png: a link to nothing; it is left out",
    ]


def test_a_folder_that_may_not_be_read_is_named_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small(tmp_path)
    (root / "fear").mkdir()
    (root / "lost+found").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith(("fear", "lost+found")):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(store.os, "scandir", refuse)
    dataset = read("mine", root)
    assert len(dataset.samples) == 4
    assert [str(p) for p in dataset.problems] == ["fear/: may not be read (Permission denied)"]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    root = small(tmp_path)
    (root / "sad" / "d.png").rename(os.fsdecode(os.fsencode(root) + b"/sad/\xe9.png"))
    dataset = read("mine", root)
    odd = next(s for s in dataset.samples if "\\x" in s.id)
    assert odd.id == "sad/\\xe9.png"
    assert dataset.store.relative(odd.source) == "sad/\\xe9.png"
    assert (load_gray(odd) == drawn_face(3, 40)).all()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("packed", [False, True])
def test_csv_names_in_another_spelling(tmp_path: Path, form: str, packed: bool) -> None:
    root = tmp_path / "set"
    other = "NFD" if form == "NFC" else "NFC"
    name = "Zoë é.png"
    write_picture(root / "p" / "a.png", drawn_face(0, 40))
    (root / "p" / "a.png").rename(root / "p" / unicodedata.normalize(form, name))
    write_picture(root / "p" / "b.png", drawn_face(1, 40))
    write_picture(root / "p" / "c.png", drawn_face(2, 40))
    write_lines(
        root / "labels.csv",
        ["image,emotion", f"p/{unicodedata.normalize(other, name)},fear", "p//b.png,fear", ".\\p\\.\\c.png,anger"],
    )
    dataset = read("mine", zipped(root, tmp_path / "set.zip") if packed else root)
    assert not dataset.problems
    assert [load_gray(s).mean() for s in dataset.samples] == [drawn_face(i, 40).mean() for i in range(3)]


def test_csv_names_that_are_absolute(tmp_path: Path) -> None:
    root = small(tmp_path / "set")
    (tmp_path / "link").symlink_to(root)
    write_picture(tmp_path / "outside.png", drawn_face(0))
    write_lines(
        root / "labels.csv",
        ["image,emotion", f"{root}/happy/a.png,fear", f"{tmp_path}/outside.png,fear", f"{root}//sad/c.png,anger"],
    )
    for given in (root, root / "labels.csv", tmp_path / "link"):
        dataset = read("mine", given)
        assert len(dataset.samples) == 2
        assert [p.text for p in dataset.problems] == [
            f"the picture {tmp_path}/outside.png is missing (or lies outside of {dataset.root})"
        ]


def test_a_mistyped_csv_is_missing_and_nothing_else_is_read(tmp_path: Path) -> None:
    root = small(tmp_path)
    with pytest.raises(DatasetError, match=r"lables\.csv: no such file"):
        read("mine", root / "lables.csv")


@pytest.mark.parametrize("name", ["../out", "a/b", "..", ".hidden", "a\\b", "", " ", "a\0b", "x" * 300])
def test_a_data_sets_name_is_a_plain_word(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="plain word"):
        read(name, small(tmp_path))


def test_a_zip_written_on_windows(tmp_path: Path) -> None:
    root = small(tmp_path / "set")
    with zipfile.ZipFile(tmp_path / "win.zip", "w") as archive:
        for path in sorted(root.rglob("*.png")):
            info = zipfile.ZipInfo("x")
            info.filename = "faces\\" + str(path.relative_to(root)).replace("/", "\\")
            archive.writestr(info, path.read_bytes())
    dataset = read("mine", tmp_path / "win.zip")
    assert len(dataset.samples) == 4
    assert not inspect(dataset, quiet=True).problems


def _zip_that_needs_version(tmp_path: Path, version: int) -> Path:
    data = bytearray(zipped(rafdb_repack(tmp_path / "set"), tmp_path / "bad.zip").read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 6] = version
    (tmp_path / "bad.zip").write_bytes(data)
    return tmp_path / "bad.zip"


def test_a_zip_entry_without_a_name_is_no_file(tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for name in ("train/", "train/a.png", "Q"):
            made.writestr(name, b"" if name.endswith("/") else b"x")
    content = bytearray(archive.read_bytes())
    entry = content.rindex(b"PK\x01\x02")  # that of Q, whose name becomes its comment
    content[entry + 28 : entry + 34] = b"\0\0" + b"\0\0" + b"\1\0"
    archive.write_bytes(content)
    assert zipfile.ZipFile(archive).namelist()[-1] == ""
    assert Store(archive).names == {"train/a.png"}


def test_a_zip_of_a_version_nobody_knows_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a readable zip"):
        read("rafdb", _zip_that_needs_version(tmp_path, 210))


def test_a_damaged_csv_inside_a_zip_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """Deflate's own error is no BadZipFile."""
    path = zipped(ferplus_kaggle(tmp_path / "k", plain_ferplus_rows(40)), tmp_path / "k.zip")
    whole = path.read_bytes()
    start = whole.index(b"fer2013.csv") + len(b"fer2013.csv")
    for at in range(start + 100, start + 4000, 300):
        data = bytearray(whole)
        data[at : at + 8] = b"\xff" * 8
        path.write_bytes(data)
        os.utime(path, ns=(at, at))
        with pytest.raises(DatasetError):
            read("ferplus", path)


def test_a_member_is_not_unpacked_beyond_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("happy/a.png", "w", force_zip64=True) as file:
            for _ in range(25):
                file.write(bytes(10_000_000))
        archive.writestr("happy/b.png", b"x")
    with pytest.raises(ImageError, match="larger than 1 MB"):
        read_bytes(f"{path}::happy/a.png", 1_000_000)
    seen = inspect(read("mine", path), workers=1, quiet=True)
    assert "happy/a.png: happy/a.png: the file is larger than 200 MB, the limit" in [str(p) for p in seen.problems]


def test_a_csv_of_one_endless_line_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "k.zip"
    ferplus_kaggle(tmp_path / "k", plain_ferplus_rows(5))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "k" / "fer2013new.csv", "fer2013new.csv")
        with archive.open("fer2013.csv", "w", force_zip64=True) as file:
            file.write(b"emotion,pixels,Usage\n0,")
            for _ in range(40):
                file.write(b"1 " * 5_000_000)
    code = (
        "import re, sys\nfrom pathlib import Path\n"
        "from mien.data import read\nfrom mien.errors import DatasetError\n"
        "try: read('ferplus', sys.argv[1])\n"
        "except DatasetError as e:\n"
        "    print(int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) / 1000, e)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    peak, _, message = done.stdout.partition(" ")
    assert "a line has more than" in message
    assert float(peak) < 200


def test_damaged_archives_give_a_mien_error_or_a_data_set(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    kaggle = zipped(ferplus_kaggle(tmp_path / "k", plain_ferplus_rows(12)), tmp_path / "k.zip").read_bytes()
    folder = zipped(small(tmp_path / "s"), tmp_path / "s.zip").read_bytes()
    for trial in range(120):
        name, whole = ("ferplus", kaggle) if trial % 2 else ("mine", folder)
        data = bytearray(whole)
        for at in generator.integers(0, len(data), int(generator.integers(1, 12))):
            data[at] = generator.integers(0, 256)
        if trial % 5 == 0:
            del data[int(generator.integers(0, len(data))) :]
        path = tmp_path / f"{trial}.zip"
        path.write_bytes(data)
        with contextlib.suppress(MienError):
            inspect(read(name, path), workers=1, quiet=True)


def test_a_folder_with_nothing_but_a_zip_and_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    zipped(small(tmp_path / "s"), tmp_path / "one" / "s.zip")
    os.mkfifo(tmp_path / "one" / "pipe")
    assert Store.open(tmp_path / "one").is_zip
