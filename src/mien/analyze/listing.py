"""Which photos a folder holds, and what their paths say of the labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.errors import InputError
from mien.face import formats

Key = tuple[str, int, int]


@dataclass(frozen=True)
class Photo:
    """One photo to analyse.

    Attributes:
        input: its path as the user gave it, extended; the column ``input``.
        name: its path below the folder that was given: names drawn pictures.
        size: in bytes.
        changed: modification time in nanoseconds.
    """

    input: str
    name: str
    size: int
    changed: int

    @property
    def key(self) -> Key:
        """What must be the same for an earlier answer to stand."""
        return self.input, self.size, self.changed


@dataclass(frozen=True)
class Listing:
    """What was found.

    Attributes:
        photos: in order of folder and name.
        left_out: files that are no photos, by name ending.
        subfolders: how many were not entered.
    """

    photos: tuple[Photo, ...]
    left_out: int
    subfolders: int


def list_photos(paths: Sequence[str], recursive: bool) -> Listing:
    """Photos of folders, by their name endings, and photos named themselves.

    Links to folders are not followed, and names that begin with a dot are left out.

    Raises:
        InputError: a path does not exist or may not be read, or there is no photo at all.
    """
    photos: dict[str, Photo] = {}
    left_out = subfolders = 0
    for path in paths:
        root = Path(path).expanduser()
        if not root.is_dir():
            photos.setdefault(path, _photo(root, path, root.name))
            continue
        for folder, below, names in _walk(root):
            subfolders += 0 if recursive else len(below)
            if not recursive:
                below.clear()
            for name in names:
                if Path(name).suffix.lower() not in formats.SUFFIXES:
                    left_out += 1
                    continue
                file = folder / name
                photo = _photo(file, str(file), str(file.relative_to(root)))
                photos.setdefault(photo.input, photo)
    if not photos:
        more = f"; {subfolders} folders below were left out: add --recursive" if subfolders else ""
        raise InputError(f"{', '.join(paths)}: no photo found ({', '.join(sorted(formats.SUFFIXES))}){more}")
    return Listing(tuple(photos.values()), left_out, subfolders)


def _walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    def refused(error: OSError) -> None:
        raise InputError(f"{error.filename}: may not be read ({error.strerror})") from error

    for folder, below, names in os.walk(root, onerror=refused):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield Path(folder), below, sorted(name for name in names if not name.startswith("."))


def _photo(file: Path, input: str, name: str) -> Photo:
    try:
        state = file.stat()
    except OSError:  # gone or a broken link: it is listed, and fails with its own sentence
        return Photo(input, name, -1, 0)
    return Photo(input, name, state.st_size, state.st_mtime_ns)
