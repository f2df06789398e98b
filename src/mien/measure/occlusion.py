"""Cover each part of the test faces in turn, and compare: answers from the visible areas only, against the occluded
whole face fed to the whole-face network. Started by ``mien calibrate --occlusion``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.data.cache import FaceCache
from mien.errors import TableError
from mien.jobs.files import replace_file, replace_json, replacing
from mien.measure import metrics
from mien.measure.covered import Say, cover, truly_visible
from mien.measure.metrics import calibration_error
from mien.measure.occluders import HELD_OUT_KINDS, KINDS_FOR, TRAINING_KINDS, Occluded, occlude
from mien.measure.pages import PUBLISHED_DROPS, occlusion_page
from mien.trust.answer import AnswerPath, Looked, PreparedFaces
from mien.trust.authenticity import Z95, Calibration
from mien.trust.fusion import Fusion
from mien.trust.models import Models
from mien.types import PARTS, Area, Interval

NOTHING = "nothing"
"""In the column ``covered``: the face as it is, where what is wrongly taken for hidden costs accuracy too."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Right or wrong, of every face and covered part.

    Attributes:
        table: covered, kind, sample_id, label, bare, whole_face, visible_areas, shipped (bool: right answers of the
            bare whole face, of the occluded whole face, of the areas of what was found visible, and what mien says),
            source, authenticity (judged, of what mien says; NaN where nothing is visible), visible_eyes, visible_nose,
            visible_mouth (found) and hidden_eyes, hidden_nose, hidden_mouth (true).
    """

    table: pd.DataFrame


def measure(cache: FaceCache, path: AnswerPath, calibration: Calibration, faces: int = 0, say: Say = print) -> Measured:
    """Cover, answer in each way, compare with the label.

    Args:
        cache: the prepared data set; its test split is measured.
        path: the answer path that is shipped.
        calibration: judges the answers.
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
    uncovered = [occlude(cache.canvas(int(row)), "none", np.random.default_rng(0)) for row in rows]
    bare = path.look(PreparedFaces([face.canvas for face in uncovered]), areas=[Area.WHOLE_FACE])
    right = bare.areas[Area.WHOLE_FACE].argmax(axis=1) == cache.labels[rows]
    tables = [_measure_faces(cache, rows, NOTHING, uncovered, path, calibration, right)]
    for part in PARTS:
        say(f"{len(rows)} faces, {part.value} covered")
        covered = cover(cache, rows, part, KINDS_FOR[part], "both")
        tables.append(_measure_faces(cache, rows, part.value, covered, path, calibration, right))
    return Measured(pd.concat(tables, ignore_index=True))


def _measure_faces(
    cache: FaceCache,
    rows: npt.NDArray[np.int64],
    covered: str,
    faces: list[Occluded],
    path: AnswerPath,
    calibration: Calibration,
    bare: npt.NDArray[np.bool_],
) -> pd.DataFrame:
    labels, truth = cache.labels[rows], [truly_visible(face, "both") for face in faces]
    looked = path.look(PreparedFaces([face.canvas for face in faces]))
    found = [seen.visible for seen in looked.seen]
    guess = int(calibration.prior.argmax())
    answered = np.array([source != "" for source in looked.sources])
    said = np.where(answered, looked.logits.argmax(axis=1), guess)
    table = pd.DataFrame({
        "covered": covered, "kind": [face.kind for face in faces],
        "sample_id": cache.index["id"].to_numpy()[rows], "label": cache.index["label"].to_numpy()[rows],
        "bare": bare, "whole_face": looked.areas[Area.WHOLE_FACE].argmax(axis=1) == labels,
        "visible_areas": _from_areas(path, looked, guess) == labels, "shipped": said == labels,
        "source": looked.sources, "authenticity": _judged(looked, calibration),
    })  # fmt: skip
    for p in PARTS:
        table[f"visible_{p.value}"] = [p in v for v in found]
        table[f"hidden_{p.value}"] = [p not in v for v in truth]
    return table


def _from_areas(path: AnswerPath, looked: Looked, guess: int) -> npt.NDArray[np.int64]:
    """What would be said from the areas of the visible parts alone."""
    said = []
    for i, seen in enumerate(looked.seen):
        fused = path.fused({area: z[i : i + 1] for area, z in looked.areas.items()}, seen.visible)
        said.append(guess if fused is None else int(fused.logits.argmax()))
    return np.array(said, np.int64)


def _judged(looked: Looked, calibration: Calibration) -> npt.NDArray[np.float64]:
    names = np.array(looked.sources)
    out = np.full(len(names), np.nan)
    for name in set(looked.sources) - {""}:
        members = names == name
        out[members] = [interval.value for interval in calibration.judge(name, looked.logits[members])]
    return out


def summary(measured: Measured, by: str = "covered") -> pd.DataFrame:
    """Accuracy in each way, by covered part (or by kind of occluder), and over all that have one covered.

    Returns:
        Columns covered, n, bare, whole_face, visible_areas, shipped (each of the last three with _low and _high),
        gain (what mien says minus the occluded whole face) and areas_gain (the visible areas minus it), each with _low
        and _high, kept (share of the bare accuracy), kept_whole_face, answered (share of faces with a visible
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
            rows["authenticity"][judged].to_numpy(float), rows["shipped"][judged].to_numpy(bool)
        ),
    }  # fmt: skip
    for column in ("whole_face", "visible_areas", "shipped"):
        share = metrics.wilson(int(rows[column].sum()), len(rows))
        out |= {column: share.value, f"{column}_low": share.low, f"{column}_high": share.high}
    for key, column in (("gain", "shipped"), ("areas_gain", "visible_areas")):
        gain = _clustered(rows[column].to_numpy(float) - rows["whole_face"].to_numpy(float), rows["sample_id"])
        out |= {key: gain.value, f"{key}_low": gain.low, f"{key}_high": gain.high}
    return out | {
        "kept": out["shipped"] / max(out["bare"], 1e-9),
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
    calibration, rule = Calibration.load(fitted, models.network), Fusion.load(fitted, models.network)
    measured = measure(FaceCache.open(cache_folder), AnswerPath.of(models, rule), calibration, faces, say)
    table, found = summary(measured), detection(measured)
    results.mkdir(parents=True, exist_ok=True)
    written = {"occlusion": table, "occlusion_kinds": summary(measured, "kind"), "occlusion_detection": found}
    for name, rows in written.items():
        with replacing(results / f"{name}.csv") as scratch:
            rows.to_csv(scratch, index=False, float_format="%.6g")
    draw_occlusion(table, results / "occlusion.png")
    out = {
        "command": command, "network": models.network, "n": len(measured.table),
        "covered": {str(row["covered"]): _numbers(row) for row in table.to_dict("records")},
        "published": [
            {"method": name, "dataset": data, "bare": bare, "occluded": occluded, "kept": round(occluded / bare, 4)}
            for name, data, bare, occluded in PUBLISHED_DROPS
        ],
    }  # fmt: skip
    replace_json(results / "occlusion.json", out)
    replace_file(results / "occlusion.md", occlusion_page(command, table, summary(measured, "kind"), found))
    return out


def _numbers(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(k): round(float(v), 5) for k, v in row.items() if k not in ("covered", "kind")}
