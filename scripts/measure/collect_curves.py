"""Every training that was begun, kept ones and failed tries alike: configuration and curve.

    python scripts/measure/collect_curves.py ~/.cache/mien/runs --out docs/results/training

Writes ``curves.csv`` (one line an epoch) and ``runs.csv`` (one line a run: what it was, how far it came, its best and
last accuracy on the watched split).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from mien.train.config import TrainConfig, epochs_of


def row_of(folder: Path, config: TrainConfig, curve: pd.DataFrame) -> dict[str, object]:
    """One line of runs.csv."""
    watched = next(column for column in map(str, curve.columns) if column.endswith("_accuracy"))
    changed = {k: v for k, v in config.to_dict().items() if v != TrainConfig().to_dict()[k]}
    changed["start_from"], changed["teacher"] = (Path(str(changed.get(k, ""))).name for k in ("start_from", "teacher"))
    return {
        "run": folder.name, "network": config.network, "area": config.area, "seed": config.seed,
        "finished": (folder / "model.safetensors").is_file(), "epochs": len(curve),
        "planned": len(epochs_of(config.stages)), "best": curve[watched].max(), "last": curve[watched].iloc[-1],
        "hours": round(curve["seconds"].sum() / 3600, 3),
        "settings": json.dumps({k: v for k, v in changed.items() if v}),
    }  # fmt: skip


def main() -> None:
    """Collect, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    curves, rows = [], []
    for file in sorted(args.runs.expanduser().glob("*/curve.csv")):
        config = TrainConfig.from_dict(json.loads((file.parent / "config.json").read_text()))
        curve = pd.read_csv(file)
        curves.append(curve.assign(run=file.parent.name))
        rows.append(row_of(file.parent, config, curve))
    args.out.mkdir(parents=True, exist_ok=True)
    pd.concat(curves, ignore_index=True).to_csv(args.out / "curves.csv", index=False)
    pd.DataFrame(rows).to_csv(args.out / "runs.csv", index=False)


if __name__ == "__main__":
    main()
