"""``mien analyze``: photos (and folders and videos) -> tables, JSON, CSV, Parquet, drawn pictures."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from mien.assets import SAMPLE
from mien.cli import folders as cli_folders
from mien.cli import videos as cli_videos
from mien.cli.noise import native_noise_hidden
from mien.errors import InputError, MienError, MissingExtraError, NoFaceError, UsageError
from mien.formats import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from mien.analyze import Analyzer
    from mien.answers import Answers

_FORMATS = ("json", "csv", "parquet")
_EPILOG = """exit codes: 0  every picture was analysed and has a face
            2  the call is wrong
            3  at least one picture could not be read (the others are analysed)
            4  all could be read, and at least one has no face
            5  an optional package is missing      6  the models are missing or damaged
          130  interrupted (what was finished is written)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.epilog, parser.formatter_class = _EPILOG, argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="photos, folders of photos, or videos; - reads one photo from standard input",
    )
    parser.add_argument("--sample", action="store_true", help="analyse the bundled photo")
    parser.add_argument(
        "--area", action="append", metavar="AREA",
        help="what is visible: eyes, nose, mouth (repeat for several), nose_mouth, nose_eyes, mouth_eyes, whole_face; "
        "without it mien finds out",
    )  # fmt: skip
    parser.add_argument("--detector", choices=("auto", "hog", "cnn"), default="auto", help="face detector (auto)")
    parser.add_argument("--network", metavar="NAME", help="vgg or anyarea; without it the models' default")
    parser.add_argument("--models", type=Path, metavar="DIR", help="a folder of models made by  mien export")
    parser.add_argument(
        "--coverage", type=float, metavar="P", help="also list emotions that hold the right one, e.g. 0.9"
    )
    parser.add_argument(
        "--min-authenticity", type=float, default=0.0, metavar="P", help="give no answer that is less sure than this"
    )
    form = parser.add_mutually_exclusive_group()
    for name in _FORMATS:
        form.add_argument(f"--{name}", action="store_true", help=f"print {name.upper()} instead of a table")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write .json, .csv or .parquet, by its ending")
    parser.add_argument(
        "--save-image", type=Path, metavar="FILE",
        help="draw box, landmarks, areas and answer on the photo (several photos: a folder)",
    )  # fmt: skip
    parser.add_argument(
        "--heatmap", type=Path, metavar="FILE",
        help="lay the class activation map of the answer over the photo (several photos: a folder)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="print only errors, and JSON or CSV where asked for")
    cli_folders.add_arguments(parser)
    cli_videos.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Analyse; returns the exit code."""
    with native_noise_hidden():
        paths = _inputs(args)
        videos = [path for path in paths if _is_video(path)]
        if videos and len(videos) < len(paths):
            raise UsageError("analyse videos in a call of their own")
        if videos:
            return cli_videos.run(args, paths, open_analyzer)
        if any(_is_folder(path) for path in paths):
            return cli_folders.run(args, paths)
        return _photos(args, paths)


def _inputs(args: argparse.Namespace) -> list[str]:
    paths = [str(SAMPLE)] * args.sample + list(args.paths)
    if not paths:
        raise UsageError("name at least one photo, or try  mien analyze --sample")
    return paths


def _is_folder(path: str) -> bool:
    return Path(path).expanduser().is_dir()


def _is_video(path: str) -> bool:
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def _photos(args: argparse.Namespace, paths: list[str]) -> int:
    """Every photo in turn; one that cannot be read does not stop the others."""
    outputs = _outputs(args, len(paths))
    analyzer = open_analyzer(args)
    codes = set()
    with _sinks(args) as sinks:
        for number, path in enumerate(paths):
            try:
                answers = _answers(analyzer, path)
            except InputError as error:
                _complain(error)
                codes.add(error.exit_code)
                for sink in sinks:
                    sink.failed(path, str(error))
                continue
            for sink in sinks:
                sink.add(answers)
            for target, draw in outputs:
                _save(draw(answers), _target(target, path, number, len(paths)))
            if not answers:
                _complain(NoFaceError(f"{answers.input}: no face found"))
                codes.add(NoFaceError.exit_code)
    return min(codes, default=0)


def open_analyzer(args: argparse.Namespace) -> Analyzer:
    """The Analyzer that the options describe."""
    from mien.analyze import Analyzer

    return Analyzer(
        args.models, detector=args.detector, network=args.network, area=args.area, heatmap=args.heatmap is not None,
        coverage=args.coverage, min_authenticity=args.min_authenticity,
    )  # fmt: skip


def _answers(analyzer: Analyzer, path: str) -> Answers:
    if path == "-":
        return analyzer.analyze(sys.stdin.buffer, input="standard input")
    if path == str(SAMPLE):
        return analyzer.analyze(path, input=SAMPLE.name)
    return analyzer.analyze(path)


def _complain(error: MienError) -> None:
    print(f"mien: {error}", file=sys.stderr)


def _outputs(args: argparse.Namespace, count: int) -> list[tuple[Path, Callable[[Answers], Any]]]:
    """Where drawn pictures go, and what draws them."""
    wanted: list[tuple[str, Path | None, Callable[[Answers], Any]]] = [
        ("--save-image", args.save_image, lambda answers: answers.annotated()),
        ("--heatmap", args.heatmap, lambda answers: answers.overlaid()),
    ]
    chosen = []
    for option, target, draw in wanted:
        if target is None:
            continue
        if count > 1 and target.suffix:
            raise UsageError(f"{option}: for several photos name a folder, not the file {target}")
        chosen.append((target, draw))
    if len(chosen) == 2 and chosen[0][0] == chosen[1][0]:
        raise UsageError("--save-image and --heatmap name the same place")
    return chosen


def _target(target: Path, path: str, number: int, count: int) -> Path:
    if count == 1:
        return target
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{target}: cannot be made a folder ({error.strerror})") from None
    return target / f"{number + 1:03d}-{Path(path).stem}.png"


def _save(image: Any, path: Path) -> None:
    from mien import images

    images.save(image, path)


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
            sinks.append(_sink(asked, sys.stdout))
        elif not args.quiet:
            sinks.append(_Text())
        if out is not None:
            sinks.append(_sink(out, stack.enter_context(_opened(args.out, out))))
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


def _sink(form: str, stream: IO[Any]) -> Sink:
    if form == "json":
        return _Json(stream)
    if form == "csv":
        return _Csv(stream)
    if stream.isatty():
        raise UsageError(
            "--parquet prints bytes: send them to a file, as in  mien analyze photo.jpg --out answers.parquet"
        )
    return _Parquet(getattr(stream, "buffer", stream))


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

    def __init__(self, stream: IO[str]) -> None:
        from mien.answers import COLUMNS

        self._writer = csv.DictWriter(stream, list(COLUMNS), lineterminator="\n")
        self._writer.writeheader()
        self._stream = stream

    def add(self, answers: Answers) -> None:
        self._rows(answers.to_rows())

    def failed(self, path: str, message: str) -> None:
        self._rows([_unreadable(path, message)])

    def _rows(self, rows: Iterable[dict[str, Any]]) -> None:
        for row in rows:
            self._writer.writerow({name: "" if _is_missing(value) else value for name, value in row.items()})
        self._stream.flush()

    def close(self) -> None:
        """Nothing is left."""


class _Parquet:
    """One row a face, written at the end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._rows = stream, list[dict[str, Any]]()

    def add(self, answers: Answers) -> None:
        self._rows += answers.to_rows()

    def failed(self, path: str, message: str) -> None:
        self._rows.append(_unreadable(path, message))

    def close(self) -> None:
        import io

        from mien.answers import table_of

        buffer = io.BytesIO()
        table_of(self._rows).to_parquet(buffer, index=False)
        self._stream.write(buffer.getvalue())
        self._stream.flush()


def _unreadable(path: str, message: str) -> dict[str, Any]:
    return {"input": path, "status": "unreadable", "notes": message}


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
