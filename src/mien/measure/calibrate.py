"""``mien calibrate`` from end to end: PredictionTables -> fitted files, tables and figures of every network family."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.data.cache import FaceCache
from mien.data.samples import Split
from mien.errors import TableError
from mien.jobs.files import replace_file, replace_json, replacing
from mien.measure.covered import HiddenAnswers, OccludedViews, hidden_answers, occluded_views
from mien.measure.fit.check import TrustCheck, check_trust, coverage_of, repeated_coverage
from mien.measure.fit.contribution import ContributionCheck, measure_contribution
from mien.measure.fit.trust import TrustFit, fit_trust
from mien.measure.pages import page
from mien.measure.predictions import cached_predict, labels_of, of_networks, prior_of, read_predictions
from mien.trust import authenticity, fusion
from mien.trust import fitted as tables
from mien.trust.answer import AnswerPath
from mien.trust.authenticity import fingerprint
from mien.trust.fitted import write_fitted
from mien.trust.folder import FITTED_FILES, MANIFEST, SHIPPED, Manifest
from mien.trust.models import Models
from mien.trust.reference import write_reference
from mien.trust.sources import is_own
from mien.types import AREAS, Area, Float32

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a calibration is made from.

    Attributes:
        dataset: its name.
        default: the default network family; the others follow.
        fitting: PredictionTable to fit on, by network family.
        checking: PredictionTable to check on, by network family; empty where there are no such faces.
        prior: float32 [8], share of each emotion among the training faces.
        models: fingerprint of each area's network, by network family.
        occluded: faces to fit on with one part covered, by network family; empty without pictures.
        hidden: answers to fit on for faces that are partly hidden, by network family and source.
    """

    dataset: str
    default: str
    fitting: Mapping[str, pd.DataFrame]
    checking: Mapping[str, pd.DataFrame]
    prior: Float32
    models: Mapping[str, Mapping[str, str]]
    occluded: Mapping[str, Mapping[Area, OccludedViews]]
    hidden: Mapping[str, Mapping[str, HiddenAnswers]] = field(default_factory=dict)

    @property
    def networks(self) -> list[str]:
        """All families, the default first."""
        return sorted(self.fitting, key=lambda name: name != self.default)


def models_folder(folder: Path | None) -> Path:
    """The folder of models that a call means."""
    return SHIPPED if folder is None else folder.expanduser()


def evidence_of_cache(cache_folder: Path, models: Path | None, fit_on: Split, check_on: Split, say: Say) -> Evidence:
    """Predict both splits of a prepared data set with every network family of a folder of models.

    Raises:
        DatasetError: the cache is not complete.
        ModelError: the models cannot be used.
        TableError: the split to fit on is empty.
    """
    cache, first = FaceCache.open(cache_folder), Models(models)
    families = {name: Models(models, name) for name in first.manifest.networks}
    families = {name: m for name, m in families.items() if m.areas}
    if not len(cache.rows(fit_on)):
        raise TableError(f"{cache_folder} has no {fit_on} faces to fit on: choose another split with --fit-on")
    fitting, checking, occluded, hidden = {}, {}, {}, {}
    for name, m in families.items():
        fitting[name] = cached_predict(cache, m, fit_on, _prefixed(say, f"{name}, {fit_on}: "))
        if len(cache.rows(check_on)):
            checking[name] = cached_predict(cache, m, check_on, _prefixed(say, f"{name}, {check_on}: "))
        if m.sees_hidden:
            hidden[name] = hidden_answers(cache, AnswerPath.of(m), fit_on, _prefixed(say, f"{name}, {fit_on}: "))
        elif set(m.areas) == set(AREAS):
            occluded[name] = occluded_views(cache, m, fit_on, _prefixed(say, f"{name}, {fit_on}: "))
    train = cache.rows("train")
    prior = prior_of(cache.labels[train if len(train) else cache.rows(fit_on)])
    prints = {n: {a.value: fingerprint(m, a) for a in m.areas} for n, m in families.items()}
    return Evidence(
        str(cache.index["dataset"].iloc[0]), first.network, fitting, checking, prior, prints, occluded, hidden
    )


def _prefixed(say: Say, prefix: str) -> Say:
    return lambda text: say(prefix + text)


