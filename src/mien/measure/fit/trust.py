"""Fit everything that says how far to trust an answer, and check it on faces that chose nothing.

Fitted on one split (validation), checked on another (test). Starts from PredictionTables and never sees a picture.
Needs scipy and scikit-learn (extra ``study``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.errors import TableError
from mien.measure.covered import HiddenAnswers, OccludedViews
from mien.measure.fit.fusion import FusionFit, fit_fusion, fit_partial
from mien.measure.fit.judge import fit_judge
from mien.measure.fit.pieces import fit_pieces
from mien.measure.fit.pooling import Pooled, correlation, count, pool
from mien.measure.fit.probabilities import (
    COVERAGES,
    Labels,
    compare_methods,
    fit_thresholds,
    fit_vector,
    temperatures_of,
)
from mien.measure.predictions import by_area
from mien.trust.authenticity import Calibration, SourceCalibration, softmax
from mien.trust.fusion import Fusion, fuse
from mien.trust.reference import ReferenceAnswers
from mien.trust.sources import HIDDEN_SOURCES, Source
from mien.types import AREAS, EMOTIONS, N_EMOTIONS, Area, Float32

MINIMUM_FACES = 100
"""Fewer labelled faces cannot fit a calibration worth the name."""


@dataclass(frozen=True, eq=False)
class TrustFit:
    """Everything fitted on one split, of one network family.

    Attributes:
        calibration: what ``mien analyze`` reads.
        fusion: the rules, and how they were chosen.
        methods: every calibration method of every source in cross-validation.
        sources: the sources that every face has: the areas, and those that are fused from them.
        pooled: the posterior behind the authenticity table, in the order of ``sources``.
        reference: by source, the answers on which it was fitted (those of fused sources cross-fitted).
    """

    calibration: Calibration
    fusion: FusionFit
    methods: pd.DataFrame
    sources: tuple[str, ...]
    pooled: Pooled
    reference: Mapping[str, ReferenceAnswers] = field(default_factory=dict)

    def authenticity_table(self, fused: bool = False) -> pd.DataFrame:
        """The AuthenticityTable: emotion, area, p, low, high, n, n_right.

        Of the answers that say ``emotion`` from ``area``, the probability ``p`` that they are right, with its 95%
        interval; ``n`` answers on the fitting split, ``n_right`` of them right.

        Args:
            fused: of the answers fused from all areas within ``area``, instead of the area's own network; the same
                where the rule is ``largest``.
        """
        low, high = self.pooled.interval()
        rows, names = [], list(self.sources)
        for area in AREAS:
            name = Source.of("fused" if fused else "area", area)
            if fused and area in self.fusion.fusion.rules and name not in names:
                name = Source.of("area", area)  # the rule is the area's own answer
            if name not in names:
                continue
            s = names.index(name)
            for e, emotion in enumerate(EMOTIONS):
                n, right = int(self.pooled.said[s, e]), int(self.pooled.right[s, e])
                numbers = [round(float(v), 4) for v in (self.pooled.mean[s, e], low[s, e], high[s, e])]
                rows.append((emotion.value, area.value, *numbers, n, right))
        return pd.DataFrame(rows, columns=["emotion", "area", "p", "low", "high", "n", "n_right"])


def fit_trust(
    table: pd.DataFrame,
    prior: Float32,
    models: Mapping[str, str] | None = None,
    dataset: str | None = None,
    occluded: Mapping[Area, OccludedViews] | None = None,
    hidden: Mapping[str, HiddenAnswers] | None = None,
) -> TrustFit:
    """Fit calibration, judge, prediction sets, authenticity table and fusion.

    Args:
        table: PredictionTable of the fitting split, one network family.
        prior: float32 [8], share of each emotion among the training faces.
        models: fingerprint of each area's network (``authenticity.fingerprint``).
        dataset: its name; None takes the table's.
        occluded: faces of the fitting split with one part covered (``occluded.occluded_views``); None fits no rules for
            faces on which something was found in front of a part, and they are answered from the areas alone.
        hidden: by source, answers for faces of which something was found hidden, of a network that sees that
            (``mien.measure.fit.pieces``).

    Raises:
        TableError: the table is not complete, or holds too few faces.
    """
    logits, labels = by_area(table)
    if len(labels) < MINIMUM_FACES:
        raise TableError(f"calibration needs at least {MINIMUM_FACES} labelled faces, got {len(labels)}")
    whole = fit_fusion(logits, labels)
    partial = fit_partial({area: (faces.views, faces.labels) for area, faces in (occluded or {}).items()})
    sources: dict[str, Float32] = {Source.of("area", area): z for area, z in logits.items()}
    for area, held_out in whole.held_out.items():
        if whole.fusion.rules[area].rule != "largest":
            sources[Source.of("fused", area)] = held_out
    covered: dict[str, Float32] = {Source.of("partial", area): held_out for area, held_out in partial.held_out.items()}
    covered_labels: dict[str, Labels] = {
        Source.of("partial", area): faces.labels for area, faces in (occluded or {}).items()
    }
    scores = {name: compare_methods(z, labels) for name, z in sources.items()}
    scores |= {name: compare_methods(z, covered_labels[name]) for name, z in covered.items()}
    methods = {name: next(s.method for s in rows if s.chosen) for name, rows in scores.items()}
    fitted = fit_sources(sources, labels, methods) | fit_sources(covered, covered_labels, methods)
    if hidden:
        fitted |= fit_pieces(*_rows_of(hidden))
    name = str(table["dataset"].iloc[0]) if dataset is None else dataset
    calibration = Calibration(name, len(labels), prior, fitted, dict(models or {}))
    answers = np.stack([z.argmax(axis=1) for z in sources.values()])
    compared = pd.DataFrame([{"source": name, **asdict(s)} for name, rows in scores.items() for s in rows])
    pooled = pool(*count(answers, labels), correlation(answers, labels))
    fusion = FusionFit(
        Fusion(whole.fusion.rules, partial.fusion.partial), whole.scores + partial.scores, whole.held_out
    )
    kept = {name: ReferenceAnswers(z, labels) for name, z in sources.items()}
    kept |= {name: ReferenceAnswers(z, covered_labels[name]) for name, z in covered.items()}
    kept |= {name: ReferenceAnswers(h.logits, h.labels) for name, h in (hidden or {}).items()}
    return TrustFit(calibration, fusion, compared, tuple(sources), pooled, kept)


def _rows_of(
    hidden: Mapping[str, HiddenAnswers],
) -> tuple[Float32, Labels, npt.NDArray[np.str_], tuple[str, ...], Labels]:
    """Answers by source as what :func:`fit_pieces` takes."""
    rows = list(hidden.values())
    sources = np.repeat(list(hidden), [len(h.labels) for h in rows])
    logits, labels, faces = (np.concatenate([getattr(h, name) for h in rows]) for name in ("logits", "labels", "faces"))
    return logits, labels, sources, HIDDEN_SOURCES, faces


def source_logits(fit: TrustFit, logits: Mapping[Area, Float32]) -> dict[str, Float32]:
    """Logits float32 [N, 8] of every source that a face has, fused ones included."""
    out = {}
    for name in fit.sources:
        area, own = Source(name).area, Source(name).kind == "area"
        out[name] = logits[area] if own else fuse(logits, area.parts, fit.fusion.fusion).logits
    return out


def fit_sources(
    logits: Mapping[str, Float32], labels: Labels | Mapping[str, Labels], methods: Mapping[str, str]
) -> dict[str, SourceCalibration]:
    """Temperatures, judge and thresholds of every source.

    Args:
        logits: float32 [N, 8] a source; those of fused sources cross-fitted.
        labels: int64 [N], of the same faces in the same order for every source; or one array a source, of other faces.
        methods: the calibration method of each source, one of ``KEEPING``.
    """
    if not logits:
        return {}
    own = {name: labels if isinstance(labels, np.ndarray) else labels[name] for name in logits}
    temperatures = {name: temperatures_of(methods[name], z, own[name]) for name, z in logits.items()}
    p = {name: softmax(z / temperatures[name][z.argmax(axis=1)][:, None]) for name, z in logits.items()}
    judge = fit_judge(list(p.values()), labels if isinstance(labels, np.ndarray) else list(own.values()))
    out = {}
    for row, name in enumerate(logits):
        said = np.bincount(p[name].argmax(axis=1), minlength=N_EMOTIONS).astype(np.int64)
        out[name] = SourceCalibration(
            methods[name], temperatures[name], judge.intercept[row], float(judge.slope[row]), judge.covariance[row],
            said, COVERAGES, fit_thresholds(p[name], own[name]), *fit_vector(logits[name], own[name]),
        )  # fmt: skip
    return out
