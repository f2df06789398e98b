"""``mien analyze``: photos (and folders and videos) -> tables, JSON, CSV, Parquet, drawn pictures."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.assets import SAMPLE
from mien.cli.limits import add_limits, limits_of
from mien.cli.noise import native_noise_hidden
from mien.cli.options import add_options, options_of
from mien.cli.outputs import _FORMATS, _sinks, table_of
from mien.errors import ImageError, InputError, MienError, NoFaceError, UsageError, one_line, writable
from mien.face.formats import VIDEO_SUFFIXES
from mien.jobs.limits import memory_limit, time_limit

if TYPE_CHECKING:
    from mien.analyze.analyzer import Analyzer
    from mien.analyze.answers import Answers
    from mien.analyze.listing import Listing

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
    add_options(parser)
    given = parser.add_mutually_exclusive_group()
    given.add_argument(
        "--boxes", type=Path, metavar="FILE",
        help="analyse these faces instead of looking for some: CSV with the columns input, face_x, face_y, face_width, "
        "face_height (as in mien's own tables)",
    )  # fmt: skip
    given.add_argument("--whole-picture", action="store_true", help="every picture is one face: look for none")
    form = parser.add_mutually_exclusive_group()
    for name in _FORMATS:
        form.add_argument(f"--{name}", action="store_true", help=f"print {name.upper()} instead of a table")
    parser.add_argument(
        "--long", action="store_true",
        help="CSV and Parquet as a tidy table: one row a face, area and emotion instead of one a face",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write .json, .csv or .parquet, by its ending")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier --out instead of refusing")
    parser.add_argument(
        "--save-image", type=Path, metavar="FILE",
        help="draw box, landmarks, areas and answer on the photo (several photos: a folder)",
    )  # fmt: skip
    parser.add_argument(
        "--heatmap", type=Path, metavar="FILE",
        help="lay the class activation map of the answer over the photo (several photos: a folder)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="print only errors, and JSON or CSV where asked for")
    _add_folder_arguments(parser)
    _add_video_arguments(parser)
    add_limits(parser)


def run(args: argparse.Namespace) -> int:
    """Analyse; returns the exit code."""
    with native_noise_hidden():
        paths = _inputs(args)
        videos = [path for path in paths if _is_video(path)]
        if videos and len(videos) < len(paths):
            raise UsageError("analyse videos in a call of their own")
        if not videos and any(_is_folder(path) for path in paths):
            return _folders(args, paths)
        with memory_limit(limits_of(args).memory):
            return _videos(args, paths, open_analyzer) if videos else _photos(args, paths)


def _inputs(args: argparse.Namespace) -> list[str]:
    paths = [str(SAMPLE)] * args.sample + list(args.paths)
    if not paths:
        raise UsageError("name at least one photo, or try  mien analyze --sample")
    return paths


def _is_folder(path: str) -> bool:
    from mien.analyze.listing import is_folder

    return is_folder(path)


def _is_video(path: str) -> bool:
    return Path(path).suffix.lower() in VIDEO_SUFFIXES and not _is_folder(path)


def _photos(args: argparse.Namespace, paths: list[str]) -> int:
    """Every photo in turn; one that cannot be read does not stop the others."""
    outputs = _outputs(args, paths)
    analyzer = open_analyzer(args)
    codes = set()
    with _sinks(args, analyzer.provenance()) as sinks:
        for number, path in enumerate(paths):
            try:
                answers = _answers(analyzer, path, args)
            except InputError as error:
                _complain(error)
                codes.add(error.exit_code)
                for sink in sinks:
                    sink.failed(path, str(error))
                continue
            for sink in sinks:
                sink.add(answers)
            for target, draw in outputs:
                try:
                    _save(draw(answers), _target(target, path, number, len(paths)))
                except InputError as error:
                    _complain(error)
                    codes.add(error.exit_code)
            if not answers:
                _complain(NoFaceError(f"{answers.input}: {_no_face(args)}"))
                codes.add(NoFaceError.exit_code)
    return min(codes, default=0)


def _no_face(args: argparse.Namespace) -> str:
    if args.detector != "mesh":
        return "no face found"
    return f"no face found of {args.min_face:g} pixels or more (--min-face looks for smaller ones)"


def open_analyzer(args: argparse.Namespace) -> Analyzer:
    """The Analyzer that the options describe."""
    from mien.analyze.analyzer import Analyzer

    return Analyzer(args.models, args.network, options=options_of(args), heatmap=args.heatmap is not None)


def _answers(analyzer: Analyzer, path: str, args: argparse.Namespace) -> Answers:
    """One photo's answers, within its time; whatever it does to mien, the others are analysed.

    Raises:
        InputError: it cannot be analysed.
    """
    from mien.analyze.boxes import read_boxes

    name = {"-": "standard input", str(SAMPLE): SAMPLE.name}.get(path, path)
    picture = sys.stdin.buffer if path == "-" else path
    try:
        boxes = None if args.boxes is None else read_boxes(args.boxes).of(name)
        with time_limit(analyzer.options.limits.seconds):
            return analyzer.analyze(picture, boxes=boxes, whole_picture=args.whole_picture, input=name)
    except MienError as error:
        if isinstance(error, InputError) and not isinstance(error, ImageError):
            raise InputError(f"{path}: {error}") from None
        if isinstance(error, ImageError) and not str(error).startswith(f"{writable(path)}: "):
            raise ImageError(f"{writable(name)}: {error}") from None
        raise
    except MemoryError:
        raise InputError(f"{path}: it needs more memory than --max-memory allows") from None
    except Exception as error:
        raise InputError(f"{path}: mien failed on it ({one_line(f'{type(error).__name__}: {error}')})") from None


def _complain(error: MienError) -> None:
    print(f"mien: {error}", file=sys.stderr)


def _outputs(args: argparse.Namespace, paths: Sequence[str]) -> list[tuple[Path, Callable[[Answers], Any]]]:
    """Where drawn pictures go, and what draws them; no two in one place, none in that of a photo."""
    wanted: list[tuple[str, Path | None, Callable[[Answers], Any]]] = [
        ("--save-image", args.save_image, lambda answers: answers.annotated()),
        ("--heatmap", args.heatmap, lambda answers: answers.overlaid()),
    ]
    chosen = []
    for option, target, draw in wanted:
        if target is None:
            continue
        if len(paths) > 1 and target.suffix and not _is_folder(str(target)):
            raise UsageError(f"{option}: for several photos name a folder, not the file {target}")
        if len(paths) == 1 and _is_folder(str(target)):
            raise UsageError(f"{option}: for one photo name a file, not the folder {target}")
        chosen.append((target, draw))
    if chosen:
        from mien.analyze.drawings import Drawings, refuse_inputs

        Drawings(args.save_image, args.heatmap)
        refuse_inputs(paths, (_place(t, p, i, len(paths)) for t, _ in chosen for i, p in enumerate(paths)))
    return chosen


def _place(target: Path, path: str, number: int, count: int) -> Path:
    return target if count == 1 else target / f"{number + 1:03d}-{Path(path).stem[:80]}.png"


def _target(target: Path, path: str, number: int, count: int) -> Path:
    place = _place(target, path, number, count)
    try:
        place.parent.mkdir(parents=count > 1, exist_ok=True)
    except OSError as error:
        raise InputError(f"{place.parent}: cannot be made a folder ({error.strerror})") from None
    return place


def _save(image: Any, path: Path) -> None:
    from mien.face import images

    images.save(image, path)


def _add_folder_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that concern folders."""
    group = parser.add_argument_group("folders")
    group.add_argument("--recursive", "-r", action="store_true", help="also the folders below")
    group.add_argument("--workers", type=int, metavar="N", help="processes for a folder (default: one a core)")
    group.add_argument(
        "--engine", choices=("processes", "ray"), default="processes",
        help="who works on a folder: processes of this machine (default), or a Ray cluster (RAY_ADDRESS; extra ray)",
    )  # fmt: skip


