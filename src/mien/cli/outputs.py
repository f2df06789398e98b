"""Where the answers of a call go: text, JSON, CSV or Parquet; to the screen or to a file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

from mien.errors import InputError, UsageError
from mien.jobs.files import replacing
from mien.jobs.tables import TableFormat, TableWriter, need_pyarrow, new_table, refuse_existing, writer_of

if TYPE_CHECKING:
    from mien.analyze.answers import Answers

_FORMATS = ("json", "csv", "parquet")


class Sink(Protocol):
    """Takes the answers of one picture after the other and writes them.

    Attributes:
        begun: True once there is something to write.
    """

    begun: bool

    def add(self, answers: Answers) -> None:
        """One picture's answers."""

    def failed(self, path: str, message: str) -> None:
        """A picture that could not be read."""

    def close(self) -> None:
        """Write what is left."""


@contextmanager
def _sinks(args: argparse.Namespace, made_by: Mapping[str, Any]) -> Iterator[list[Sink]]:
    """All outputs that were asked for; closed whatever happens, so that finished pictures are kept."""
    asked = next((name for name in _FORMATS if getattr(args, name)), None)
    out = None if args.out is None else args.out.expanduser()
    if out is not None:
        if out.suffix.lower()[1:] not in _FORMATS:
            raise UsageError(f"--out: the file name ends with .json, .csv or .parquet, got {out.name}")
        refuse_existing(out, args.overwrite)
    if "parquet" in (asked, out and out.suffix.lower()[1:]):
        need_pyarrow()
    with ExitStack() as stack:
        sinks: list[Sink] = []
        if asked is not None:
            sinks.append(stack.enter_context(_printed(asked, args.long, made_by)))
        elif not args.quiet:
            sinks.append(_Text())
        if out is not None:
            try:
                sinks.append(stack.enter_context(_filed(out, args.long, made_by)))
            except OSError as error:
                raise InputError(f"cannot write {out}: {error.strerror}") from None
        yield sinks


@contextmanager
def _printed(form: str, long: bool, made_by: Mapping[str, Any]) -> Iterator[Sink]:
    """Standard output; whatever happens, what is printed ends as its form demands."""
    if form == "parquet" and sys.stdout.isatty():
        raise UsageError(
            "--parquet prints bytes: send them to a file, as in  mien analyze photo.jpg --out answers.parquet"
        )
    with ExitStack() as stack:
        if form == "json":
            sink: Sink = _Json(sys.stdout)
            stack.callback(sink.close)
        else:
            stream = sys.stdout if form == "csv" else sys.stdout.buffer
            writer = writer_of(cast(TableFormat, form), stream, _columns(long), made_by)
            sink = _Table(writer, long)
            stack.callback(writer.close)
        yield sink


@contextmanager
def _filed(out: Path, long: bool, made_by: Mapping[str, Any]) -> Iterator[Sink]:
    """A file that is there whole or as it was before; an interruption leaves it with what was finished, if anything."""
    stopped: BaseException | None = None
    with ExitStack() as stack:
        sink: Sink
        if out.suffix.lower() == ".json":
            scratch = stack.enter_context(replacing(out))
            sink = _Json(stack.enter_context(scratch.open("w", encoding="utf-8", newline="")))
        else:
            sink = _Table(stack.enter_context(new_table(out, _columns(long), made_by)), long)
        try:
            yield sink
        except BaseException as error:
            if not sink.begun:
                raise
            stopped = error
        sink.close()
    if stopped is not None:
        raise stopped


def _columns(long: bool) -> Mapping[str, str]:
    from mien.analyze.table import COLUMNS, LONG_COLUMNS

    return LONG_COLUMNS if long else COLUMNS


class _Text:
    """Readable tables, one picture after the other."""

    def __init__(self) -> None:
        self._gap, self.begun = "", False

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
        self._stream, self._before, self.begun = stream, "[", False

    def add(self, answers: Answers) -> None:
        self._write(answers.to_dict())

    def failed(self, path: str, message: str) -> None:
        self._write({"input": path, "status": "unreadable", "message": message, "faces": []})

    def _write(self, picture: dict[str, Any]) -> None:
        self._stream.write(f"{self._before}\n{json.dumps(picture, indent=1, allow_nan=False)}")
        self._before, self.begun = ",", True

    def close(self) -> None:
        self._stream.write(f"{'' if self._before == ',' else '['}\n]\n")
        self._stream.flush()


class _Table:
    """One row a face."""

    def __init__(self, writer: TableWriter, long: bool) -> None:
        self._writer, self._long, self.begun = writer, long, False

    def add(self, answers: Answers) -> None:
        self._rows(answers.to_rows())

    def failed(self, path: str, message: str) -> None:
        self._rows([_unreadable(path, message)])

    def _rows(self, rows: Sequence[dict[str, Any]]) -> None:
        self._writer.rows(_long(rows) if self._long else rows)
        self.begun = True

    def close(self) -> None:
        """Nothing is left that the writer's own end does not write."""


def _long(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    from mien.analyze.table import long_table, table_of

    table = long_table(table_of(rows)).astype(object)
    return [{str(k): v for k, v in row.items()} for row in table.where(table.notna(), None).to_dict("records")]


def _unreadable(path: str, message: str) -> dict[str, Any]:
    return {"input": path, "status": "unreadable", "notes": message}


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
