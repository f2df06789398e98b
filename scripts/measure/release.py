"""What int8 costs and what the mirror image gives, network by network, on validation faces.

    python scripts/measure/release.py RUN... --cache CACHE --out docs/results/models/release.csv

Every run is exported in fp32 and in int8, and read with and without the mirror image, without logit bias. ``ms`` is the
median time of one crop, one thread; measure it on a quiet machine.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mien.data.cache import FaceCache
from mien.measure import metrics
from mien.measure.cards import latency
from mien.measure.predictions import labels_of, logits_of, predict
from mien.train.export import ExportConfig, export_trainings
from mien.train.runs import load
from mien.trust.authenticity import softmax
from mien.trust.models import Models


def measure(cache: FaceCache, run: str, folder: Path) -> list[dict[str, object]]:
    """One row an area, precision and reading."""
    rows: list[dict[str, object]] = []
    trained = load(run)
    for precision in ("fp32", "int8"):
        out = folder / precision
        manifest = export_trainings(cache, [trained], out, ExportConfig(precision), lambda _: None)
        network = trained.config.network
        entries = manifest.networks[network]
        for flip in (False, True):
            manifest.with_entries(network, {area: replace(entry, flip=flip) for area, entry in entries.items()}).write()
            models = Models(out, network, threads=1)
            for area in models.areas:
                table, entry = predict(cache, models, "validation", (area,), bias=False), models.entry(area)
                logits, labels = logits_of(table), labels_of(table)
                rows.append({
                    "run": trained.name, "area": area.value, "precision": precision, "flip": flip,
                    "accuracy": metrics.accuracy(labels, logits.argmax(axis=1)).value,
                    "log_loss": metrics.log_loss(labels, softmax(logits)),
                    "ms": latency(models, area), "megabytes": entry.path.stat().st_size / 1e6, "n": len(labels),
                })  # fmt: skip
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of finished trainings, or RUN@SIDE")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    cache, rows = FaceCache.open(args.cache), []
    for run in args.runs:
        with tempfile.TemporaryDirectory() as scratch:
            rows += measure(cache, run, Path(scratch))
        print(pd.DataFrame(rows[-4:]).to_string(index=False), flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).round(5).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
