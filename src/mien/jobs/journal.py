"""Finished pieces of a long analysis, kept on disk until all of it is done: the same command goes on from them.

Beside ``results.csv`` lies ``results.csv.journal/`` while the work runs::

    settings.json     what the work is; another run continues it only with the same settings
    lock              held by the process that works on it
    000000.csv        the rows of piece 0 (or .parquet, as the result)
    000000.json       written last: what piece 0 covers; a piece without it does not count

A piece is complete or absent, whenever the process is killed.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd

from mien.errors import InputError, MissingExtraError, UsageError, writable

TableFormat = Literal["csv", "parquet"]

_EXACT_FLOATS: Any = {} if int(pd.__version__.partition(".")[0]) >= 3 else {"float_precision": "round_trip"}
"""What pandas does of itself from version 3 on."""

FAILURE_COLUMNS = ("input", "error", "message")

Amend = Callable[[int, dict[str, Any], pd.DataFrame], tuple[pd.DataFrame, list[list[str]]]]


def table_format(out: Path) -> TableFormat:
    """The format that a result's name asks for.

    Raises:
        UsageError: the name ends in neither .csv nor .parquet.
        MissingExtraError: .parquet, and pyarrow is not installed.
    """
    suffix = out.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise UsageError(f"the name of the result must end in .csv or .parquet, got {out.name}")
    if suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("pyarrow", "parquet", "writing Parquet") from error
    return cast(TableFormat, suffix[1:])


def failures_path(out: Path) -> Path:
    """Where the failures of a result are listed: ``results.csv`` -> ``results.failures.csv``."""
    return out.with_name(f"{out.stem}.failures.csv")


def meta_path(out: Path) -> Path:
    """Where what made a CSV is written: ``results.csv`` -> ``results.meta.json``."""
    return out.with_name(f"{out.stem}.meta.json")


class Journal:
    """The finished pieces of one result. Use as a context manager; it holds the lock.

    Args:
        out: the result's file, .csv or .parquet.
        settings: JSON-like; what must be the same for a continued run.
        columns: name and pandas dtype of every column of the result, in order.
        overwrite: replace an earlier result and forget its journal.
        made_by: JSON-like; what made the result: in a Parquet file's metadata under ``mien``, and beside a CSV as
            ``.meta.json``.

    Raises:
        UsageError: the result exists already, another process works on it, or its journal has other settings.
        InputError: the folder of the result is missing or may not be written.
    """

    def __init__(
        self,
        out: Path,
        settings: Mapping[str, Any],
        columns: Mapping[str, str],
        overwrite: bool = False,
        made_by: Mapping[str, Any] | None = None,
    ) -> None:
        self.out = out
        self.made_by = dict(made_by or {})
        self.columns = dict(columns)
        self.format = table_format(out)
        self.folder = out.with_name(out.name + ".journal")
        self._lock: Any = None
        try:
            self._open(dict(settings), overwrite)
        except OSError as error:
            raise InputError(f"cannot write {self.out}: {error.strerror}") from error

    def _open(self, settings: dict[str, Any], overwrite: bool) -> None:
        if self.out.is_dir():
            raise UsageError(f"{self.out} is a folder: name a file for the table")
        _refuse_foreign(failures_path(self.out))
        if self.out.exists() and not overwrite and not self.folder.exists():
            raise UsageError(f"{self.out} exists already: choose another name or add --overwrite")
        self.folder.mkdir(exist_ok=True)
        self._take_lock()
        kept = self.folder / "settings.json"
        plain = json.loads(json.dumps(settings))
        if overwrite:
            self._clear()
        if kept.exists():
            before = _json(kept)
            if before is None:
                self.close()
                raise InputError(f"{self.folder} is damaged: add --overwrite to begin anew")
            changed = sorted(k for k in before.keys() | plain.keys() if before.get(k) != plain.get(k))
            if changed:
                self.close()
                raise UsageError(
                    f"{self.folder} holds unfinished work with other settings ({', '.join(changed)}): "
                    "repeat that command to finish it, or add --overwrite to begin anew"
                )
        else:
            _write_whole(kept, json.dumps(plain, indent=1))

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.name != "lock":
                path.unlink()

    def _take_lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows: two processes on one result are the user's own care there
            return
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise UsageError(f"another process is working on {self.out}") from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.folder.is_dir() and self.next_number == 0:  # nothing is worth keeping
            shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let go of the lock; the pieces stay."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def pieces(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Number and note of every finished piece, in order."""
        for path in sorted(self.folder.glob("[0-9]*.json")):
            note = _json(path)  # a damaged piece is one that is not there: its work is done again
            if note is not None and path.stem.isdigit() and path.with_suffix(f".{self.format}").is_file():
                yield int(path.stem), note

    @property
    def next_number(self) -> int:
        """The number after the last finished piece."""
        return max((number for number, _ in self.pieces()), default=-1) + 1

    def commit(self, number: int, rows: pd.DataFrame, note: Mapping[str, Any]) -> None:
        """Keep a finished piece.

        Args:
            number: its place in the result.
            rows: its part of the table.
            note: JSON-like; what it covers, and its ``failures``: a list of [input, error, message].

        Raises:
            InputError: it cannot be written.
        """
        with self._said():
            self._commit(number, rows, note)

    def _commit(self, number: int, rows: pd.DataFrame, note: Mapping[str, Any]) -> None:
        target = self.folder / f"{number:06d}.{self.format}"
        partial = target.with_suffix(".partial")
        if self.format == "csv":
            rows.to_csv(partial, index=False)
        else:
            rows.to_parquet(partial, index=False)
        _replace(partial, target)
        _write_whole(target.with_suffix(".json"), json.dumps(dict(note)))

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        """A disk that is full, or gone, is said in a sentence."""
        try:
            yield
        except OSError as error:
            raise InputError(f"cannot write {writable(self.out)}: {error.strerror}; what is done is kept") from error

    def read(self, number: int) -> pd.DataFrame:
        """The rows of a finished piece.

        Raises:
            InputError: they were damaged from outside; the piece counts no more, so that the next run does it again.
        """
        try:
            return self._read(number)
        except (OSError, ValueError, KeyError) as error:
            (self.folder / f"{number:06d}.json").unlink(missing_ok=True)
            raise InputError(
                f"{self.folder} was damaged from outside: repeat the command, and what is missing is done again"
            ) from error

    def _read(self, number: int) -> pd.DataFrame:
        path = self.folder / f"{number:06d}.{self.format}"
        if self.format == "csv":
            # Only an empty field is missing: a photo may well be called NA.jpg, and numbers come back bit by bit.
            kinds = {name: "object" if kind == "str" else kind for name, kind in self.columns.items()}
            rows: pd.DataFrame = pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=[""], **_EXACT_FLOATS)
            return rows
        return pd.read_parquet(path)

    def finish(self, amend: Amend | None = None) -> None:
        """Join the pieces into the result and its list of failures, and remove the journal.

        One piece is in memory at a time.

        Args:
            amend: called with number, note and rows of each piece; returns the rows and the failures to write.
        """
        failures: list[list[str]] = []

        def pieces() -> Iterator[pd.DataFrame]:
            for number, note in self.pieces():
                rows, failed = self.read(number), note.get("failures", [])
                if amend is not None:
                    rows, failed = amend(number, note, rows)
                failures.extend(failed)
                yield rows

        self.write(pieces(), failures)

    def write(self, tables: Iterable[pd.DataFrame], failures: list[list[str]]) -> None:
        """Write the result and its list of failures, and remove the journal.

        Args:
            tables: the result's rows, a part at a time.
            failures: [input, error, message] each; looked at when all rows are written.

        Raises:
            InputError: it cannot be written; the journal stays.
        """
        with self._said():
            self._write(tables, failures)

    def _write(self, tables: Iterable[pd.DataFrame], failures: list[list[str]]) -> None:
        partial = self.out.with_name(self.out.name + ".partial")
        csv_ = self.format == "csv"
        writer = _CsvWriter(partial, self.columns) if csv_ else _ParquetWriter(partial, self.columns, self.made_by)
        with contextlib.closing(writer):
            for rows in tables:
                writer.write(rows)
        _write_failures(failures_path(self.out), failures)
        if csv_ and self.made_by:
            _write_whole(meta_path(self.out), json.dumps(self.made_by, indent=1) + "\n")
        _replace(partial, self.out)
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _json(path: Path) -> dict[str, Any] | None:
    """An object in a file; None where it is absent or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _refuse_foreign(path: Path) -> None:
    """A list of failures is replaced or removed at the end of a run, but not a file of the user's own.

    Raises:
        UsageError: it is one.
    """
    if not path.exists():
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            ours = file.readline(200).strip() == ",".join(FAILURE_COLUMNS)
    except OSError:
        ours = False
    if not ours:
        raise UsageError(f"{path} is not a list of failures that mien wrote, and would be lost: choose another --out")


class _CsvWriter:
    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._columns = list(columns)
        self._file = path.open("w", encoding="utf-8", newline="")
        csv.writer(self._file, lineterminator="\n").writerow(self._columns)

    def write(self, rows: pd.DataFrame) -> None:
        rows.reindex(columns=self._columns).to_csv(self._file, index=False, header=False)

    def close(self) -> None:
        self._file.close()


class _ParquetWriter:
    def __init__(self, path: Path, columns: Mapping[str, str], made_by: Mapping[str, Any]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._columns = dict(columns)
        kinds = {"str": pa.string(), "bool": pa.bool_(), "float32": pa.float32(), "float64": pa.float64(),
                 "int32": pa.int32(), "int64": pa.int64(), "Int64": pa.int64(), "boolean": pa.bool_()}  # fmt: skip
        empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in self._columns.items()})
        metadata = pa.Table.from_pandas(
            empty, preserve_index=False
        ).schema.metadata  # so that pandas reads its own types
        if made_by:
            metadata = {**(metadata or {}), b"mien": json.dumps(dict(made_by)).encode()}
        self._schema = pa.schema([(name, kinds[kind]) for name, kind in self._columns.items()], metadata)
        self._from_pandas = pa.Table.from_pandas
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: pd.DataFrame) -> None:
        typed = rows.reindex(columns=list(self._columns))
        self._writer.write_table(self._from_pandas(typed, schema=self._schema, preserve_index=False))

    def close(self) -> None:
        self._writer.close()


def _write_failures(path: Path, failures: Iterable[Iterable[str]]) -> None:
    """The second file; absent where nothing failed."""
    rows = list(failures)
    if not rows:
        path.unlink(missing_ok=True)
        return
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FAILURE_COLUMNS)
        writer.writerows(rows)
    _replace(partial, path)


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    _replace(partial, path)


def _replace(partial: Path, target: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)
