"""How far beyond a hidden part to blank, chosen on validation faces with the occluders of the training set only.

    python scripts/measure/choose_blanking.py --cache CACHE --out docs/results/trust/blanking.csv

For every growth and hidden part: accuracy and log loss of the answer from what is visible, in cross-validation, under
the fusion rule that would be shipped. The growth with the lowest mean log loss is ``areas.BLANK_GROWTH``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from mien.data.cache import FaceCache
from mien.face.crops import BLANK_GROWTH
from mien.measure.covered import occluded_views
from mien.measure.fit.fusion import fit_partial
from mien.trust.models import Models

GROWTHS = (1.0, 1.25, 1.5, 1.75, 2.0)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    cache, models, rows = FaceCache.open(args.cache), Models(), []
    for growth in GROWTHS:
        views = occluded_views(cache, models, "validation", print, growth=growth)
        for score in fit_partial({area: (v.views, v.labels) for area, v in views.items()}).scores:
            if score.chosen:
                rows.append(
                    (growth, score.visible.value, score.rule, score.accuracy, score.macro_recall, score.log_loss)
                )
    table = pd.DataFrame(rows, columns=["growth", "visible", "rule", "accuracy", "macro_recall", "log_loss"])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    table.round(5).to_csv(args.out, index=False)
    mean = table.groupby("growth")[["accuracy", "macro_recall", "log_loss"]].mean()
    print(mean.round(4).to_string())
    print(f"lowest log loss at {mean['log_loss'].idxmin()}; areas.BLANK_GROWTH is {BLANK_GROWTH}")


if __name__ == "__main__":
    main()
