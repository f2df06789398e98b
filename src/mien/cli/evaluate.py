"""``mien evaluate``: measure models on a data set, as anyone can check them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mien.data.cache import FaceCache
from mien.data.samples import SPLITS
from mien.errors import UsageError
from mien.jobs.files import replace_file, replacing
from mien.measure.evaluation import summaries
from mien.measure.predictions import fused_table, predict, predict_visualisation
from mien.trust.authenticity import Calibration
from mien.trust.fusion import Fusion
from mien.trust.models import Models
from mien.types import AREAS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", metavar="NAME:ROOT", help="data set in its official layout, e.g. ferplus:~/ferplus")
    source.add_argument("--cache", type=Path, help="a prepared data set (mien data prepare)")
    parser.add_argument("--models", type=Path, help="models folder (default: the shipped ones)")
    parser.add_argument("--network", help="resnet or vgg (default: the folder's default)")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--no-visualisation", action="store_true", help="leave the visualisation network out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the JSON to this file")
    parser.add_argument(
        "--disturbances", type=Path, metavar="FILE.csv",
        help="instead: resize, blur, compress, turn and dim the pictures; write accuracy and steadiness",
    )  # fmt: skip
    parser.add_argument(
        "--subset", action="append", metavar="NAME:LIST",
        help="instead: answer the pictures of a published list (csv: image,label) end to end; needs --data",
    )  # fmt: skip
    parser.add_argument(
        "--whole-picture", action="store_true", help="with --subset: every picture is one face, as mien analyze says it"
    )
    parser.add_argument("--table", type=Path, metavar="FILE.csv", help="with --subset: also write one row a picture")
    parser.add_argument("--faces", type=int, default=0, help="with --disturbances: at most so many faces (0: all)")
    parser.add_argument(
        "--record", action="store_true",
        help="with --disturbances: write the face sizes measured into the models' manifest, for the notes of answers",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: the cores)")


def run(args: argparse.Namespace) -> int:
    """Predict, measure, print."""
    if args.disturbances:
        return _disturbances(args)
    if args.subset:
        return _subsets(args)
    cache = FaceCache.open(args.cache) if args.cache else _prepared(args.data)
    models = Models(args.models, args.network)
    table = predict(cache, models, args.split, models.areas, lambda text: print(text, file=sys.stderr), "any")
    repeated = set(cache.index.loc[cache.repeated, "id"])
    result = {
        "command": args.typed,
        "dataset": models.manifest.dataset,
        "split": args.split,
        "network": models.network,
        "models": {a.value: models.entry(a).sha256[:12] for a in models.areas},
        **_measured(table, models, repeated),
    }
    if models.manifest.visualisation is not None and not args.no_visualisation:
        print("visualisation network", file=sys.stderr)
        seen = predict_visualisation(cache, models, args.split, "any")
        result["models"]["visualisation"] = models.visualisation.sha256[:12]
        result["visualisation"] = summaries(seen, None, repeated)["whole_face"]
    text = json.dumps(result, indent=1)
    if args.out:
        replace_file(args.out.expanduser(), text + "\n")
    print(text if args.json else _table(result))
    return 0


def _subsets(args: argparse.Namespace) -> int:
    if not args.data:
        raise UsageError("--subset needs the pictures themselves: give --data NAME:ROOT, not --cache")
    from mien.data import read
    from mien.face.detect import detect, face_at
    from mien.measure.subsets import end_to_end, measured_subset, named_subsets, samples_of
    from mien.trust.answer import AnswerPath, Judge

    name, _, root = args.data.partition(":")
    subsets = named_subsets(args.subset)
    samples = samples_of(read(name, root).samples, subsets)
    models = Models(args.models, args.network)
    path = AnswerPath.of(models, Fusion.load(models.folder, models.network))
    judge = Judge(Calibration.load(models.folder, models.network))
    find = (lambda picture: [face_at(picture)]) if args.whole_picture else detect
    table = end_to_end(samples, path, judge, find, lambda text: print(text, file=sys.stderr))
    measured = {name: measured_subset(table, labels) for name, labels in subsets.items()}
    result = {
        "command": args.typed, "network": models.network,
        "models": models.entry(models.areas[-1]).sha256[:12], "subsets": measured,
    }  # fmt: skip
    if args.table:
        with replacing(args.table.expanduser()) as scratch:
            table.round(5).to_csv(scratch, index=False)
    text = json.dumps(result, indent=1)
    if args.out:
        replace_file(args.out.expanduser(), text + "\n")
    print(text if args.json else _subset_table(measured))
    return 0


def _subset_table(subsets: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [f"{'list':<14}{'n':>6}{'found':>8}{'accuracy':>10}{'95% interval':>18}{'macro':>8}{'said':>8}{'true':>8}"]
    for name, row in subsets.items():
        value = row["accuracy"]
        interval = f"{value['low']:.2%} - {value['high']:.2%}"
        lines.append(f"{name:<14}{row['n']:>6}{row['found']:>8.1%}{value['value']:>10.2%}{interval:>18}"
                     f"{row['macro_recall']:>8.1%}{row['said']:>8.1%}{row['true']:>8.1%}")  # fmt: skip
    return "\n".join(lines)


def _disturbances(args: argparse.Namespace) -> int:
    if not args.data:
        raise UsageError("--disturbances needs the pictures themselves: give --data NAME:ROOT, not --cache")
    from mien.data import read
    from mien.measure.disturbances import measure, measured_sizes

    name, _, root = args.data.partition(":")
    samples = [s for s in read(name, root).samples if s.split == args.split]
    if args.faces and args.faces < len(samples):
        samples = samples[:: len(samples) // args.faces][: args.faces]
    models = Models(args.models, args.network)
    table = measure(
        samples, models, lambda area, crops: models.logits(area, crops).argmax(axis=1), args.workers,
        lambda text: print(text, file=sys.stderr),
    )  # fmt: skip
    with replacing(args.disturbances.expanduser()) as scratch:
        table.round(5).to_csv(scratch, index=False)
    if args.record:
        replace(models.manifest, face_size_range=measured_sizes(table)).write()
    wide = table.pivot(index="disturbance", columns="area", values="accuracy")
    print(wide.loc[table["disturbance"].unique(), [a.value for a in AREAS]].map("{:.2%}".format).to_string())
    return 0


def _prepared(data: str) -> FaceCache:
    from mien.data.prepare import prepared

    return prepared(data)


def _measured(table: pd.DataFrame, models: Models, repeated: set[str]) -> dict[str, Any]:
    """Measures of the area networks and, where the folder has a calibration, of the answers fused from several."""
    if not (models.folder / "calibration.json").is_file():
        return {"areas": summaries(table, None, repeated)}
    calibration, fusion = Calibration.load(models.folder, models.network), Fusion.load(models.folder, models.network)
    areas = summaries(table, calibration.probabilities, repeated)
    if not set(AREAS) <= set(models.areas):
        return {"areas": areas}
    fused, sources = fused_table(table, fusion)
    return {
        "areas": areas,
        "fused": summaries(fused, lambda area, z: calibration.probabilities(sources[area], z), repeated),
    }


def _table(result: dict[str, Any]) -> str:
    lines = [f"{'area':<16}{'selection':<11}{'n':>6}{'accuracy':>10}{'95% interval':>18}{'macro recall':>14}{'ECE':>8}"]
    kinds = [("", result["areas"]), ("answers fused from all areas within:", result.get("fused", {}))]
    if "visualisation" in result:
        kinds.append(("visualisation network, not calibrated:", {"whole_face": result["visualisation"]}))
    for title, found in kinds:
        lines += [title] if title and found else []
        for area in AREAS:
            for selection, row in found.get(area.value, {}).items():
                value = row["accuracy"]
                interval = f"{value['low']:.2%} - {value['high']:.2%}"
                lines.append(
                    f"{area.words:<16}{selection:<11}{row['n']:>6}{value['value']:>10.2%}{interval:>18}"
                    f"{row['macro_recall']:>14.2%}{row['ece']:>8.3f}"
                )
    return "\n".join(lines)