def evidence_of_table(path: Path, fit_on: Split, check_on: Split) -> Evidence:
    """Both splits of a PredictionTable of the user's own.

    Raises:
        TableError: it cannot be used, or has nothing to fit on.
    """
    table = read_predictions(path)
    if "split" not in table:
        raise TableError(f"{path} lacks the column split")
    fitting = of_networks(table[table["split"] == fit_on])
    if not fitting:
        raise TableError(f"{path} has no {fit_on} faces to fit on: choose another split with --fit-on")
    checking = of_networks(table[table["split"] == check_on])
    name = next(iter(fitting))
    first_area = fitting[name]["area"].iloc[0]
    train = table[(table["split"] == "train") & (table["area"] == first_area) & (table["network"] == name)]
    known = train if len(train) else fitting[name][fitting[name]["area"] == first_area]
    dataset = str(table["dataset"].iloc[0]) if "dataset" in table else path.stem
    return Evidence(dataset, name, fitting, checking, prior_of(labels_of(known)), {}, {})


@dataclass(frozen=True, eq=False)
class _One:
    """One network family's fit, its check, and its contributions (both None where there are no checking faces)."""

    fit: TrustFit
    check: TrustCheck | None
    repeated: dict[str, float] | None
    contribution: ContributionCheck | None


def calibrate(
    evidence: Evidence, out: Path, results: Path | None, command: str, say: Say, splits: int = 100
) -> dict[str, Any]:
    """Fit, check, write.

    Args:
        evidence: predictions.
        out: folder that gets calibration.json, fusion.json, reference.npz and the tables of ``mien.trust.fitted``.
        results: folder that gets every measure and figure, or None.
        command: written beside the results.
        say: gets a line a step.
        splits: random halves over which interval coverage is measured.

    Returns:
        The summary that is also written as results/summary.json.
    """
    found = {name: _one(evidence, name, say, splits) for name in evidence.networks}
    write_fitted(
        out / authenticity.FILE_NAME, evidence.default, {n: f.fit.calibration.to_dict() for n, f in found.items()}
    )
    write_fitted(out / fusion.FILE_NAME, evidence.default, {n: f.fit.fusion.fusion.to_dict() for n, f in found.items()})
    write_reference(out, {n: f.fit.reference for n, f in found.items()})
    tables.write_table(out, "authenticity", {n: f.fit.authenticity_table() for n, f in found.items()})
    tables.write_table(out, "authenticity_fused", {n: f.fit.authenticity_table(fused=True) for n, f in found.items()})
    measured = {n: f.contribution for n, f in found.items() if f.contribution is not None}
    if measured:
        tables.write_table(out, "contribution", {n: c.contributions for n, c in measured.items()})
        tables.write_table(out, "interactions", {n: c.interactions for n, c in measured.items()})
        tables.write_table(out, "coalitions", {n: c.values for n, c in measured.items()})
        tables.write_table(out, "psychology", {n: c.psychology for n, c in measured.items()})
    if (out / MANIFEST).is_file():
        Manifest.read(out).with_fitted(FITTED_FILES).write()
    summary: dict[str, Any] = {
        "command": command, "commit": _commit(), "dataset": evidence.dataset, "default": evidence.default,
        "networks": {name: _summary(one) for name, one in found.items()},
    }  # fmt: skip
    if results is not None:
        for name, one in found.items():
            folder = results if name == evidence.default else results / name
            _write_results(folder, one)
            text = page(name, command, str(summary["commit"]), one.fit, one.check, one.repeated, one.contribution)
            replace_file(folder / "README.md", text)
        replace_json(results / "summary.json", summary)
    return summary


def _one(evidence: Evidence, name: str, say: Say, splits: int) -> _One:
    say(f"{name}: fitting on {len(evidence.fitting[name]) // max(1, evidence.fitting[name]['area'].nunique()):,} faces")
    fit = fit_trust(
        evidence.fitting[name],
        evidence.prior,
        evidence.models.get(name),
        evidence.dataset,
        evidence.occluded.get(name),
        evidence.hidden.get(name),
    )
    if name not in evidence.checking:
        say(f"{name}: no faces to check on; nothing is known of how well the fit holds")
        return _One(fit, None, None, None)
    checking = evidence.checking[name]
    say(f"{name}: checking on {len(checking) // max(1, checking['area'].nunique()):,} faces")
    check = check_trust(fit, checking)
    repeated = repeated_coverage(evidence.fitting[name], checking, splits)
    complete = set(checking["area"]) >= {a.value for a in AREAS}
    contribution = measure_contribution(fit.calibration, checking) if complete else None
    return _One(fit, check, repeated, contribution)


