"""What made a result: mien's version, models, network, detector, options and date, for every file mien writes."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mien.analyze.identity import fingerprint_of
from mien.trust.prior import Prior

if TYPE_CHECKING:
    from mien.analyze.analyzer import Analyzer


def provenance_of(analyzer: Analyzer, prior: Prior | None = None) -> dict[str, Any]:
    """What answers, as JSON-like values.

    Args:
        analyzer: what answers.
        prior: the mix of emotions taken into account; None is that of the calibration.

    Returns:
        mien, models, network, fingerprint (16 hexadecimal digits that change with any weight or fitted number),
        calibrated_on (data set; None where the networks were not), detector, device (where the networks ran), prior
        (None where none was given), options and date (UTC, to the second).
    """
    models, calibration = analyzer.models, analyzer.judge.calibration
    return {
        "mien": version("mien"),
        "models": models.manifest.version,
        "network": models.network,
        "fingerprint": fingerprint_of(models)[:16],
        "calibrated_on": None if calibration is None else calibration.dataset,
        "detector": analyzer.options.detector,
        "device": analyzer.device,
        "prior": None if prior is None else prior.named,
        "options": {
            name: value
            for name, value in analyzer.options.to_dict().items()
            if name in ("area", "coverage", "min_p_correct", "min_face")
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
