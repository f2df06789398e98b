"""A result table on the disk: CSV or Parquet, written whole, with what failed and what made it beside or inside it."""

from __future__ import annotations

import contextlib
import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol, cast

from mien.errors import InputError, MissingExtraError, UsageError
from mien.jobs.files import replace_json, replacing

if TYPE_CHECKING:
    import pandas as pd

TableFormat = Literal["csv", "parquet"]

FAILURE_COLUMNS = ("input", "error", "message")


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
        need_pyarrow()
    return cast(TableFormat, suffix[1:])


def need_pyarrow() -> None:
    """Raises MissingExtraError where Parquet cannot be written."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet", "writing Parquet") from error


def failures_path(out: Path) -> Path:
    """Where the failures of a result are listed: ``results.csv`` -> ``results.failures.csv``."""
    return out.with_name(f"{out.stem}.failures.csv")


def meta_path(out: Path) -> Path:
    """Where what made a CSV is written: ``results.csv`` -> ``results.meta.json``."""
    return out.with_name(f"{out.stem}.meta.json")


def refuse_existing(out: Path, overwrite: bool) -> None:
    """The one fate of every ``--out`` that exists: it is kept, unless the user says otherwise.

    Raises:
        UsageError: it exists and is not to be replaced, or it is a folder.
        InputError: its folder is missing.
    """
    if out.is_dir():
        raise UsageError(f"{out} is a folder: name a file for the table")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists already: choose another name or add --overwrite")
    if not out.parent.is_dir():
        raise InputError(f"cannot write {out}: No such file or directory")


class TableWriter(Protocol):
    """Takes the rows of a table, a few at a time."""

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows by column; what a row lacks, None and NaN are missing."""

    def frame(self, table: pd.DataFrame) -> None:
        """Rows as a DataFrame; columns that it lacks are missing, those that the table lacks are left out."""

    def close(self) -> None:
        """Write what is left; the stream stays open."""


def writer_of(
    form: TableFormat, stream: IO[Any], columns: Mapping[str, str], made_by: Mapping[str, Any] | None = None
) -> TableWriter:
    """A writer of one table.

    Args:
        form: csv or parquet.
        stream: gets a CSV's text, each row at once, or a Parquet file's bytes.
        columns: name and pandas dtype of every column, in order.
        made_by: JSON-like; what made the table, kept in a Parquet file's metadata under ``mien``.
    """
    return _Csv(stream, columns) if form == "csv" else _Parquet(stream, columns, made_by or {})


@contextmanager
def new_table(out: Path, columns: Mapping[str, str], made_by: Mapping[str, Any] | None = None) -> Iterator[TableWriter]:
    """A table that is there whole or as it was before, its ``.meta.json`` with it where it is a CSV.

    Args:
        out: the file, .csv or .parquet.
        columns: name and pandas dtype of every column, in order.
        made_by: JSON-like; what made the table.
    """
    form = table_format(out)
    with replacing(out) as scratch:
        text: dict[str, Any] = {"mode": "w", "encoding": "utf-8", "newline": ""} if form == "csv" else {"mode": "wb"}
        with scratch.open(**text) as stream, contextlib.closing(writer_of(form, stream, columns, made_by)) as writer:
            yield writer
        if form == "csv" and made_by:
            replace_json(meta_path(out), dict(made_by))


def write_failures(out: Path, failures: Iterable[Sequence[str]]) -> None:
    """List what failed, [input, error, message] each, beside a result; no list where nothing did."""
    rows, path = list(failures), failures_path(out)
    if not rows:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([FAILURE_COLUMNS, *rows])


def refuse_foreign(path: Path) -> None:
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


class _Csv:
    def __init__(self, stream: IO[str], columns: Mapping[str, str]) -> None:
        self._stream, self._columns = stream, list(columns)
        self._writer = csv.DictWriter(stream, self._columns, lineterminator="\n", extrasaction="ignore")
        self._writer.writeheader()

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._writer.writerows({name: _field(value) for name, value in row.items()} for row in rows)
        self._stream.flush()

    def frame(self, table: pd.DataFrame) -> None:
        table.reindex(columns=self._columns).to_csv(self._stream, index=False, header=False, lineterminator="\n")

    def close(self) -> None:
        self._stream.flush()


def _field(value: Any) -> Any:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


class _Parquet:
    def __init__(self, stream: IO[bytes], columns: Mapping[str, str], made_by: Mapping[str, Any]) -> None:
        import pandas as pd
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa = pa
        kinds = {"str": pa.string(), "bool": pa.bool_(), "float32": pa.float32(), "float64": pa.float64(),
                 "int32": pa.int32(), "int64": pa.int64(), "Int64": pa.int64(), "boolean": pa.bool_()}  # fmt: skip
        empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
        about = pa.Table.from_pandas(empty, preserve_index=False).schema.metadata  # so that pandas reads its own types
        if made_by:
            about = {**(about or {}), b"mien": json.dumps(dict(made_by)).encode()}
        self._schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()], about)
        self._writer = pq.ParquetWriter(stream, self._schema, compression="zstd")

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        arrays = [self._pa.array([row.get(f.name) for row in rows], f.type, from_pandas=True) for f in self._schema]
        self._writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))

    def frame(self, table: pd.DataFrame) -> None:
        typed = table.reindex(columns=self._schema.names)
        self._writer.write_table(self._pa.Table.from_pandas(typed, schema=self._schema, preserve_index=False))

    def close(self) -> None:
        self._writer.close()
