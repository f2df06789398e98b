"""``mien trust``: how far can "says EMOTION, from AREA" be trusted?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from mien.cli.options import PRIOR_HELP
from mien.data.samples import SPLITS
from mien.errors import UsageError
from mien.trust.authenticity import in_words
from mien.trust.fitted import lookup, read_table
from mien.trust.prior import Prior
from mien.types import AREAS, EMOTIONS, Area, Emotion, Interval


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "check", nargs="?", choices=["check"],
        help="does trust hold on your own labelled faces (--data)? said against true, and what to do",
    )  # fmt: skip
    parser.add_argument(
        "--data", metavar="NAME:ROOT|FOLDER|CSV",
        help="with check: a data set in its layout, a folder with a folder an emotion, or a csv: image,emotion",
    )  # fmt: skip
    parser.add_argument("--split", choices=SPLITS, help="with check: only this split")
    parser.add_argument("--faces", type=int, default=0, help="with check: at most so many, drawn evenly (0: all)")
    parser.add_argument("--prior", type=Prior.parse, metavar="MIX", help=PRIOR_HELP)
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
    """Read the table, print it, draw it; or check."""
    if bool(args.check) != bool(args.data):
        raise UsageError("mien trust check --data NAME:ROOT|FOLDER|CSV  checks labelled faces; both words are needed")
    if args.check:
        return _check(args)
    if args.image and args.image.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--image: expected a name that ends in .png, .svg or .pdf, got {args.image.name}")
    whole = table = _table_of(args)
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


def _table_of(args: argparse.Namespace) -> pd.DataFrame:
    """The table as it was fitted, or worked out for another mix of emotions."""
    if args.prior is None:
        return read_table(args.models, "authenticity_fused" if args.fused else "authenticity", args.network)
    from mien.measure.mixed import trust_under
    from mien.trust.authenticity import Calibration
    from mien.trust.models import Models
    from mien.trust.reference import read_reference

    models = Models(args.models, args.network)
    calibration = Calibration.load(models.folder, models.network)
    return trust_under(args.prior, calibration, read_reference(models.folder, models.network), args.fused)


def _check(args: argparse.Namespace) -> int:
    from mien.measure.check import check_samples, samples_to_check
    from mien.trust.models import Models

    if args.faces < 0:
        raise UsageError(f"--faces is at least 0, got {args.faces}")
    samples = samples_to_check(args.data, args.split)
    if args.faces and len(samples) > args.faces:
        samples = [samples[i * len(samples) // args.faces] for i in range(args.faces)]
    found = check_samples(samples, Models(args.models, args.network), args.prior)
    print(json.dumps(found.to_dict(), indent=1) if args.json else found)
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
