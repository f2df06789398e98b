"""``mien study``: the whole experiment, resumable, down to a report in one page."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from mien.data.cache import FaceCache
from mien.errors import InterruptedWork, MissingExtraError, UsageError
from mien.jobs import places

if TYPE_CHECKING:
    from mien.data import Dataset

PRESETS = ("paper", "default", "cpu", "quick")
NEEDED = ("torch", "safetensors", "sklearn", "scipy", "matplotlib", "jinja2", "pyarrow")
_EPILOG = """examples:
  mien study --data ferplus:~/ferplus.zip --out study --preset cpu
  mien study --data ferplus:~/ferplus.zip --data rafdb:~/rafdb --out study --dry-run
  mien study --data faces:~/my-faces --out trial --preset quick
  mien study --report-from study              # figures and page again, from study/results alone

Every step is kept: after any interruption, even a kill, the same command goes on and loses at most one epoch.
OUT gets report.html, results/*.csv and *.json, figures/*.png and *.svg, settings.json and steps.jsonl.
Trainings lie in --runs and are shared with mien train and the shipped models."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog, parser.formatter_class = _EPILOG, argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--data", action="append", default=[], metavar="NAME:ROOT",
        help="a data set in its official layout, e.g. ferplus:~/ferplus; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--cache", action="append", default=[], type=Path, metavar="DIR",
        help="a prepared data set (mien data prepare) instead; may be repeated",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("study"), metavar="DIR", help="where results go (study)")
    parser.add_argument(
        "--preset", choices=PRESETS, default="default",
        help="paper: published protocol, test-set selection included; default: validation selection, five seeds; "
        "cpu: what two cores can carry; quick: minutes, to try it (default: default)",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the plan with its cost, and do nothing")
    parser.add_argument("--report-only", action="store_true", help="train nothing: report what is finished")
    parser.add_argument(
        "--report-from", type=Path, metavar="DIR",
        help="instead: make figures and report.html of a finished study again from its result files alone",
    )  # fmt: skip
    parser.add_argument(
        "--evaluation", action="append", default=[], type=Path, metavar="FILE",
        help="with --report-from: add this file of mien evaluate --out to the report (Table P); one a network",
    )  # fmt: skip
    parser.add_argument(
        "--subsets", type=Path, metavar="FILE",
        help="with --report-from: add this file of mien evaluate --subset ... --out to the report (Table Q)",
    )  # fmt: skip
    parser.add_argument("--no-faces", action="store_true", help="show no picture of the data's people in the report")
    parser.add_argument(
        "--runs", type=Path, default=places.runs(), metavar="DIR", help=places.help_of("folder of trainings")
    )
    parser.add_argument(
        "--caches", type=Path, default=places.caches(), metavar="DIR", help=places.help_of("folder of prepared data")
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> int:
    """Run the study, or print its plan; prints where the report lies."""
    for package in NEEDED:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "study", "mien study")
    if args.report_from is not None:
        return _report_again(args)
    if args.evaluation or args.subsets:
        raise UsageError("--evaluation and --subsets go with --report-from")
    if not args.data and not args.cache:
        raise UsageError("a study needs data: give --data NAME:ROOT or --cache DIR")
    from mien.study import Study, StudyConfig

    say = _silent if args.quiet or args.dry_run else _say
    signal.signal(signal.SIGTERM, _stop)
    try:
        sources: list[FaceCache | Dataset] = [FaceCache.open(folder) for folder in args.cache]
        sources += [_source(data, args) for data in args.data]
        config = StudyConfig(
            tuple(sources), args.out.expanduser(), args.preset, args.runs, not args.report_only, not args.no_faces,
            args.typed,
        )  # fmt: skip
        study = Study(config, say)
        print(study.plan_text() if args.dry_run else study.run())
    except KeyboardInterrupt:
        raise InterruptedWork(
            "stopped; finished steps and epochs are kept, and the same command goes on from there"
        ) from None
    return 0


def _report_again(args: argparse.Namespace) -> int:
    """Figures and page from the result files of a finished study."""
    if args.data or args.cache or args.dry_run:
        raise UsageError("--report-from reads result files only: give no --data, --cache or --dry-run with it")
    from mien.study import report

    out = args.report_from.expanduser()
    report.add(out, [file.expanduser() for file in args.evaluation], args.subsets and args.subsets.expanduser())
    print(report.build(out))
    return 0


def _source(data: str, args: argparse.Namespace) -> FaceCache | Dataset:
    """A data set, prepared; for a dry run only read, unless it was prepared before."""
    from mien.data import read
    from mien.data.prepare import PrepareConfig, folder_of, prepared

    if not args.dry_run:
        return prepared(data, args.caches, args.quiet, "dlib")
    name, colon, root = data.partition(":")
    if not (name and colon and root):
        raise UsageError(f"a data set is given as NAME:ROOT, such as ferplus:~/data/ferplus; got {data!r}")
    dataset = read(name, root)
    folder = folder_of(dataset, args.caches, PrepareConfig("dlib", quiet=True))
    return FaceCache.open(folder) if folder.is_dir() else dataset


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """Nothing is printed."""


def _stop(number: int, frame: FrameType | None) -> None:
    """End on SIGTERM as on Ctrl-C: cleanly, with everything finished kept."""
    raise KeyboardInterrupt
