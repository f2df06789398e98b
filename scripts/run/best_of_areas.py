"""Which network answers for a single area: the one network, or the VGG that sees that area alone, enlarged.

    python scripts/run/best_of_areas.py CACHE                       measure on validation, write the result file
    python scripts/run/best_of_areas.py CACHE --take                also put the better ones into the manifest
    mien calibrate --cache CACHE ...                                then fit trust anew

CACHE is FER+ prepared with the mesh, as photos are. A VGG is taken only where it is right on more faces of the
validation split and the 95% interval of the paired difference lies above 0; the test split says nothing here. The whole
face always stays with the one network, whose pass also says what is hidden.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mien.data.cache import FaceCache
from mien.jobs.files import replace_json
from mien.measure.metrics import paired_difference
from mien.measure.predictions import by_area, cached_predict
from mien.trust.models import Models
from mien.types import Area

OUT = Path(__file__).parents[2] / "docs" / "results" / "models" / "best_of_areas.json"


def main() -> None:
    """Measure, write, and with --take change the manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cache", type=Path)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--take", action="store_true")
    args = parser.parse_args()
    cache = FaceCache.open(args.cache)
    families = {network: Models(args.models, network) for network in ("resnet", "vgg")}
    logits, labels = {}, None
    for network, models in families.items():
        table = cached_predict(cache, models, "validation", lambda line: print(line, file=sys.stderr))
        logits[network], labels = by_area(table[table["published"]])
    result: dict[str, Any] = {}
    for area in logits["resnet"]:
        one, vgg = (logits[network][area].argmax(1) == labels for network in ("resnet", "vgg"))
        gain = paired_difference(vgg, one)
        taken = area is not Area.WHOLE_FACE and gain.low > 0
        result[area.value] = {
            "resnet": round(float(one.mean()), 4), "vgg": round(float(vgg.mean()), 4),
            "gain": [round(v, 4) for v in (gain.value, gain.low, gain.high)], "taken": "vgg" if taken else "resnet",
        }  # fmt: skip
        print(area.value, result[area.value])
    command = "python scripts/run/best_of_areas.py CACHE --take"
    replace_json(
        OUT, {"command": command, "split": "validation, the paper's selection", "n": len(one), "areas": result}
    )
    if args.take:
        manifest = families["resnet"].manifest
        taken_areas = [Area(name) for name, row in result.items() if row["taken"] == "vgg"]
        manifest.with_entries("resnet", {a: manifest.networks["vgg"][a] for a in taken_areas}).write()


if __name__ == "__main__":
    main()
