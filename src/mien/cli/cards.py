"""``mien cards``: model cards from a models folder and its evaluation."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mien.errors import TableError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("evaluation", type=Path, help="what  mien evaluate --out FILE  wrote for these models")
    parser.add_argument("--models", type=Path, help="models folder (default: the shipped ones)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the cards")


def run(args: argparse.Namespace) -> int:
    """Write the cards."""
    from mien.measure.cards import write_cards
    from mien.trust.models import Models

    try:
        evaluation = json.loads(args.evaluation.read_text())
        network = evaluation["network"]
    except (OSError, ValueError, KeyError) as error:
        raise TableError(f"{args.evaluation} is not an evaluation written by mien evaluate ({error})") from error
    for path in write_cards(Models(args.models, network), evaluation, args.out):
        print(path)
    return 0
