"""Simulated predictions: faces with a right emotion, and seven correlated, over-confident area networks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mien.face.spec import PUBLISHED_SPEC
from mien.measure.predictions import LOGIT_COLUMNS
from mien.types import AREAS, EMOTIONS, N_EMOTIONS, Area, Part

PRIOR = np.array([0.36, 0.27, 0.12, 0.12, 0.08, 0.015, 0.025, 0.01])
STRENGTH = {Part.EYES: 1.0, Part.NOSE: 0.8, Part.MOUTH: 1.6}


def simulate(n: int, seed: int = 0, sharpness: float = 1.8) -> tuple[dict[Area, np.ndarray], np.ndarray]:
    """Logits float32 [n, 8] of each area, and labels int64 [n]. ``sharpness`` above 1 is over-confidence."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(N_EMOTIONS, n, p=PRIOR / PRIOR.sum())
    own = {part: generator.standard_normal((n, N_EMOTIONS)) for part in Part}
    logits = {}
    for area in AREAS:
        evidence = np.zeros((n, N_EMOTIONS))
        for part in area.parts:
            evidence += STRENGTH[part] * (STRENGTH[part] * np.eye(N_EMOTIONS)[labels] + own[part])
        blur = 0.3 * generator.standard_normal((n, N_EMOTIONS))
        logits[area] = (sharpness * (evidence + np.log(PRIOR / PRIOR.sum()) + blur)).astype(np.float32)
    return logits, labels.astype(np.int64)


def prediction_table(n: int, split: str, seed: int = 0, network: str = "vgg") -> pd.DataFrame:
    """A PredictionTable of seven areas."""
    logits, labels = simulate(n, seed)
    tables = []
    for area in AREAS:
        table = pd.DataFrame({
            "sample_id": [f"{split}{i:05d}" for i in range(n)], "dataset": "simulated", "split": split,
            "area": area.value, "spec": PUBLISHED_SPEC.key, "network": network, "seed": -1,
            "label": [EMOTIONS[i].value for i in labels], "majority": True,
        })  # fmt: skip
        table[list(LOGIT_COLUMNS)] = logits[area]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
