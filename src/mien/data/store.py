"""Where a data set lies: a folder, or a zip that is read as it is. And one picture's bytes by its ``Sample.source``.

A source is one of

===================================  ==================================================================================
``Path("a/b.png")``                  a file
``"ferplus.zip::Test/fer1.png"``     a member of a zip
``"fer2013.csv::12"``                the 12th face (counted from 1, below the head) of a Kaggle csv
``"fer.zip::fer2013.csv::12"``       the same inside a zip
===================================  ==================================================================================
"""

from __future__ import annotations

import csv
import io
import lzma
import os
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from mien.errors import DatasetError, ImageError, path_of, writable
from mien.face.formats import SYSTEM_FOLDERS
from mien.face.limits import DEFAULT_LIMITS
from mien.types import UInt8

MARK = "::"

Source = Path | str
MAX_BYTES = DEFAULT_LIMITS.bytes
"""Largest picture or label file, unpacked: a zip of 3 MB can hold 5 GB."""
MAX_TABLE_BYTES = 2_000_000_000
"""Largest Kaggle csv, unpacked, which is read line by line: the real one has 300 MB."""
MAX_LINE = 1_000_000
"""Longest line of a csv in characters: the 2,304 numbers of a face take 9,000."""
_ZIP_ERRORS = (
    OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError, EOFError, ValueError,
    OverflowError, struct.error,
)  # fmt: skip
"""What ``zipfile`` raises on damaged bytes."""


