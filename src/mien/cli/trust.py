"""``mien trust``: how far can "says EMOTION, from AREA" be trusted?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from mien.errors import UsageError
from mien.trust.authenticity import in_words
from mien.trust.fitted import lookup, read_table
from mien.types import AREAS, EMOTIONS, Area, Emotion, Interval


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--models", type=Path, help="models folder (default: the shipped ones)")
    parser.add_argument("--network", help="resnet or vgg (default: the folder's default)")
    parser.add_argument("--area", choices=[a.value for a in AREAS], help="only this area, in words")
    parser.add_argument("--emotion", choices=[e.value for e in EMOTIONS], help="only this emotion, in words")
    parser.add_argument("--fused", action="store_true", help="of the answers fused from all areas that are visible")
    parser.add_argument("--image", type=Path, metavar="FILE", help="also draw a heat map (png, svg, pdf)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--csv", action="store_true", help="print CSV")


def run(args: argparse.Namespace) -> int:
    """Read the table, print it, draw it."""
    if args.image and args.image.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--image: expected a name that ends in .png, .svg or .pdf, got {args.image.name}")
    whole = table = read_table(args.models, "authenticity_fused" if args.fused else "authenticity", args.network)
    if args.area:
        table = table[table["area"] == args.area]
    if args.emotion:
        table = table[table["emotion"] == args.emotion]
    if args.image:
        from mien.measure.figures import draw_trust

        draw_trust(whole, args.image)
    if args.json:
        print(json.dumps(table.to_dict("records"), indent=1))
    elif args.csv:
        print(table.to_csv(index=False), end="")
    else:
        print(_text(table, words=bool(args.area or args.emotion)))
        if args.image:
            print(f"drawn: {args.image}")
    return 0


def _text(table: pd.DataFrame, words: bool) -> str:
    cells = lookup(table, "area", "emotion")
    if words:
        return "\n".join(_sentence(row) for row in cells.values())
    head = "Of the answers that say EMOTION from AREA, how many are right (95% interval); fitted on validation."
    lines = [head, "", f"{'':16}" + "".join(f"{e.value:>13}" for e in EMOTIONS)]
    for area in AREAS:
        rows = [cells[area.value, e.value] for e in EMOTIONS if (area.value, e.value) in cells]
        if rows:
            ranges = [f"{row['low']:.0%} to {row['high']:.0%}" for row in rows]
            lines.append(f"{area.words:16}" + "".join(f"{row['p']:>13.0%}" for row in rows))
            lines.append(f"{'':16}" + "".join(f"{text:>13}" for text in ranges))
    return "\n".join(lines)


def _sentence(row: dict[str, Any]) -> str:
    interval = Interval(row["p"], row["low"], row["high"], int(row["n"]))
    said = in_words(Area(row["area"]), Emotion(row["emotion"]), interval)
    return f"{said} ({interval.low:.0%} to {interval.high:.0%}, {interval.n} answers on validation)"
