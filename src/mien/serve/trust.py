"""The <emotion, area> authenticity tables as JSON."""

from __future__ import annotations

from typing import Any

from mien.analyze.analyzer import Analyzer
from mien.errors import ModelError
from mien.serve.problems import NotFoundError
from mien.trust.fitted import read_table


def trust_tables(analyzer: Analyzer) -> dict[str, Any]:
    """``{"dataset", "n", "areas": [row, ...], "fused": [row, ...]}``; a row is emotion, area, p, low, high, n, n_right.

    Raises:
        NotFoundError: the models were never calibrated.
    """
    models = analyzer.models
    try:
        areas, fused = (
            read_table(models.folder, name, models.network) for name in ("authenticity", "authenticity_fused")
        )
    except ModelError as error:
        raise NotFoundError("these models have no authenticity table: make one with  mien calibrate") from error
    calibration = analyzer.judge.calibration
    return {
        "dataset": calibration.dataset if calibration else "",
        "n": calibration.n if calibration else 0,
        "areas": areas.to_dict("records"),
        "fused": fused.to_dict("records"),
    }