def _folders(args: argparse.Namespace, paths: Sequence[str]) -> int:
    """Analyse folders (and photos beside them); returns the exit code."""
    from mien.analyze.drawings import Drawings
    from mien.analyze.folder import FolderSettings, analyze_folder
    from mien.analyze.listing import list_photos

    out = table_of(args, "a folder")
    if args.workers is not None and args.workers < 1:
        raise UsageError(f"--workers must be at least 1, got {args.workers}")
    settings = FolderSettings(
        options_of(args), args.models, args.network, boxes=args.boxes, whole_picture=args.whole_picture,
        save_image=args.save_image, save_heatmap=args.heatmap,
    )  # fmt: skip
    drawings = Drawings(args.save_image, args.heatmap)
    listing = list_photos(paths, args.recursive, drawings.folders)
    if not args.quiet:
        _say_what_is_left_out(listing)
    summary = analyze_folder(
        paths,
        out,
        settings,
        recursive=args.recursive,
        workers=args.workers,
        overwrite=args.overwrite,
        quiet=args.quiet,
        listing=listing,
        engine=args.engine,
    )
    if not args.quiet:
        print(summary)
    return InputError.exit_code if summary.failed else 0


def _say_what_is_left_out(listing: Listing) -> None:
    for what in listing.words:
        print(f"mien: left out: {what}", file=sys.stderr)
    for path, why in listing.unreadable:
        print(f"mien: {writable(path)}: {why}", file=sys.stderr)


