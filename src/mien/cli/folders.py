"""The folder branch of ``mien analyze``: photos by the thousand into one table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import InputError, UsageError

if TYPE_CHECKING:
    from mien.batch import Listing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that concern folders (and, for --overwrite, videos)."""
    group = parser.add_argument_group("folders and videos")
    group.add_argument("--recursive", "-r", action="store_true", help="also the folders below")
    group.add_argument("--workers", type=int, metavar="N", help="processes for a folder (default: one a core)")
    group.add_argument("--overwrite", action="store_true", help="replace an earlier --out instead of refusing")


def run(args: argparse.Namespace, paths: Sequence[str]) -> int:
    """Analyse folders (and photos beside them); returns the exit code."""
    from mien.batch import BatchSettings, analyze_folder, list_photos

    out = table_of(args, "a folder")
    if args.workers is not None and args.workers < 1:
        raise UsageError(f"--workers must be at least 1, got {args.workers}")
    settings = BatchSettings(
        models=args.models,
        network=args.network,
        detector=args.detector,
        area=None if args.area is None else tuple(args.area),
        coverage=args.coverage,
        min_authenticity=args.min_authenticity,
        save_image=args.save_image,
        heatmap=args.heatmap,
    )
    listing = list_photos(paths, args.recursive)
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
    )
    if not args.quiet:
        print(summary)
    return InputError.exit_code if summary.failed else 0


def table_of(args: argparse.Namespace, what: str) -> Path:
    """Where the table goes.

    Raises:
        UsageError: nothing was named, or another form of output was asked for.
    """
    for name in ("json", "csv", "parquet"):
        if getattr(args, name):
            raise UsageError(f"--{name} prints; for {what} write a file, as in  --out results.csv")
    if args.out is None:
        raise UsageError(f"{what} needs a file for its table, as in  --out results.csv  (or .parquet)")
    return Path(args.out).expanduser()


def _say_what_is_left_out(listing: Listing) -> None:
    if listing.left_out:
        print(f"mien: left out: {listing.left_out:,} files that are no photos", file=sys.stderr)
    if listing.subfolders:
        print(f"mien: left out: {listing.subfolders:,} folders below (add --recursive)", file=sys.stderr)
