"""``mien calibrate``: fit how far answers can be trusted, on labelled faces, and check it on others."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mien.data.samples import SPLITS
from mien.errors import MissingExtraError, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--cache", type=Path, metavar="CACHE", help="a prepared data set (mien data prepare)")
    source.add_argument("--table", type=Path, metavar="PREDICTIONS", help="a PredictionTable (parquet or csv)")
    source.add_argument(
        "--unlabelled", type=Path, metavar="FOLDER",
        help="instead: estimate the mix of emotions of a folder of photos, for --prior",
    )  # fmt: skip
    parser.add_argument(
        "--labelled", type=Path, metavar="CSV",
        help="with --unlabelled: image,label of some photos (about 100, drawn at random), which refine the estimate",
    )  # fmt: skip
    parser.add_argument("--network", metavar="NAME", help="with --unlabelled: network (default: the folder's default)")
    parser.add_argument(
        "--draws", type=int, default=200, metavar="N", help="with --unlabelled: bootstrap replicates (default 200)"
    )
    parser.add_argument("--models", type=Path, help="models folder (default: the shipped ones)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help="where to write (default: the models folder); with --unlabelled the file (.json) for the estimate",
    )  # fmt: skip
    parser.add_argument("--fit-on", choices=SPLITS, default="validation", help="split to fit on (default validation)")
    parser.add_argument("--check-on", choices=SPLITS, default="test", help="split to check on (default test)")
    parser.add_argument("--results", type=Path, metavar="DIR", help="also write every measure and figure here")
    parser.add_argument(
        "--occlusion", action="store_true",
        help="with --data and --results: also cover each part in turn and measure (minutes)",
    )  # fmt: skip
    parser.add_argument("--faces", type=int, default=0, help="with --occlusion: at most so many faces (0: all)")
    parser.add_argument(
        "--splits", type=int, default=100, metavar="N",
        help="random halves of all faces over which interval coverage is measured (default 100)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Predict (or read), fit, check, write, print; or estimate a mix."""
    if args.labelled and not args.unlabelled:
        raise UsageError("--labelled refines what  --unlabelled FOLDER  estimates: name the folder too")
    if args.unlabelled:
        return _mix(args)
    if args.fit_on == args.check_on:
        raise UsageError(f"--fit-on and --check-on are both {args.fit_on}: a fit must be checked on other faces")
    if args.splits < 1 or args.faces < 0:
        raise UsageError(f"--splits is at least 1 and --faces at least 0, got {args.splits} and {args.faces}")
    if args.occlusion and not (args.cache and args.results):
        raise UsageError("--occlusion needs --cache and --results")
    try:
        from mien.measure import calibrate as trust_run
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "scipy", "study", "mien calibrate") from error

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    if args.cache:
        evidence = trust_run.evidence_of_cache(args.cache, args.models, args.fit_on, args.check_on, say)
    else:
        evidence = trust_run.evidence_of_table(args.table, args.fit_on, args.check_on)
    out = trust_run.models_folder(args.models) if args.out is None else args.out
    summary = trust_run.calibrate(evidence, out, args.results, args.typed, say, args.splits)
    if args.occlusion:
        from mien.measure.occlusion import measure_to

        summary["occlusion"] = measure_to(args.cache, args.models, out, args.results, args.typed, args.faces, say)
    print(json.dumps(summary, indent=1) if args.json else trust_run.in_words(summary))
    return 0


def _mix(args: argparse.Namespace) -> int:
    """Estimate the mix of emotions of a folder."""
    try:
        from mien.measure import collection
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "scipy", "study", "mien calibrate --unlabelled") from error
    from mien.jobs.files import replace_file
    from mien.measure.subsets import read_subset
    from mien.trust.models import Models

    draws = collection.checked_draws(args.draws)
    if args.out and args.out.suffix.lower() != ".json":
        raise UsageError(f"--out: with --unlabelled the file name ends with .json, got {args.out.name}")
    labels = read_subset(args.labelled) if args.labelled else None
    estimate = collection.mix_of(args.unlabelled, Models(args.models, args.network), labels, draws)
    text = json.dumps(estimate.to_dict(), indent=1)
    if args.out:
        replace_file(args.out.expanduser(), f"{text}\n")
    print(text if args.json else collection.mix_in_words(estimate))
    return 0
