"""``mien examples``: faces to try mien with, as pictures in a folder."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="gets the pictures; made where it is missing")
    parser.add_argument("--overwrite", action="store_true", help="replace pictures of the same names")


def run(args: argparse.Namespace) -> int:
    """Draw and write; prints where each lies and what it shows."""
    from mien.analyze.analyzer import Analyzer
    from mien.analyze.examples import TITLES, example_picture
    from mien.assets import SAMPLE
    from mien.errors import InputError
    from mien.jobs.files import replace_file
    from mien.jobs.tables import refuse_existing

    folder, analyzer = args.folder.expanduser(), Analyzer()
    landmarks = analyzer.analyze(SAMPLE)[0].face.landmarks
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = {name: folder / f"{name}.jpg" for name in TITLES}
        for file in files.values():
            refuse_existing(file, args.overwrite)
        for name, file in files.items():
            replace_file(file, example_picture(name, lambda: landmarks))
            print(f"{file}: {TITLES[name]}")
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror})") from error
    return 0
