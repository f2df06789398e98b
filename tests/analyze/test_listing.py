"""What a folder holds besides photos, and what cannot be looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mien.analyze import listing
from mien.analyze.listing import is_folder, list_photos
from mien.assets import SAMPLE
from mien.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_endings_that_are_photos_too(tmp_path: Path) -> None:
    names = ["a.jfif", "b.jif", "c.pjpeg", "d.dib", "e.HEIC", "f.avif", "g.JPG"]
    found = list_photos([str(touch(tmp_path, *names))], recursive=False)
    assert [photo.name for photo in found.photos] == names


def test_what_is_left_out_is_named_by_kind(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.mp4", "c.mts", "d.cr2", "e.txt", "f.txt", "sub/g.jpg")
    (tmp_path / "noending").write_bytes(SAMPLE.read_bytes())
    touch(tmp_path, "words")
    os.mkfifo(tmp_path / "cam.jpg")
    found = list_photos([str(tmp_path)], recursive=False)
    assert [photo.name for photo in found.photos] == ["a.jpg", "noending"]
    assert found.words == [
        "1 devices or named pipes",
        "3 files that are no photos",
        "1 pictures of a kind that mien does not read (.cr2)",
        "1 videos (.mp4; analyse them in a call of their own)",
        "1 videos (.mts; analyse them in a call of their own)",
        "1 folders below (add --recursive)",
    ]
    assert found.left_out == 7


def test_a_folder_of_photos_of_another_kind_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no photo found .* left out: 2 pictures .*\(\.nef\)"):
        list_photos([str(touch(tmp_path, "a.nef", "b.nef"))], recursive=False)


def test_a_folder_that_may_not_be_read_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.jpg", "secret/b.jpg", "open/c.jpg", "lost+found/d.jpg")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name in ("secret", "lost+found"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(listing.os, "scandir", refuse)
    found = list_photos([str(tmp_path)], recursive=True)
    assert [photo.name for photo in found.photos] == ["a.jpg", "open/c.jpg"]
    assert found.unreadable == ((str(tmp_path / "secret"), "may not be read (Permission denied)"),)


@pytest.mark.parametrize("name", ["", "~nobody-of-this-name.jpg", "x" * 300, "a\0b", "/proc/1/root/x.jpg"])
def test_odd_names_are_no_folders(name: str) -> None:
    assert not is_folder(name)
