"""``python -m mien.cli.train_visibility``: train, measure and ship the visibility network."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from mien.data.cache import FaceCache
from mien.measure.occluders import HELD_OUT_KINDS, TRAINING_KINDS
from mien.measure.pages import markdown
from mien.measure.visibility import VisibilityConfig, draw_views, measure
from mien.train.visibility import FILE_NAME, add_to_manifest, choose_thresholds, seen, to_onnx, train
from mien.trust.visibility import VisibilityModel


def main(argv: Sequence[str] | None = None) -> int:
    """Train, choose thresholds on validation, write the network and its manifest entry; or only measure it on test."""
    parser = argparse.ArgumentParser(prog="mien.train.visibility", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a prepared data set (mien data prepare)")
    parser.add_argument("--out", type=Path, required=True, help="the folder of models")
    parser.add_argument("--faces", type=int, default=VisibilityConfig.faces, help="views drawn for training")
    parser.add_argument("--epochs", type=int, default=VisibilityConfig.epochs)
    parser.add_argument("--watch", type=int, default=6000, help="validation views that choose the thresholds")
    parser.add_argument("--results", type=Path, help="measure on test faces and write visibility.csv and .json here")
    parser.add_argument("--check", type=int, default=8000, help="test views a set of occluders, for --results")
    parser.add_argument("--measure-only", action="store_true", help="do not train: measure the network in --out")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    cache, config = FaceCache.open(args.data), VisibilityConfig(faces=args.faces, epochs=args.epochs)
    if not args.measure_only:
        network = train(cache, config)
        watched = draw_views(cache, "validation", TRAINING_KINDS, args.watch, config, 2)
        thresholds = choose_thresholds(seen(network, watched), watched.hidden)
        args.out.mkdir(parents=True, exist_ok=True)
        digest = to_onnx(network, args.out / FILE_NAME)
        add_to_manifest(args.out, digest, thresholds, config)
        print(f"{args.out / FILE_NAME}: {(args.out / FILE_NAME).stat().st_size / 1e3:.0f} kB, thresholds {thresholds}")
    if args.results:
        command = "python -m mien.train.visibility " + " ".join(sys.argv[1:] if argv is None else argv)
        _write(measure(VisibilityModel(args.out), cache, args.check, config), args, command)
    return 0


def _write(table: pd.DataFrame, args: argparse.Namespace, command: str) -> None:
    args.results.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.results / "visibility.csv", index=False, float_format="%.5g")
    held_out = table[table["occluders"] == "held out"]
    manifest = json.loads((args.out / "manifest.json").read_text())["visibility"]
    summary = {
        "command": command,
        "sha256": manifest["sha256"],
        "thresholds": manifest["thresholds"],
        "held_out_kinds": list(HELD_OUT_KINDS),
        "training_kinds": list(TRAINING_KINDS),
        "balanced_accuracy": {
            str(r["part"]): round(float(r["balanced_accuracy"]), 4) for r in held_out.to_dict("records")
        },
    }
    (args.results / "visibility.json").write_text(json.dumps(summary, indent=1) + "\n")
    shown = dict.fromkeys(["balanced_accuracy", "low", "high", "visible_found", "hidden_found"], ".1%")
    text = f"# Finding which parts are visible\n\nMade by\n\n    {command}\n\n{markdown(table, shown)}\n"
    (args.results / "visibility.md").write_text(text)
    print(table[table["occluders"].isin(["held out", "training", "none"])].to_string(index=False))


if __name__ == "__main__":
    raise SystemExit(main())
