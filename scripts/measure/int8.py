"""Do the int8 networks say on this machine what they say without integer arithmetic?

python scripts/measure/int8.py CACHE [--out docs/results/models/int8.json]

Every int8 network of the package answers validation faces three times: as mien runs it, as onnxruntime runs it by
default (on processors with AVX2 alone the sums of int8 products overflow there), and with the graph as it is written,
where each value is rounded as int8 is but summed in float32: what int8 arithmetic should give.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime as ort

from mien.data.cache import FaceCache, crops_of
from mien.face.aligned import aligned
from mien.face.session import EXACT
from mien.trust.models import Models
from mien.types import Area

WAYS = {"as mien runs it": ("all", "1"), "onnxruntime's default": ("all", "0"), "float32 sums": ("none", "1")}
FACES = 1_000


def session(content: bytes, level: str, exact: str) -> ort.InferenceSession:
    """The network as one of WAYS opens it."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if level == "none":
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry(EXACT, exact)
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def measured(cache: FaceCache, network: str, area: Area) -> dict[str, Any]:
    """How often each way is right, and how far it is from float32 sums."""
    entry = Models(None, network).entry(area)
    rows = cache.rows("validation", "majority")
    rows = rows[np.linspace(0, len(rows) - 1, min(FACES, len(rows))).astype(int)]
    if entry.spec.mask == "aligned":
        crops = np.stack([aligned(cache.canvas(int(row)), side=entry.spec.size).pixels for row in rows])
    else:
        crops = crops_of(cache, rows, area, entry.spec)
    logits = {}
    for name, (level, exact) in WAYS.items():
        opened = session(entry.path.read_bytes(), level, exact)
        pieces = [opened.run(["logits"], {"crops": crops[i : i + 50]})[0] for i in range(0, len(crops), 50)]
        logits[name] = np.concatenate(pieces)
    wanted = logits["float32 sums"]
    return {
        name: {
            "accuracy": round(float((z.argmax(axis=1) == cache.labels[rows]).mean()), 4),
            "mean_logit_difference": round(float(np.abs(z - wanted).mean()), 4),
            "other_emotion": round(float((z.argmax(axis=1) != wanted.argmax(axis=1)).mean()), 4),
        }
        for name, z in logits.items()
    }


def flags() -> list[str]:
    """What of int8 arithmetic the processor has."""
    known = {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"}
    info = Path("/proc/cpuinfo")
    return sorted(known & set(info.read_text().split())) if info.is_file() else [platform.machine()]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="FER+ as  mien data prepare  left it")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cache = FaceCache.open(args.cache)
    networks = {"resnet whole_face": ("resnet", Area.WHOLE_FACE), "vgg whole_face": ("vgg", Area.WHOLE_FACE),
                "vgg mouth": ("vgg", Area.MOUTH)}  # fmt: skip
    result = {
        "command": "python scripts/measure/int8.py CACHE --out docs/results/models/int8.json",
        "instructions": flags(), "onnxruntime": ort.__version__, "faces": FACES, "split": "validation",
        "networks": {name: measured(cache, *which) for name, which in networks.items()},
    }  # fmt: skip
    text = json.dumps(result, indent=1) + "\n"
    sys.stdout.write(text)
    if args.out:
        args.out.write_text(text)


if __name__ == "__main__":
    main()