@dataclass(frozen=True)
class Store:
    """A folder or a zip, by names relative to it, with ``/`` between folders.

    Attributes:
        root: the folder, or the zip file.
        base: prefix of every name that counts, "" or ending with ``/``; names are relative to it.
    """

    root: Path
    base: str = ""

    @classmethod
    def open(cls, root: Path | str) -> Store:
        """Open a folder or a zip; a folder that holds nothing but one zip (and notes) stands for that zip.

        Raises:
            DatasetError: there is no such folder or zip, or it may not be read.
        """
        root = path_of(root)
        try:
            if root.is_file() and not zipfile.is_zipfile(root):
                raise DatasetError(f"{root} is neither a folder nor a zip")
            if not root.exists():
                raise DatasetError(f"{root}: no such folder or zip")
            if root.is_dir():
                inside = list(root.iterdir())
                zips = [p for p in inside if p.suffix.lower() == ".zip" and p.is_file()]
                if len(zips) == 1 and not any(p.is_dir() or p.suffix.lower() == ".csv" for p in inside):
                    root = zips[0]
        except OSError as error:
            raise DatasetError(f"{root} may not be read ({error.strerror})") from error
        return cls(root)

    @property
    def is_zip(self) -> bool:
        """Whether the root is a zip."""
        return self.root.is_file()

    @cached_property
    def names(self) -> frozenset[str]:
        """Every file below the base."""
        everything = _members(self.root) if self.is_zip else self._walked.names
        return frozenset(n[len(self.base) :] for n in everything if n.startswith(self.base))

    @cached_property
    def left_out(self) -> tuple[tuple[str, str], ...]:
        """(Name, why) of what could not be read and of links that lead back, wherever it lies in the root."""
        return () if self.is_zip else tuple(self._walked.left_out)

    @cached_property
    def _walked(self) -> _Walk:
        return _Walk(self.root)

    def find(self, name: str) -> str | None:
        """The file that a label file means by ``name``; None where there is none.

        Taken as it stands, or else with other slashes (``a//b``, ``.\\a``), in another Unicode form (a Mac writes é as
        e and an accent), or as the absolute path of a file below the root.
        """
        if name in self.names:
            return name
        return self._plain_names.get(_plain(self._inside(name)))

    def _inside(self, name: str) -> str:
        """An absolute path without the root (and the base)."""
        if not name.startswith("/") or self.is_zip:
            return name
        below = (self.root / self.base).absolute()
        for folder in (below, below.resolve()):
            if PurePosixPath(name).is_relative_to(folder):
                return str(PurePosixPath(name).relative_to(folder))
        return name

    @cached_property
    def _plain_names(self) -> dict[str, str]:
        return {_plain(name): name for name in sorted(self.names, reverse=True)}

    def bases_of(self, marker: str) -> list[str]:
        """Prefixes under which ``marker`` (a name) is found, shortest first."""
        found = {n[: -len(marker)] for n in self.names if n == marker or n.endswith("/" + marker)}
        return sorted(found, key=lambda b: (b.count("/"), b))

    def folders_of(self, folder: str) -> list[str]:
        """Prefixes under which the folder ``folder`` is found, shortest first."""
        inner = folder + "/"
        found = {n[: n.index(inner)] for n in self.names if n.startswith(inner) or "/" + inner in n}
        return sorted((b for b in found if b == "" or b.endswith("/")), key=lambda b: (b.count("/"), b))

    def below(self, prefix: str) -> Store:
        """The same store with its names relative to ``prefix``."""
        return Store(self.root, self.base + prefix)

    def source(self, name: str) -> Source:
        """``Sample.source`` of a file."""
        return f"{self.root}{MARK}{self.base}{name}" if self.is_zip else self.root / (self.base + name)

    def where(self, name: str, line: int | None = None) -> str:
        """A place in words: ``EmoLabel/list.txt, line 12``."""
        return writable(self.base + name) + ("" if line is None else f", line {line}")

    def lines(self, name: str) -> list[str]:
        """A text file's lines, CRLF or LF, without a byte order mark.

        Raises:
            DatasetError: it is missing, cannot be read, or is not UTF-8 text.
        """
        if name not in self.names:
            raise DatasetError(f"{self.root}: {self.base}{name} is missing")
        try:
            return read_bytes(self.source(name)).decode("utf-8-sig").splitlines()
        except (UnicodeDecodeError, ImageError) as error:
            raise DatasetError(f"{self.where(name)} cannot be read as text ({error})") from error

    def rows(self, name: str) -> list[tuple[int, list[str]]]:
        """A csv's rows with their line numbers; blank lines left out.

        Raises:
            DatasetError: see :meth:`lines`; or it is no csv.
        """
        reader = csv.reader(self.lines(name))
        csv.field_size_limit(MAX_LINE)
        try:
            return [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(c.strip() for c in row)]
        except csv.Error as error:
            raise DatasetError(f"{self.where(name, reader.line_num)} cannot be read as csv ({error})") from error

    def table(self, name: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
        """A csv's head, and its other rows with their line numbers.

        Raises:
            DatasetError: see :meth:`rows`; or it is empty.
        """
        rows = self.rows(name)
        if not rows:
            raise DatasetError(f"{self.where(name)} is empty")
        return rows[0][1], rows[1:]

    def relative(self, source: Source) -> str:
        """A source without the root: what caches and tables name a picture by; the same wherever the data lies."""
        if isinstance(source, Path):
            return writable(source.relative_to(self.root).as_posix())
        text = source.removeprefix(f"{self.root}{MARK}")
        return writable(text if text != source else Path(source).relative_to(self.root).as_posix())


def _plain(name: str) -> str:
    """One spelling for all of a name's: composed letters, single slashes, no ``.``."""
    composed = unicodedata.normalize("NFC", name.replace("\\", "/"))
    return "/".join(part for part in composed.split("/") if part not in ("", "."))


class _Walk:
    """All files below a folder, hidden ones (``._x``, ``.DS_Store``) left out; 36,000 files in 0.1 s.

    Real folders first, then links to folders in the order of their names, each only where it leads to a folder not
    read yet: a link to a parent, or to a sibling, adds nothing but copies.

    Attributes:
        names: names relative to the root.
        left_out: (name, why).
    """

    def __init__(self, root: Path) -> None:
        self.names: list[str] = []
        self.left_out: list[tuple[str, str]] = []
        self._seen: set[tuple[int, int]] = set()
        self._links: list[tuple[str, str]] = []
        self._read(os.fspath(root), "")
        while self._links:
            links, self._links = sorted(self._links), []
            for path, name in links:
                self._read(path, name + "/", link=True)
        self.left_out.sort()

    def _read(self, folder: str, prefix: str, link: bool = False) -> None:
        """Read a folder and the real folders in it, without recursion: a tree may be as deep as it likes."""
        waiting = [(folder, prefix)]
        while waiting:
            folder, prefix = waiting.pop()
            try:
                status = Path(folder).stat()
                if (status.st_dev, status.st_ino) in self._seen:
                    if link:
                        self.left_out.append((prefix, "a link to a folder that is read already"))
                    continue
                self._seen.add((status.st_dev, status.st_ino))
                with os.scandir(folder) as entries:
                    found = list(entries)
            except OSError as error:
                if not prefix:
                    raise DatasetError(f"{folder} may not be read ({error.strerror})") from None
                self.left_out.append((prefix, f"may not be read ({error.strerror})"))
                continue
            waiting += [pair for entry in found if (pair := self._take(entry, prefix)) is not None]

    def _take(self, entry: os.DirEntry[str], prefix: str) -> tuple[str, str] | None:
        """Keep a file's name; a folder is given back to be read."""
        name = prefix + entry.name
        if entry.name.startswith(".") or entry.name in SYSTEM_FOLDERS:
            return None
        try:
            if entry.is_file():
                self.names.append(name)
            elif entry.is_dir(follow_symlinks=False):
                return entry.path, name + "/"
            elif entry.is_dir():
                self._links.append((entry.path, name))
            else:
                why = "a link to nothing" if entry.is_symlink() else "a device or a named pipe, not a file"
                self.left_out.append((name, why))
        except OSError as error:
            self.left_out.append((name, f"may not be read ({error.strerror})"))
        return None


@lru_cache(maxsize=4)
def _open_zip(path: Path, stamp: tuple[int, int]) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """The archive, and its files by their names with ``/`` between folders, whatever Windows wrote."""
    try:
        archive = zipfile.ZipFile(path)
        members = {_slashed(info): info for info in archive.infolist()}
    except _ZIP_ERRORS as error:
        raise DatasetError(f"{path} is not a readable zip ({error})") from error
    return archive, {name: info for name, info in members.items() if _is_data(name)}


def _slashed(info: zipfile.ZipInfo) -> str:
    return info.filename.replace("\\", "/").lstrip("/")


def _is_data(name: str) -> bool:
    parts = name.split("/")
    return parts[-1] != "" and not parts[-1].startswith(".") and not SYSTEM_FOLDERS & set(parts[:-1])


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from error
    return status.st_mtime_ns, status.st_size


def _members(path: Path) -> dict[str, zipfile.ZipInfo]:
    return _open_zip(path, _stamp(path))[1]


def _open_member(source: str) -> IO[bytes]:
    container, name = source.split(MARK, 1)
    path = Path(container)
    archive, members = _open_zip(path, _stamp(path))
    return archive.open(members[name])


def read_bytes(source: Source, limit: int = MAX_BYTES) -> bytes:
    """A file's, or a zip member's, content.

    Raises:
        ImageError: it is missing, larger than ``limit``, cannot be read, or is damaged inside the zip.
    """
    try:
        with source.open("rb") if isinstance(source, Path) else _open_member(source) as file:
            data = file.read(limit + 1)
    except (KeyError, FileNotFoundError):
        raise ImageError("no such file") from None
    except _ZIP_ERRORS as error:
        raise ImageError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(data) > limit:
        raise ImageError(f"the file is larger than {limit / 1e6:g} MB, the limit")
    return data


def csv_row(source: Source) -> tuple[Source, int] | None:
    """The csv and the row (from 1) that a source names; None where it names a file."""
    if isinstance(source, Path):
        return None
    container, _, row = source.rpartition(MARK)
    if not (row.isdigit() and container.lower().endswith(".csv")):
        return None
    return (container if MARK in container else Path(container)), int(row)


@dataclass(frozen=True, eq=False)
class PixelTable:
    """Kaggle's ``fer2013.csv`` or ``icml_face_data.csv``, read once.

    Attributes:
        pixels: uint8 [N, 48, 48].
        usage: N words: Training, PublicTest or PrivateTest.
        bad: row (from 1) -> what is wrong with its pixels.
    """

    pixels: UInt8
    usage: tuple[str, ...]
    bad: dict[int, str]


def pixel_table(source: Source) -> PixelTable:
    """Read a Kaggle csv; kept, so that the next row costs nothing.

    Raises:
        DatasetError: it is missing or has no columns ``Usage`` and ``pixels``.
    """
    file = source if isinstance(source, Path) else Path(source.split(MARK, 1)[0])
    return _pixel_table(source, _stamp(file))


FER_SIDE = 48


@lru_cache(maxsize=1)
def _pixel_table(source: Source, stamp: tuple[int, int]) -> PixelTable:
    csv.field_size_limit(MAX_LINE)
    rows: list[UInt8] = []
    usage: list[str] = []
    bad: dict[int, str] = {}
    with _open_text(source) as file:
        reader = csv.reader(_limited_lines(file))
        head = [cell.strip().lower() for cell in next(reader, [])]
        if not {"usage", "pixels"} <= set(head):
            raise DatasetError(f"{source}, line 1: expected the columns emotion, pixels and Usage, got {head}")
        use, data = head.index("usage"), head.index("pixels")
        for number, row in enumerate((r for r in reader if r), 1):
            text = row[data] if len(row) == len(head) else ""
            try:
                rows.append(_parsed(text))
            except ValueError as error:
                rows.append(np.zeros((FER_SIDE, FER_SIDE), np.uint8))
                bad[number] = str(error)
            usage.append(row[use].strip() if len(row) == len(head) else "")
    pixels = np.stack(rows) if rows else np.zeros((0, FER_SIDE, FER_SIDE), np.uint8)
    return PixelTable(pixels, tuple(usage), bad)


@contextmanager
def _open_text(source: Source) -> Iterator[IO[str]]:
    try:
        raw = source.open("rb") if isinstance(source, Path) else _open_member(source)
        with raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
            yield text
    except (*_ZIP_ERRORS, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise DatasetError(f"{writable(str(source))} cannot be read ({error})") from error


def _limited_lines(file: IO[str]) -> Iterator[str]:
    """A file's lines; one without an end, or a file without one, is refused while it is read, not after."""
    total = 0
    while line := file.readline(MAX_LINE + 1):
        total += len(line)
        if len(line) > MAX_LINE or total > MAX_TABLE_BYTES:
            raise ValueError(f"a line has more than {MAX_LINE:,} characters, or all {MAX_TABLE_BYTES:,}; the limit")
        yield line


def _parsed(text: str) -> UInt8:
    try:
        values = np.fromstring(text, np.int64, sep=" ")
    except ValueError:
        raise ValueError("the pixels are not whole numbers") from None
    if len(values) != FER_SIDE * FER_SIDE:
        raise ValueError(f"expected {FER_SIDE * FER_SIDE} pixels, got {len(values)}")
    if values.min() < 0 or values.max() > 255:
        raise ValueError(f"pixels lie in 0..255, got {values.min()} to {values.max()}")
    return values.astype(np.uint8).reshape(FER_SIDE, FER_SIDE)
