"""Which photos a folder holds, and what their paths say of the labels."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.errors import InputError, path_of, writable
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
        root: the folder that was given, or the one in which the photo lies.
    """

    input: str
    name: str
    size: int
    changed: int
    root: str = ""

    @property
    def key(self) -> Key:
        """What must be the same for an earlier answer to stand."""
        return self.input, self.size, self.changed


@dataclass(frozen=True)
class Listing:
    """What was found.

    Attributes:
        photos: in order of folder and name.
        kinds: what is no photo, by kind -> how many files.
        subfolders: how many were not entered.
        unreadable: (path, why) of folders that may not be read.
    """

    photos: tuple[Photo, ...]
    kinds: Mapping[str, int]
    subfolders: int
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def left_out(self) -> int:
        """Files that are no photos."""
        return sum(self.kinds.values())

    @property
    def words(self) -> list[str]:
        """What was left out, by kind."""
        words = [f"{n:,} {kind}" for kind, n in sorted(self.kinds.items())]
        if self.subfolders:
            words.append(f"{self.subfolders:,} folders below (add --recursive)")
        return words


def is_folder(path: Path | str) -> bool:
    """Whether a path leads to a folder; False for one that cannot be looked at, and for an empty name."""
    try:
        return bool(str(path)) and path_of(path).is_dir()
    except (OSError, ValueError):
        return False


def list_photos(paths: Sequence[str], recursive: bool, drawings: Iterable[Path] = ()) -> Listing:
    """Photos of folders, by their name endings, and photos named themselves.

    Links to folders are not followed, and names that begin with a dot are left out. A folder below that may not be read
    is named in the listing.

    Args:
        paths: folders and photos.
        recursive: also the folders below.
        drawings: folders to leave out: an earlier run's drawings are no photos.

    Raises:
        InputError: there is no photo at all.
    """
    found = _Found({folder.absolute() for folder in drawings} | {_resolved(folder) for folder in drawings})
    for path in paths:
        if is_folder(path):
            found.walk(path_of(path), recursive)
        else:
            found.add(_photo(path_of(path), path, path_of(path).name, str(path_of(path).parent)))
    if not found.photos:
        raise InputError(found.nothing(paths))
    return found.listing


class _Found:
    def __init__(self, drawings: set[Path]) -> None:
        self.photos: dict[str, Photo] = {}
        self._kinds: Counter[str] = Counter()
        self._subfolders = 0
        self._unreadable: list[tuple[str, str]] = []
        self._drawings = drawings

    @property
    def listing(self) -> Listing:
        return Listing(tuple(self.photos.values()), dict(self._kinds), self._subfolders, tuple(self._unreadable))

    def nothing(self, paths: Sequence[str]) -> str:
        """Why there is no photo at all."""
        listing = self.listing
        reasons = [f"{writable(path)}: {why}" for path, why in self._unreadable]
        more = f"; left out: {', '.join(listing.words)}" if listing.words else ""
        known = ", ".join(sorted(formats.SUFFIXES))
        return "; ".join([f"{writable(', '.join(paths))}: no photo found ({known})", *reasons]) + more

    def add(self, photo: Photo) -> None:
        self.photos.setdefault(photo.input, photo)

    def walk(self, root: Path, recursive: bool) -> None:
        waiting = [root]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    inside = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
            except OSError as error:
                self._unreadable.append((str(folder), f"may not be read ({error.strerror})"))
                continue
            below = [Path(entry.path) for entry in inside if self._is_below(entry)]
            if recursive:
                waiting += reversed(below)
            else:
                self._subfolders += len(below)
            for entry in inside:
                self._file(entry, root)

    def _is_below(self, entry: os.DirEntry[str]) -> bool:
        if entry.name in formats.SYSTEM_FOLDERS or not entry.is_dir(follow_symlinks=False):
            return False
        path = Path(entry.path)
        return not self._drawings or (path.absolute() not in self._drawings and _resolved(path) not in self._drawings)

    def _file(self, entry: os.DirEntry[str], root: Path) -> None:
        path = Path(entry.path)
        try:
            if entry.is_dir():
                return
            if not entry.is_file() and not entry.is_symlink():
                self._kinds["devices or named pipes"] += 1
                return
        except OSError:  # a link in a circle: it is listed, and fails with its own sentence
            pass
        kind = kind_of(path)
        if kind:
            self._kinds[kind] += 1
        else:
            self.add(_photo(path, str(path), path.relative_to(root).as_posix(), str(root)))


def kind_of(path: Path) -> str:
    """What a file is that is no photo, in the plural; empty for a photo. One without an ending is looked into."""
    suffix = path.suffix.lower()
    if suffix in formats.SUFFIXES:
        return ""
    if suffix in formats.VIDEO_SUFFIXES:
        return f"videos ({suffix}; analyse them in a call of their own)"
    if suffix in formats.OTHER_PICTURE_SUFFIXES:
        return f"pictures of a kind that mien does not read ({suffix})"
    return "" if not suffix and _is_picture(path) else "files that are no photos"


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return formats.sniff(file.read(64)) in (*formats.READ_FORMATS, *formats.HEIF_FORMATS)
    except OSError:
        return False


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def _photo(file: Path, input: str, name: str, root: str) -> Photo:
    try:
        state = file.stat()
    except (OSError, ValueError):  # gone or a broken link: it is listed, and fails with its own sentence
        return Photo(input, name, -1, 0, root)
    return Photo(input, name, state.st_size, state.st_mtime_ns, root)
