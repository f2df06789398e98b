"""Cover each part of the test faces in turn, and compare: answers from the visible areas only, against the occluded
whole face fed to the whole-face network. Started by ``mien calibrate --occlusion``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.data.cache import FaceCache, crops_of
from mien.errors import TableError
from mien.face.crops import Frame, cut
from mien.face.spec import CropSpec
from mien.measure import metrics
from mien.measure.covered import Logits, Say, cover, truly_visible, view_logits
from mien.measure.metrics import calibration_error
from mien.measure.occluders import HELD_OUT_KINDS, KINDS_FOR, TRAINING_KINDS, Occluded, occlude
from mien.measure.pages import PUBLISHED_DROPS, occlusion_page
from mien.trust.authenticity import Z95, Calibration
from mien.trust.fusion import Fusion, fuse
from mien.trust.models import Models
from mien.trust.visibility import VisibilityModel
from mien.types import N_EMOTIONS, PARTS, Area, Float32, Interval, Part

NOTHING = "nothing"
"""In the column ``covered``: the face as it is, where what is wrongly taken for hidden costs accuracy too."""


@dataclass(frozen=True, eq=False)
class Answered:
    """Answers from what is visible.

    Attributes:
        said: int64 [N], position of the emotion; ``nothing_seen`` where no part is visible.
        logits: float32 [N, 8]; 0 where no part is visible.
        sources: N names under which they are calibrated; empty where no part is visible.
    """

    said: npt.NDArray[np.int64]
    logits: Float32
    sources: npt.NDArray[np.str_]


def visible_answers(
    frames: list[Frame],
    visible: list[frozenset[Part]],
    logits: Logits,
    specs: Mapping[Area, CropSpec],
    fusion: Fusion,
    nothing_seen: int,
) -> Answered:
    """As mien answers: from the views of the visible parts only.

    Args:
        frames: of the faces.
        visible: the visible parts of each.
        logits: of the networks.
        specs: how each area is cropped.
        fusion: the shipped rules.
        nothing_seen: position of the emotion to guess where nothing is visible (the most frequent one).
    """
    rows, sources = np.zeros((len(frames), N_EMOTIONS), np.float32), np.full(len(frames), "", "U32")
    for parts in sorted(set(visible) - {frozenset()}, key=lambda parts: Area.of(parts).position):
        members = np.flatnonzero([v == parts for v in visible])
        plain, blanked = view_logits([frames[i] for i in members], parts, logits, specs)
        fused = fuse(plain, parts, fusion, blanked or None)
        rows[members], sources[members] = fused.logits, fused.source
    said = np.where(sources == "", nothing_seen, rows.argmax(axis=1))
    return Answered(said.astype(np.int64), rows, sources)


@dataclass(frozen=True, eq=False)
class Measured:
    """Right or wrong, of every face and covered part.

    Attributes:
        table: covered, kind, sample_id, label, bare, whole_face, visible_areas, known_areas (bool: right answers of the
            bare whole face, of the occluded whole face, of the areas found visible, of the areas that truly are),
            source, authenticity (judged, of the areas found visible; NaN where none is), visible_eyes, visible_nose,
            visible_mouth (found) and hidden_eyes, hidden_nose, hidden_mouth (true).
    """

    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Setup:
    """What is measured.

    Attributes:
        logits: of the networks.
        specs: how each area is cropped.
        fusion: the shipped rules.
        calibration: judges the answers.
        sight: the visibility network.
    """

    logits: Logits
    specs: Mapping[Area, CropSpec]
    fusion: Fusion
    calibration: Calibration
    sight: VisibilityModel


def measure(cache: FaceCache, setup: Setup, faces: int = 0, say: Say = print) -> Measured:
    """Cover, answer in each way, compare with the label.

    Args:
        cache: the prepared data set; its test split is measured.
        setup: what is measured.
        faces: at most so many; 0 takes all.
        say: gets a line a step.

    Raises:
        TableError: there is no test face.
    """
    rows = cache.rows("test")
    if not len(rows):
        raise TableError(f"{cache.folder} has no test faces to cover")
    rows = rows[:: -(-len(rows) // faces)] if faces else rows
    say(f"{len(rows)} faces, nothing covered")
    spec = setup.specs[Area.WHOLE_FACE]
    whole = setup.logits(Area.WHOLE_FACE, crops_of(cache, rows, Area.WHOLE_FACE, spec))
    bare = whole.argmax(axis=1) == cache.labels[rows]
    uncovered = [occlude(cache.frame(int(row)), "none", np.random.default_rng(0)) for row in rows]
    tables = [_measure_faces(cache, rows, NOTHING, uncovered, setup, bare)]
    for part in PARTS:
        say(f"{len(rows)} faces, {part.value} covered")
        covered = cover(cache, rows, part, KINDS_FOR[part], spec.eyes)
        tables.append(_measure_faces(cache, rows, part.value, covered, setup, bare))
    return Measured(pd.concat(tables, ignore_index=True))


def _measure_faces(
    cache: FaceCache,
    rows: npt.NDArray[np.int64],
    covered: str,
    faces: list[Occluded],
    setup: Setup,
    bare: npt.NDArray[np.bool_],
) -> pd.DataFrame:
    spec, labels = setup.specs[Area.WHOLE_FACE], cache.labels[rows]
    frames, truth = [face.frame for face in faces], [truly_visible(face, spec.eyes) for face in faces]
    pieces = [p for start in range(0, len(frames), 256) for p in setup.sight.pieces(frames[start : start + 256])]
    found = [p.to_visibility(spec.eyes).visible for p in pieces]
    whole = setup.logits(Area.WHOLE_FACE, np.stack([cut(f, Area.WHOLE_FACE, spec) for f in frames])).argmax(axis=1)
    guess = int(setup.calibration.prior.argmax())
    detected = visible_answers(frames, found, setup.logits, setup.specs, setup.fusion, guess)
    same = np.array([v == t for v, t in zip(found, truth, strict=True)])
    known = detected.said.copy()
    if not same.all():
        others = np.flatnonzero(~same)
        known[others] = visible_answers(
            [frames[i] for i in others], [truth[i] for i in others], setup.logits, setup.specs, setup.fusion, guess
        ).said
    table = pd.DataFrame({
        "covered": covered, "kind": [face.kind for face in faces],
        "sample_id": cache.index["id"].to_numpy()[rows], "label": cache.index["label"].to_numpy()[rows],
        "bare": bare, "whole_face": whole == labels, "visible_areas": detected.said == labels,
        "known_areas": known == labels, "source": detected.sources,
        "authenticity": _judged(detected, setup.calibration),
    })  # fmt: skip
    for p in PARTS:
        table[f"visible_{p.value}"] = [p in v for v in found]
        table[f"hidden_{p.value}"] = [p not in v for v in truth]
    return table


def _judged(answered: Answered, calibration: Calibration) -> npt.NDArray[np.float64]:
    out = np.full(len(answered.said), np.nan)
    for name in set(answered.sources.tolist()) - {""}:
        members = answered.sources == name
        out[members] = [interval.value for interval in calibration.judge(name, answered.logits[members])]
    return out


def summary(measured: Measured, by: str = "covered") -> pd.DataFrame:
    """Accuracy in each way, by covered part (or by kind of occluder), and over all that have one covered.

    Returns:
        Columns covered, n, bare, whole_face, visible_areas, known_areas (each of the last three with _low and _high),
        gain (visible areas minus occluded whole face), gain_low, gain_high, known_gain (with _low, _high), kept (share
        of the bare accuracy that the visible areas keep), kept_whole_face, answered (share of faces with a visible
        part; the others count as a guess of the most frequent emotion), ece_authenticity (calibration error of the
        answers given, as judged). Intervals over faces; over all parts a face
        counts as one cluster of three.
    """
    groups = [(str(name), rows) for name, rows in measured.table.groupby(by, sort=False)]
    covered = measured.table[measured.table["covered"] != NOTHING]
    return pd.DataFrame([_row(by, name, rows) for name, rows in [*groups, ("all", covered)]])


def _row(by: str, name: str, rows: pd.DataFrame) -> dict[str, Any]:
    judged = rows["authenticity"].notna()
    out: dict[str, Any] = {
        by: name, "n": len(rows), "bare": float(rows["bare"].mean()), "answered": float(judged.mean()),
        "ece_authenticity": calibration_error(
            rows["authenticity"][judged].to_numpy(float), rows["visible_areas"][judged].to_numpy(bool)
        ),
    }  # fmt: skip
    for column in ("whole_face", "visible_areas", "known_areas"):
        share = metrics.wilson(int(rows[column].sum()), len(rows))
        out |= {column: share.value, f"{column}_low": share.low, f"{column}_high": share.high}
    for key, column in (("gain", "visible_areas"), ("known_gain", "known_areas")):
        gain = _clustered(rows[column].to_numpy(float) - rows["whole_face"].to_numpy(float), rows["sample_id"])
        out |= {key: gain.value, f"{key}_low": gain.low, f"{key}_high": gain.high}
    return out | {
        "kept": out["visible_areas"] / max(out["bare"], 1e-9),
        "kept_whole_face": out["whole_face"] / max(out["bare"], 1e-9),
    }


def _clustered(differences: npt.NDArray[np.float64], faces: pd.Series[Any]) -> Interval:
    """Mean difference with a normal 95% interval; the rows of one face are one cluster."""
    sums = pd.Series(differences).groupby(faces.to_numpy()).sum().to_numpy()
    counts = pd.Series(differences).groupby(faces.to_numpy()).size().to_numpy()
    mean = float(differences.mean())
    away = sums - mean * counts
    half = Z95 * float(np.sqrt(np.square(away).sum())) / len(differences)
    return Interval(mean, mean - half, mean + half, len(differences))


def detection(measured: Measured) -> pd.DataFrame:
    """How well visible parts are found on these faces: part, kinds, balanced_accuracy, visible_found, hidden_found, n.

    ``kinds`` is ``held out`` (occluders that training never saw), ``training`` or ``all``.
    """
    rows = []
    for kinds, names in (("held out", HELD_OUT_KINDS), ("training", TRAINING_KINDS), ("all", None)):
        covered = measured.table[measured.table["covered"] != NOTHING]
        chosen = covered if names is None else covered[covered["kind"].isin(names)]
        for part in PARTS:
            said, hidden = chosen[f"visible_{part.value}"], chosen[f"hidden_{part.value}"]
            seen, caught = float(said[~hidden].mean()), float((~said[hidden]).mean())
            rows.append((part.value, kinds, (seen + caught) / 2, seen, caught, len(chosen)))
    return pd.DataFrame(rows, columns=["part", "kinds", "balanced_accuracy", "visible_found", "hidden_found", "n"])


def measure_to(
    cache_folder: Path, models_folder: Path | None, fitted: Path, results: Path, command: str, faces: int, say: Say
) -> dict[str, Any]:
    """Measure the default network family and write occlusion.csv, occlusion_kinds.csv, detection.csv, a figure, JSON.

    Args:
        cache_folder: the prepared data set.
        models_folder: None is the shipped one.
        fitted: folder of calibration.json and fusion.json.
        results: folder to write to.
        command: written beside the results.
        faces: at most so many test faces; 0 takes all.
        say: gets a line a step.

    Returns:
        What is written as occlusion.json.
    """
    from mien.measure.figures import draw_occlusion

    models = Models(models_folder)
    specs = {area: models.entry(area).spec for area in models.areas}
    model = VisibilityModel(models_folder)
    calibration, fusion = Calibration.load(fitted, models.network), Fusion.load(fitted, models.network)
    setup = Setup(models.logits, specs, fusion, calibration, model)
    measured = measure(FaceCache.open(cache_folder), setup, faces, say)
    table, found = summary(measured), detection(measured)
    results.mkdir(parents=True, exist_ok=True)
    table.to_csv(results / "occlusion.csv", index=False, float_format="%.6g")
    summary(measured, "kind").to_csv(results / "occlusion_kinds.csv", index=False, float_format="%.6g")
    found.to_csv(results / "occlusion_detection.csv", index=False, float_format="%.6g")
    draw_occlusion(table, results / "occlusion.png")
    out = {
        "command": command, "network": models.network, "n": len(measured.table),
        "covered": {str(row["covered"]): _numbers(row) for row in table.to_dict("records")},
        "published": [
            {"method": name, "dataset": data, "bare": bare, "occluded": occluded, "kept": round(occluded / bare, 4)}
            for name, data, bare, occluded in PUBLISHED_DROPS
        ],
    }  # fmt: skip
    (results / "occlusion.json").write_text(json.dumps(out, indent=1) + "\n")
    (results / "occlusion.md").write_text(occlusion_page(command, table, summary(measured, "kind"), found))
    return out


def _numbers(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(k): round(float(v), 5) for k, v in row.items() if k not in ("covered", "kind")}
