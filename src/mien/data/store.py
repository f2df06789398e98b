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
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO

import numpy as np

from mien.errors import DatasetError, ImageError
from mien.types import UInt8

MARK = "::"

Source = Path | str


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
        root = Path(root).expanduser()
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
        if self.is_zip:
            everything = [n for n in _zip(self.root).namelist() if not n.endswith("/") and "__MACOSX/" not in n]
        else:
            everything = list(_walk(self.root))
        return frozenset(n[len(self.base) :] for n in everything if n.startswith(self.base))

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
        return self.base + name + ("" if line is None else f", line {line}")

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
            return source.relative_to(self.root).as_posix()
        text = source.removeprefix(f"{self.root}{MARK}")
        return text if text != source else Path(source).relative_to(self.root).as_posix()


def _walk(root: Path) -> Iterator[str]:
    """Relative names of all files; hidden ones (``._x``, ``.DS_Store``) left out. os.walk: 36,000 files in 0.1 s."""

    def refuse(error: OSError) -> None:
        raise DatasetError(f"{error.filename} may not be read ({error.strerror})")

    for folder, _, files in os.walk(root, onerror=refuse, followlinks=True):
        prefix = os.path.relpath(folder, root).replace(os.sep, "/")
        for name in files:
            if not name.startswith("."):
                yield name if prefix == "." else f"{prefix}/{name}"


@lru_cache(maxsize=4)
def _open_zip(path: Path, stamp: tuple[int, int]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DatasetError(f"{path} is not a readable zip ({error})") from error


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from error
    return status.st_mtime_ns, status.st_size


def _zip(path: Path) -> zipfile.ZipFile:
    return _open_zip(path, _stamp(path))


def read_bytes(source: Source) -> bytes:
    """A file's, or a zip member's, content.

    Raises:
        ImageError: it is missing, cannot be read, or is damaged inside the zip.
    """
    try:
        if isinstance(source, Path):
            return source.read_bytes()
        container, member = source.split(MARK, 1)
        return _zip(Path(container)).read(member)
    except (KeyError, FileNotFoundError):
        raise ImageError("no such file") from None
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise ImageError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None


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
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    rows: list[UInt8] = []
    usage: list[str] = []
    bad: dict[int, str] = {}
    with _open_text(source) as file:
        reader = csv.reader(file)
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
        if isinstance(source, Path):
            with source.open(encoding="utf-8-sig", newline="") as file:
                yield file
        else:
            container, member = source.split(MARK, 1)
            with _zip(Path(container)).open(member) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
                yield text
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile, KeyError) as error:
        raise DatasetError(f"{source} cannot be read ({error})") from error


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
