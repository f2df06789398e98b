"""Where the answers of a call go: text, JSON, CSV or Parquet; to the screen or to a file."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from mien.errors import InputError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from mien.analyze.answers import Answers

_FORMATS = ("json", "csv", "parquet")


class Sink(Protocol):
    """Takes the answers of one picture after the other and writes them."""

    def add(self, answers: Answers) -> None:
        """One picture's answers."""

    def failed(self, path: str, message: str) -> None:
        """A picture that could not be read."""

    def close(self) -> None:
        """Write what is left."""


@contextmanager
def _sinks(args: argparse.Namespace) -> Iterator[list[Sink]]:
    """All outputs that were asked for; closed whatever happens, so that finished pictures are kept."""
    asked = next((name for name in _FORMATS if getattr(args, name)), None)
    out = None if args.out is None else args.out.suffix.lower()[1:]
    if out is not None and out not in _FORMATS:
        raise UsageError(f"--out: the file name ends with .json, .csv or .parquet, got {args.out.name}")
    if "parquet" in (asked, out) and importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError("pyarrow", "parquet", "writing Parquet")
    with ExitStack() as stack:
        sinks: list[Sink] = []
        if asked is not None:
            sinks.append(_sink(asked, sys.stdout, args.long))
        elif not args.quiet:
            sinks.append(_Text())
        if out is not None:
            sinks.append(_sink(out, stack.enter_context(_opened(args.out, out)), args.long, args.out.expanduser()))
        for sink in sinks:
            stack.callback(sink.close)
        yield sinks


def _opened(path: Path, form: str) -> IO[Any]:
    try:
        if form == "parquet":
            return path.expanduser().open("wb")
        return path.expanduser().open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def _sink(form: str, stream: IO[Any], long: bool, path: Path | None = None) -> Sink:
    if form == "json":
        return _Json(stream)
    if form == "csv":
        return _Csv(stream, long, path)
    if stream.isatty():
        raise UsageError(
            "--parquet prints bytes: send them to a file, as in  mien analyze photo.jpg --out answers.parquet"
        )
    return _Parquet(getattr(stream, "buffer", stream), long)


class _Text:
    """Readable tables, one picture after the other."""

    def __init__(self) -> None:
        self._gap = ""

    def add(self, answers: Answers) -> None:
        if answers:
            print(f"{self._gap}{answers}", flush=True)
            self._gap = "\n"

    def failed(self, path: str, message: str) -> None:
        """Said on stderr already."""

    def close(self) -> None:
        """Nothing is left."""


class _Json:
    """A list with one object a picture."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._before = stream, "["

    def add(self, answers: Answers) -> None:
        self._write(answers.to_dict())

    def failed(self, path: str, message: str) -> None:
        self._write({"input": path, "status": "unreadable", "message": message, "faces": []})

    def _write(self, picture: dict[str, Any]) -> None:
        self._stream.write(f"{self._before}\n{json.dumps(picture, indent=1, allow_nan=False)}")
        self._before = ","

    def close(self) -> None:
        self._stream.write(f"{'' if self._before == ',' else '['}\n]\n")
        self._stream.flush()


class _Csv:
    """One row a face; header first."""

    def __init__(self, stream: IO[str], long: bool, path: Path | None) -> None:
        from mien.analyze.table import COLUMNS, LONG_COLUMNS

        self._writer = csv.DictWriter(stream, list(LONG_COLUMNS if long else COLUMNS), lineterminator="\n")
        self._writer.writeheader()
        self._stream, self._long, self._path = stream, long, path

    def add(self, answers: Answers) -> None:
        if self._path is not None:
            _write_meta(self._path, answers)
            self._path = None
        self._rows(answers.to_rows())

    def failed(self, path: str, message: str) -> None:
        self._rows([_unreadable(path, message)])

    def _rows(self, rows: Sequence[dict[str, Any]]) -> None:
        for row in _long(rows) if self._long else rows:
            self._writer.writerow({name: "" if _is_missing(value) else value for name, value in row.items()})
        self._stream.flush()

    def close(self) -> None:
        """Nothing is left."""


class _Parquet:
    """One row a face, written at the end."""

    def __init__(self, stream: IO[bytes], long: bool) -> None:
        self._stream, self._rows, self._long = stream, list[dict[str, Any]](), long
        self._made_by: Mapping[str, Any] = {}

    def add(self, answers: Answers) -> None:
        self._made_by = self._made_by or answers.provenance
        self._rows += answers.to_rows()

    def failed(self, path: str, message: str) -> None:
        self._rows.append(_unreadable(path, message))

    def close(self) -> None:
        import io

        import pyarrow as pa
        import pyarrow.parquet as pq

        from mien.analyze.table import long_table, table_of

        frame = table_of(self._rows)
        table = pa.Table.from_pandas(long_table(frame) if self._long else frame, preserve_index=False)
        made_by = {b"mien": json.dumps(dict(self._made_by)).encode()}
        buffer = io.BytesIO()
        pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **made_by}), buffer)
        self._stream.write(buffer.getvalue())
        self._stream.flush()


def _write_meta(table: Path, answers: Answers) -> None:
    """What made a CSV, beside it."""
    from mien.jobs.files import replace_file
    from mien.jobs.journal import meta_path

    text = json.dumps(dict(answers.provenance), indent=1) + "\n"
    try:
        replace_file(meta_path(table), lambda file: file.write(text.encode()))
    except OSError as error:
        raise InputError(f"{meta_path(table)}: cannot be written ({error.strerror})") from None


def _long(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    from mien.analyze.table import long_table, table_of

    table = long_table(table_of(rows)).astype(object)
    return [{str(k): v for k, v in row.items()} for row in table.where(table.notna(), None).to_dict("records")]


def _unreadable(path: str, message: str) -> dict[str, Any]:
    return {"input": path, "status": "unreadable", "notes": message}


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def table_of(args: argparse.Namespace, what: str) -> Path:
    """Where the table goes.

    Raises:
        UsageError: nothing was named, or another form of output was asked for.
    """
    if args.long:
        raise UsageError(f"--long is for photos; of {what}'s table  mien.analyze.table.long_table  makes a tidy one")
    for name in ("json", "csv", "parquet"):
        if getattr(args, name):
            raise UsageError(f"--{name} prints; for {what} write a file, as in  --out results.csv")
    if args.out is None:
        raise UsageError(f"{what} needs a file for its table, as in  --out results.csv  (or .parquet)")
    return Path(args.out).expanduser()
