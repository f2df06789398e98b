"""The video branch of ``mien analyze``: faces with time stamps, a timeline, an annotated video."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.cli.folders import table_of
from mien.errors import InputError, UsageError

if TYPE_CHECKING:
    from mien.analyze import Analyzer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that concern videos."""
    group = parser.add_argument_group("videos")
    group.add_argument("--rate", type=float, metavar="FPS", help="frames a second that are analysed (default: all)")
    group.add_argument(
        "--smoothing", type=float, default=0.3, metavar="S", help="of the answers over time, in seconds (0.3; 0: none)"
    )
    group.add_argument("--timeline", type=Path, metavar="FILE", help="draw the faces over time (.png, .svg, .pdf)")
    group.add_argument("--annotate", type=Path, metavar="FILE", help="write the video with the answers drawn on it")


def run(args: argparse.Namespace, paths: Sequence[str], open_analyzer: Callable[[argparse.Namespace], Analyzer]) -> int:
    """Analyse videos; returns the exit code."""
    _check(args, paths)
    if args.out is not None:
        return _run(args, paths, table_of(args, "a video"), open_analyzer)
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        return _run(args, paths, Path(folder) / "video.csv", open_analyzer)


def _check(args: argparse.Namespace, paths: Sequence[str]) -> None:
    if args.out is not None or args.json or args.csv or args.parquet:
        table_of(args, "a video")
    if args.save_image is not None or args.heatmap is not None:
        raise UsageError("--save-image and --heatmap are for photos; for a video take --annotate or --timeline")
    if len(paths) > 1 and (args.timeline is not None or args.annotate is not None):
        raise UsageError("--timeline and --annotate take one video at a time")


def _run(
    args: argparse.Namespace, paths: Sequence[str], out: Path, open_analyzer: Callable[[argparse.Namespace], Analyzer]
) -> int:
    from mien.video import VideoSettings, analyze_videos

    settings = VideoSettings(rate=args.rate, smoothing=args.smoothing)
    result = analyze_videos(paths, out, open_analyzer(args), settings, overwrite=args.overwrite, quiet=args.quiet)
    if args.timeline is not None:
        from mien.video.timeline import save_timeline

        save_timeline(result.series, args.timeline)
    if args.annotate is not None:
        from mien.video.annotate import annotate_video

        annotate_video(Path(paths[0]).expanduser(), out, args.annotate, paths[0], quiet=args.quiet)
    for name, sentence in result.problems:
        print(f"mien: {name}: {sentence}", file=sys.stderr)
    if not args.quiet:
        print(result)
    return InputError.exit_code if result.problems else 0
