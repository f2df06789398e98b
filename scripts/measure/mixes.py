"""How far trust holds under other mixes of emotions: ``python scripts/measure/mixes.py --cache CACHE [--models DIR]``.

Faces of the test split, resampled to an even mix and to ten mixes drawn from a flat Dirichlet distribution, answered as
``mien analyze`` does, with no mix given, with the true one, with the one estimated from the same faces without labels
(``mien calibrate --unlabelled``), and with 100 of them labelled. Everything was fitted on validation; ``--split
validation`` is what settings were chosen on. Writes mixes.json and mixes.md into ``--out``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mien.data.cache import FaceCache
from mien.measure.fit.mix import SourceAnswers, estimate_mix
from mien.measure.metrics import calibration_error, wilson
from mien.measure.predictions import cached_predict, logits_of
from mien.trust.answer import AnswerPath, Judge, PreparedFaces
from mien.trust.authenticity import Calibration
from mien.trust.fusion import Fusion
from mien.trust.models import Models
from mien.trust.prior import Prior
from mien.trust.reference import read_reference
from mien.types import Area

WAYS = ("none", "true", "estimated", "estimated, 100 labelled")


def answers(cache: FaceCache, models: Models, split: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits [N, 8] and sources [N] of a split's faces; of networks of single areas, those of the whole face."""
    if not models.sees_hidden:
        table = cached_predict(cache, models, split)
        table = table[table["area"] == Area.WHOLE_FACE.value].set_index("sample_id").loc[cache.index["id"].iloc[rows]]
        return logits_of(table), np.full(len(rows), Area.WHOLE_FACE.value)
    path, logits, sources = AnswerPath.of(models, Fusion.load(models.folder, models.network)), [], []
    for start in range(0, len(rows), 256):
        looked = path.look(PreparedFaces([cache.canvas(int(row)) for row in rows[start : start + 256]]), areas=())
        logits.append(looked.logits)
        sources += looked.sources
    return np.concatenate(logits), np.array(sources)


def judged(logits: np.ndarray, sources: np.ndarray, labels: np.ndarray, judge: Judge) -> dict[str, float]:
    """Said, true, and the calibration error of faces' answers."""
    sure, right = np.zeros(len(labels)), np.zeros(len(labels), bool)
    for source in np.unique(sources):
        chosen = np.flatnonzero(sources == source)
        for i, answer in zip(chosen, judge.predictions(Area.WHOLE_FACE, logits[chosen], str(source)), strict=True):
            sure[i], right[i] = answer.authenticity.value, answer.emotion.position == labels[i]
    high = sure >= 0.9
    kept = wilson(int(right[high].sum()), int(high.sum()))
    return {
        "said": float(sure.mean()), "true": float(right.mean()), "gap": float(abs(sure.mean() - right.mean())),
        "calibration_error": calibration_error(sure, right), "kept_at_0.9": float(high.mean()),
        "right_at_0.9": kept.value,
    }  # fmt: skip


def one_mix(data: tuple, shares: np.ndarray, n: int, seed: int, fitted: tuple) -> dict[str, Any]:
    """All ways on faces drawn to a mix (with replacement within an emotion)."""
    (logits, sources, labels), (calibration, reference) = data, fitted
    generator = np.random.default_rng(seed)
    wanted = generator.choice(8, n, p=shares)
    rows = np.array([generator.choice(np.flatnonzero(labels == k)) for k in wanted])
    z, s, y = logits[rows], sources[rows], labels[rows]

    def estimated(labelled: int) -> Prior:
        known = np.where(np.arange(n) < labelled, y, -1)
        given = {str(name): SourceAnswers(z[s == name], known[s == name]) for name in np.unique(s) if name in reference}
        return estimate_mix(given, reference, calibration.prior, draws=0).prior

    priors = dict(zip(WAYS, (None, Prior("true", tuple(shares)), estimated(0), estimated(100)), strict=True))
    found: dict[str, Any] = {"mix": shares.round(4).tolist(), "n": n}
    for way, prior in priors.items():
        found[way] = judged(z, s, y, Judge(calibration, prior=prior))
        if prior is not None:
            found[way]["off"] = float(0.5 * np.abs(np.array(prior.shares) - shares).sum())
    return found


def main() -> None:
    """Answer, resample, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--network")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--faces", type=int, default=1000, help="a mix")
    parser.add_argument("--mixes", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("docs/results/trust"))
    args = parser.parse_args()
    cache, models = FaceCache.open(args.cache), Models(args.models, args.network)
    calibration = Calibration.load(models.folder, models.network)
    fitted = calibration, read_reference(models.folder, models.network)
    rows = cache.rows(args.split)
    logits, sources = answers(cache, models, args.split, rows)
    shown = sources != ""
    data = logits[shown], sources[shown], cache.labels[rows][shown]
    generator = np.random.default_rng(2026)
    drawn = [np.full(8, 1 / 8), *generator.dirichlet(np.ones(8), args.mixes)]
    results = [one_mix(data, shares, args.faces, seed, fitted) for seed, shares in enumerate(drawn)]
    summary = summarised(results)
    command = "python scripts/measure/mixes.py " + " ".join(a for a in sys.argv[1:] if a.startswith("--"))
    whole = {"command": command, "network": models.network, "split": args.split, "balanced": results[0],
             "dirichlet": results[1:], "summary": summary}  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "mixes.json").write_text(json.dumps(whole, indent=1) + "\n")
    (args.out / "mixes.md").write_text(page(whole))
    print(page(whole))


def summarised(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the Dirichlet mixes: on how many each way is better than none, and the worst it does."""
    found = {}
    for way in WAYS[1:]:
        gain = {k: np.array([r["none"][k] - r[way][k] for r in results[1:]]) for k in ("gap", "calibration_error")}
        found[way] = {
            "better": int((gain["gap"] > 0).sum()), "better_calibrated": int((gain["calibration_error"] > 0).sum()),
            "of": len(results) - 1, "worst": float(max(0, -gain["gap"].min(initial=0))),
            "worst_calibration_error": float(max(0, -gain["calibration_error"].min(initial=0))),
        }  # fmt: skip
    return found


def page(whole: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = [
        f"# Other mixes of emotions ({whole['network']}, {whole['split']} faces)", "",
        f"Made by `{whole['command']}`; every number is in `mixes.json`.", "",
        "| mix | mix given | said | true | difference | calibration error | answered at 0.9 | of those right "
        "| mix off by |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for number, result in enumerate([whole["balanced"], *whole["dirichlet"]]):
        for way in WAYS:
            r = result[way]
            off = f"{r['off']:.1%}" if "off" in r else ""
            lines.append(
                f"| {'even' if not number else f'Dirichlet {number}'} | {way} | {r['said']:.1%} | {r['true']:.1%} |"
                f" {100 * (r['said'] - r['true']):+.1f} | {r['calibration_error']:.3f} | {r['kept_at_0.9']:.0%} |"
                f" {r['right_at_0.9']:.1%} | {off} |"
            )
    lines += ["", "| mix given | said nearer to true than with none | lower calibration error | worst, points |",
              "|---|---|---|---|"]  # fmt: skip
    for way, s in whole["summary"].items():
        lines.append(f"| {way} | {s['better']} of {s['of']} | {s['better_calibrated']} of {s['of']} |"
                     f" {100 * s['worst']:.1f} |")  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
