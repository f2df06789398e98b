"""The measures of trust as one page of Markdown, made by the command that measured them: no figure is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mien.measure.fit.check import TrustCheck, coverage_of
from mien.measure.fit.contribution import ContributionCheck
from mien.measure.fit.trust import TrustFit
from mien.trust.sources import Source, is_own
from mien.types import AREAS, EMOTIONS, Area


def page(
    name: str, command: str, commit: str, fit: TrustFit, check: TrustCheck | None, repeated: Mapping[str, float] | None,
    contribution: ContributionCheck | None,
) -> str:  # fmt: skip
    """The whole page of one network family.

    Args:
        name: of the family.
        command: that measured.
        commit: of the working tree.
        fit: what was fitted.
        check: what was measured on other faces, if there were any.
        repeated: coverage over random halves.
        contribution: of the parts.
    """
    head = f"Network family `{name}`, fitted on {fit.calibration.n:,} faces of {fit.calibration.dataset}"
    blocks = ["# How far answers can be trusted", f"{head}. Made by\n\n    {command}\n\nat commit `{commit}`."]
    if check is not None and repeated is not None:
        blocks += [*_calibration(check), *_coverage(check, repeated), *_sets(check), *_fusion(fit, check)]
    if contribution is not None:
        blocks += _contribution(contribution)
    return "\n\n".join(blocks) + "\n"


def _calibration(check: TrustCheck) -> list[str]:
    columns = ["source", "n", "accuracy", "macro_recall", "method", "ece_raw", "ece", "ece_authenticity"]
    columns += ["brier_raw", "brier", "brier_gain_low"]
    formats = {"accuracy": ".2%", "macro_recall": ".2%"} | dict.fromkeys(columns[5:], ".4f")
    by = check.by_emotion
    wide = by.pivot(index="emotion", columns="source", values="ece").reindex([e.value for e in EMOTIONS])
    counts = by.pivot(index="emotion", columns="source", values="n").reindex([e.value for e in EMOTIONS])
    areas = [a.value for a in AREAS if a.value in wide]
    cells = pd.DataFrame({"emotion said": wide.index})
    for area in areas:
        pairs = zip(wide[area], counts[area], strict=True)
        cells[area] = ["-" if n == 0 else f"{error:.3f} ({n})" for error, n in pairs]
    return [
        "## Calibration, before and after, on test",
        "ECE: expected calibration error, 15 equal-width bins. Brier: mean squared distance of the eight probabilities "
        "from the truth; `brier_gain_low` is the lower end of the paired 95% interval of raw minus calibrated. "
        "`ece_authenticity` is that of the judged authenticity. Diagrams: `reliability.png`; their numbers: "
        "`reliability.csv`.",
        markdown(check.calibration[columns], formats),
        "Calibration error of the authenticity, by emotion said (in brackets how often; `reliability_by_emotion.csv`). "
        "An error measured on few answers is mostly noise.",
        markdown(cells),
    ]


def _coverage(check: TrustCheck, repeated: Mapping[str, float]) -> list[str]:
    own = check.pairs[is_own(check.pairs["source"])]
    single = coverage_of(own)
    return [
        "## Do the 95% intervals of the <emotion, area> table hold?",
        f"On test, of {single['pairs']:.0f} pairs said at least 20 times, {single['covered']:.1%} were right as often "
        f"as their 95% interval allows (`pairs.csv`). The pairs share faces, so that one split's number scatters by "
        f"{repeated['covered_sd']:.1%}; over {repeated['splits']:.0f} random halves of all validation and test faces, "
        f"fitted on one half and checked on the other, it is **{repeated['covered']:.1%}** "
        f"({repeated['pairs']:.0f} pairs a split). What an interval covers is said in `docs/authenticity.md`.",
    ]


def _sets(check: TrustCheck) -> list[str]:
    sets = check.prediction_sets[["source", "coverage", "covered", "low", "high", "size", "single"]]
    formats = {"coverage": ".0%", "covered": ".1%", "low": ".1%", "high": ".1%", "size": ".2f", "single": ".1%"}
    fused, plain = Source.of("fused", Area.WHOLE_FACE), Source.of("area", Area.WHOLE_FACE)
    best = fused if fused in set(check.abstention["source"]) else plain
    kept = check.abstention[check.abstention["source"] == best]
    shares = {"min_p_correct": ".2f", "answered": ".1%", "right": ".1%", "low": ".1%", "high": ".1%"}
    return [
        "## Prediction sets",
        "Stated coverage, measured on test; mean size of a set; share of sets of one emotion. The coverage is over all "
        "faces: rare emotions are covered less (columns `covered_EMOTION` of `prediction_sets.csv`).",
        markdown(sets, formats),
        f"## Abstention (`--min-p-correct`), {best}",
        markdown(kept.drop(columns="source"), shares),
    ]


def _fusion(fit: TrustFit, check: TrustCheck) -> list[str]:
    scores = pd.DataFrame([{
        "visible": s.visible.value, "faces": "one part covered" if s.blanked else "as they are", "rule": s.rule,
        "accuracy": s.accuracy, "macro recall": s.macro_recall, "log loss": s.log_loss,
        "gain on largest": f"{s.gain:+.2%} ({s.gain_low:+.2%} to {s.gain_high:+.2%})",
        "chosen": "yes" if s.chosen else "",
    } for s in fit.fusion.scores])  # fmt: skip
    test = check.fusion.copy()
    test["gain on largest"] = [
        f"{g:+.2%} ({low:+.2%} to {high:+.2%})"
        for g, low, high in zip(test["gain"], test["gain_low"], test["gain_high"], strict=True)
    ]
    columns = [
        "visible",
        "rule",
        "accuracy",
        "accuracy_largest",
        "gain on largest",
        "macro_recall",
        "macro_recall_largest",
    ]
    percent = dict.fromkeys(
        ["accuracy", "accuracy_largest", "macro_recall", "macro_recall_largest", "macro recall"], ".2%"
    )
    return [
        "## Fusion",
        "Cross-validated on validation, where the rule is chosen:",
        markdown(scores, percent | {"log loss": ".4f"}),
        "The chosen rules on test, against the largest visible area:",
        markdown(test[columns], percent),
    ]


def _contribution(found: ContributionCheck) -> list[str]:
    table = found.contributions
    blocks = ["## What each part contributes (exact Shapley values, test)"]
    for game, unit in (("information", "bits a face"), ("recall", "share of faces"), ("accuracy", "share of faces")):
        rows = table[table["game"] == game].copy()
        rows["cell"] = [
            f"{v:+.3f} ({low:+.3f} to {high:+.3f})"
            for v, low, high in zip(rows["value"], rows["low"], rows["high"], strict=True)
        ]
        wide = rows.pivot(index="emotion", columns="part", values="cell").reindex(rows["emotion"].unique())
        wide.insert(0, "n", rows.groupby("emotion")["n"].first())
        blocks += [
            f"{game.capitalize()}, {unit}:",
            markdown(wide.reset_index()[["emotion", "n", "eyes", "nose", "mouth"]]),
        ]
    claims = found.psychology.copy()
    claims["difference"] = [
        f"{d:+.2f} ({low:+.2f} to {high:+.2f})"
        for d, low, high in zip(claims["difference"], claims["low"], claims["high"], strict=True)
    ]
    columns = ["study", "finding", "game", "part", "rival", "difference", "unit", "n", "verdict"]
    return [*blocks, "## Beside what psychology measured in people", markdown(claims[columns])]


PUBLISHED_DROPS = (
    ("DAN", "RAF-DB", 0.897, 0.761),
    ("EAC", "RAF-DB", 0.880, 0.786),
)
"""Method, data set, accuracy without and with synthetic occlusion: another data set and other occluders than ours."""


def occlusion_page(command: str, table: pd.DataFrame, kinds: pd.DataFrame, found: pd.DataFrame) -> str:
    """The measures as Markdown.

    Args:
        command: that measured.
        table: :func:`summary` by covered part.
        kinds: :func:`summary` by kind of occluder.
        found: :func:`detection`.
    """

    def shown(rows: pd.DataFrame, first: str) -> str:
        out = rows[[first, "n", "bare", "whole_face", "visible_areas", "shipped"]].copy()
        for key in ("gain", "areas_gain"):
            bounds = zip(rows[key], rows[f"{key}_low"], rows[f"{key}_high"], strict=True)
            out[key] = [f"{g:+.1%} ({low:+.1%} to {high:+.1%})" for g, low, high in bounds]
        more = ["kept", "kept_whole_face", "answered", "ece_authenticity"]
        out[more] = rows[more]
        percent = dict.fromkeys(["bare", "whole_face", "visible_areas", "shipped", *more[:3]], ".1%")
        return markdown(out, percent | {"ece_authenticity": ".3f"})

    published = pd.DataFrame(
        [(name, data, bare, occluded, occluded / bare) for name, data, bare, occluded in PUBLISHED_DROPS],
        columns=["method", "data set", "bare", "occluded", "kept"],
    )
    percent = dict.fromkeys(["bare", "occluded", "kept", "balanced_accuracy", "visible_found", "hidden_found"], ".1%")
    return "\n\n".join([
        "# Each part covered in turn", f"Test faces with synthetic occluders. Made by\n\n    {command}",
        "`bare`: the whole-face network, nothing covered. `whole_face`: the same network fed the occluded face. "
        "`visible_areas`: the areas of what was found visible, alone; `shipped`: what mien says. `gain`: "
        "what mien says minus the occluded whole face, `areas_gain`: the visible areas minus it, each with a paired "
        "95% interval. `kept`: share of the bare accuracy.",
        shown(table, "covered"), "By kind of occluder:", shown(kinds, "kind"),
        "Published, on another data set and with other occluders:", markdown(published, percent),
        "Finding what is visible, on these faces (both eyes count as hidden where both are):",
        markdown(found, percent),
    ]) + "\n"  # fmt: skip


def markdown(table: pd.DataFrame, formats: Mapping[str, str] | None = None) -> str:
    """A DataFrame as a Markdown table.

    Args:
        table: rows and columns as they are to be shown.
        formats: format specification by column (``.1%``); others are written as they are.
    """
    formats = formats or {}

    def text(column: str, value: Any) -> str:
        if value is None or (isinstance(value, float) and value != value):
            return "-"
        return format(value, formats[column]) if column in formats else str(value)

    rows = [[text(str(c), v) for c, v in row.items()] for row in table.to_dict("records")]
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