def _summary(one: _One) -> dict[str, Any]:
    fitted: dict[str, Any] = {"n_fitting": one.fit.calibration.n}
    if one.check is None or one.repeated is None:
        return fitted
    rows = one.check.calibration.set_index("source")
    areas = rows[is_own(rows.index)]
    keys = ["accuracy", "ece_raw", "ece", "ece_authenticity", "brier_raw", "brier", "brier_gain_low", "method"]
    return fitted | {
        "n_checking": int(rows["n"].iloc[0]),
        "sources": {str(name): {k: _plain(rows.loc[name, k]) for k in keys} for name in rows.index},
        "brier_better_everywhere": bool(
            (rows["brier"] < rows["brier_raw"])[[n for n in rows.index if n in set(AREAS)]].all()
        ),
        "largest_ece": float(areas["ece"].max()),
        "interval_coverage": coverage_of(one.check.pairs[is_own(one.check.pairs["source"])]),
        "interval_coverage_repeated": one.repeated,
        "fusion": {row["visible"]: row["rule"] for row in one.check.fusion.to_dict("records")},
        "psychology": None if one.contribution is None else _verdicts(one.contribution.psychology),
    }


def _verdicts(table: pd.DataFrame) -> dict[str, int]:
    kept = table[table["game"] == "information"]["verdict"].value_counts()
    return {str(name): int(n) for name, n in kept.items()}


def _plain(value: Any) -> Any:
    return round(float(value), 5) if isinstance(value, float | np.floating) else value


def _write_results(folder: Path, one: _One) -> None:
    """Every table as CSV and every figure as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, pd.DataFrame] = {
        "calibration_methods": one.fit.methods,
        "fusion_validation": pd.DataFrame([vars(s) | {"visible": s.visible.value} for s in one.fit.fusion.scores]),
    }
    if one.check is not None:
        written |= {
            "calibration": one.check.calibration, "reliability": one.check.reliability,
            "reliability_by_emotion": one.check.by_emotion, "pairs": one.check.pairs,
            "prediction_sets": one.check.prediction_sets, "abstention": one.check.abstention,
            "fusion": one.check.fusion,
        }  # fmt: skip
    if one.contribution is not None:
        written |= {
            "contribution": one.contribution.contributions, "interactions": one.contribution.interactions,
            "coalitions": one.contribution.values, "psychology": one.contribution.psychology,
        }  # fmt: skip
    for name, table in written.items():
        with replacing(folder / f"{name}.csv") as scratch:
            table.to_csv(scratch, index=False, float_format="%.6g")
    _draw(folder, one)


def _draw(folder: Path, one: _One) -> None:
    from mien.measure import figures as trust_figures

    trust_figures.draw_trust(one.fit.authenticity_table(), folder / "trust.png")
    if one.check is not None:
        trust_figures.draw_reliability(one.check.reliability, one.check.calibration, folder / "reliability.png")
    if one.contribution is not None:
        for game in ("information", "recall"):
            trust_figures.draw_contribution(one.contribution.contributions, folder / f"contribution_{game}.png", game)


def _commit() -> str:
    """The commit of the working tree, or an empty string outside one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def in_words(summary: Mapping[str, Any]) -> str:
    """The summary as a table for the terminal."""
    lines = []
    for name, one in summary["networks"].items():
        default = " (default)" if name == summary["default"] else ""
        lines.append(f"{name}{default}: fitted on {one['n_fitting']:,} {summary['dataset']} faces")
        if "sources" not in one:
            lines.append("  not checked: there were no faces to check on")
            continue
        lines.append(f"  checked on {one['n_checking']:,} faces")
        lines.append(f"  {'':18}{'accuracy':>9}{'ECE raw':>9}{'ECE':>8}{'Brier raw':>11}{'Brier':>8}  method")
        for source, row in one["sources"].items():
            lines.append(
                f"  {source:18}{row['accuracy']:>9.2%}{row['ece_raw']:>9.4f}{row['ece']:>8.4f}"
                f"{row['brier_raw']:>11.4f}{row['brier']:>8.4f}  {row['method']}"
            )
        single, many = one["interval_coverage"], one["interval_coverage_repeated"]
        lines.append(
            f"  95% intervals hold {single['covered']:.1%} of {single['pairs']} pairs; "
            f"{many['covered']:.1%} over {many['splits']} random halves"
        )
        lines.append("  fusion: " + ", ".join(f"{visible} {rule}" for visible, rule in one["fusion"].items()))
    return "\n".join(lines)
