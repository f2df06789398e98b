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
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd

from mien.errors import InputError, UsageError, writable
from mien.jobs.files import replace_json, replacing
from mien.jobs.lock import claimed
from mien.jobs.tables import failures_path, new_table, refuse_existing, refuse_foreign, table_format, write_failures

_EXACT_FLOATS: Any = {} if int(pd.__version__.partition(".")[0]) >= 3 else {"float_precision": "round_trip"}
"""What pandas does of itself from version 3 on."""

Amend = Callable[[int, dict[str, Any], pd.DataFrame], tuple[pd.DataFrame, list[list[str]]]]


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
        self._lock = ExitStack()
        try:
            self._open(dict(settings), overwrite)
        except OSError as error:
            raise InputError(f"cannot write {self.out}: {error.strerror}") from error

    def _open(self, settings: dict[str, Any], overwrite: bool) -> None:
        refuse_existing(self.out, overwrite or self.folder.exists())
        refuse_foreign(failures_path(self.out))
        if not self._lock.enter_context(claimed(self.folder / "lock")):
            raise UsageError(f"another process is working on {self.out}")
        try:
            self._begin(settings, overwrite)
        except BaseException:
            self.close()
            raise

    def _begin(self, settings: dict[str, Any], overwrite: bool) -> None:
        kept = self.folder / "settings.json"
        plain = json.loads(json.dumps(settings))
        if overwrite:
            self._clear()
        if not kept.exists():
            replace_json(kept, plain)
            return
        before = _json(kept)
        if before is None:
            raise InputError(f"{self.folder} is damaged: add --overwrite to begin anew")
        changed = sorted(k for k in before.keys() | plain.keys() if before.get(k) != plain.get(k))
        if changed:
            raise UsageError(
                f"{self.folder} holds unfinished work with other settings ({', '.join(changed)}): "
                "repeat that command to finish it, or add --overwrite to begin anew"
            )

    def _clear(self) -> None:
        for path in self.folder.iterdir():
            if path.name != "lock":
                path.unlink()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.folder.is_dir() and self.next_number == 0:  # nothing is worth keeping
            shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let go of the lock; the pieces stay."""
        self._lock.close()

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
        with replacing(target) as scratch:
            if self.format == "csv":
                rows.to_csv(scratch, index=False)
            else:
                rows.to_parquet(scratch, index=False)
        replace_json(target.with_suffix(".json"), dict(note))

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
        with new_table(self.out, self.columns, self.made_by) as table:
            for rows in tables:
                table.frame(rows)
            write_failures(self.out, failures)
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _json(path: Path) -> dict[str, Any] | None:
    """An object in a file; None where it is absent or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