def _add_video_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that concern videos."""
    group = parser.add_argument_group("videos")
    group.add_argument("--rate", type=float, metavar="FPS", help="frames a second that are analysed (default: all)")
    group.add_argument(
        "--smoothing", type=float, default=0.3, metavar="S", help="of the answers over time, in seconds (0.3; 0: none)"
    )
    group.add_argument("--timeline", type=Path, metavar="FILE", help="draw the faces over time (.png, .svg, .pdf)")
    group.add_argument("--annotate", type=Path, metavar="FILE", help="write the video with the answers drawn on it")


def _videos(
    args: argparse.Namespace, paths: Sequence[str], open_analyzer: Callable[[argparse.Namespace], Analyzer]
) -> int:
    """Analyse videos; returns the exit code."""
    _check(args, paths)
    if args.out is not None:
        return _run(args, paths, table_of(args, "a video"), open_analyzer)
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        return _run(args, paths, Path(folder) / "video.csv", open_analyzer)


def _check(args: argparse.Namespace, paths: Sequence[str]) -> None:
    if args.out is not None or args.json or args.csv or args.parquet:
        table_of(args, "a video")
    if args.boxes is not None or args.whole_picture:
        raise UsageError("--boxes and --whole-picture are for photos")
    if args.save_image is not None or args.heatmap is not None:
        raise UsageError("--save-image and --heatmap are for photos; for a video take --annotate or --timeline")
    if len(paths) > 1 and (args.timeline is not None or args.annotate is not None):
        raise UsageError("--timeline and --annotate take one video at a time")


def _run(
    args: argparse.Namespace, paths: Sequence[str], out: Path, open_analyzer: Callable[[argparse.Namespace], Analyzer]
) -> int:
    from mien.analyze.video import VideoSettings, analyze_videos

    settings = VideoSettings(rate=args.rate, smoothing=args.smoothing)
    result = analyze_videos(paths, out, open_analyzer(args), settings, overwrite=args.overwrite, quiet=args.quiet)
    if args.timeline is not None:
        from mien.analyze.video.timeline import save_timeline

        save_timeline(result.series, args.timeline)
    if args.annotate is not None:
        from mien.analyze.video.annotate import annotate_video

        annotate_video(Path(paths[0]).expanduser(), out, args.annotate, paths[0], quiet=args.quiet)
    for name, sentence in result.problems:
        print(f"mien: {name}: {sentence}", file=sys.stderr)
    if not args.quiet:
        print(result)
    return InputError.exit_code if result.problems else 0
