"""``mien contribution``: what eyes, nose and mouth each contribute to each emotion."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from mien.errors import UsageError
from mien.trust.fitted import lookup, read_table
from mien.types import EMOTIONS, PARTS

_FILES = {"parts": "contribution", "pairs": "interactions", "coalitions": "coalitions", "psychology": "psychology"}
_WIDTH = len("+10.000 (+10.000 to +10.000)") + 2
"""Of a column: two spaces between the widest values."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--models", type=Path, help="models folder (default: the shipped ones)")
    parser.add_argument("--network", help="resnet or vgg (default: the folder's default)")
    parser.add_argument(
        "--table", type=Path, metavar="PREDICTIONS",
        help="measure on a PredictionTable (parquet or csv) of your own instead of showing the shipped tables",
    )  # fmt: skip
    parser.add_argument(
        "--show", choices=tuple(_FILES), default="parts",
        help="parts (Shapley values), pairs (interactions), coalitions (what each area is worth) or psychology",
    )  # fmt: skip
    parser.add_argument("--game", choices=("information", "recall"), default="information")
    parser.add_argument("--image", type=Path, metavar="FILE", help="also draw the parts' values (png, svg, pdf)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, every game")
    form.add_argument("--csv", action="store_true", help="print CSV, every game")


def run(args: argparse.Namespace) -> int:
    """Read or measure, print, draw."""
    if args.image and args.image.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--image: expected a name that ends in .png, .svg or .pdf, got {args.image.name}")
    tables = _measured(args) if args.table else None
    names = {args.show, "parts"} if args.image else {args.show}
    found = {n: read_table(args.models, _FILES[n], args.network) if tables is None else tables[n] for n in names}
    if args.image:
        from mien.measure.figures import draw_contribution

        draw_contribution(found["parts"], args.image, args.game)
    table = found[args.show]
    if args.json:
        print(json.dumps(table.to_dict("records"), indent=1))
    elif args.csv:
        print(table.to_csv(index=False), end="")
    else:
        print(_text(table, args.show, args.game))
    return 0


def _measured(args: argparse.Namespace) -> dict[str, pd.DataFrame]:
    from mien.measure.fit.contribution import measure_contribution
    from mien.measure.predictions import read_predictions
    from mien.trust.authenticity import Calibration

    check = measure_contribution(Calibration.load(args.models, args.network), read_predictions(args.table))
    return {
        "parts": check.contributions, "pairs": check.interactions, "coalitions": check.values,
        "psychology": check.psychology,
    }  # fmt: skip


def _text(table: pd.DataFrame, show: str, game: str) -> str:
    if show == "psychology":
        lines = ["What psychology measured in people, and these networks:"]
        for row in lookup(table[table["game"] == game], "study", "finding").values():
            gap = f"{row['part']} minus {row['rival']} {row['difference']:+.2f} {row['unit']}"
            gap += f" ({row['low']:+.2f} to {row['high']:+.2f}, n {row['n']})"
            lines.append(f"{row['verdict']:10} {row['finding']}: {gap}; {row['study']}")
        return "\n".join(lines)
    column = {"parts": "part", "pairs": "parts", "coalitions": "area"}[show]
    overall = "accuracy" if game == "recall" else "information"
    unit = "bits a face" if game == "information" else "share of faces answered rightly"
    names = [str(name) for name in dict.fromkeys(table[column])]
    rows = lookup(table, "game", "emotion", column)
    heads = {
        "parts": "Shapley value of each part",
        "pairs": "Interaction of each pair",
        "coalitions": "Worth of each area",
    }
    lines = [f"{heads[show]}, {unit} (95% interval)", "", f"{'':12}" + "".join(f"{n:>{_WIDTH}}" for n in names)]
    for key in [(overall, "all"), *((game, e.value) for e in EMOTIONS)]:
        if (*key, names[0]) in rows:
            cells = [rows[(*key, n)] for n in names]
            texts = [f"{c['value']:+.3f} ({c['low']:+.3f} to {c['high']:+.3f})" for c in cells]
            lines.append(f"{'all faces' if key[1] == 'all' else key[1]:12}" + "".join(f"{t:>{_WIDTH}}" for t in texts))
    if show == "parts":
        lines += ["", f"Parts: {', '.join(p.value for p in PARTS)}. The whole face also shows jaw and cheeks."]
    return "\n".join(lines)
