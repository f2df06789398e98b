"""Tables 5 and 6 of the paper: padding against no padding, and the seven areas compared; and both for other crops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mien.face.spec import STUDY_SPECS, CropSpec
from mien.measure.metrics import expected_calibration_error
from mien.measure.predictions import labels_of, logits_of
from mien.study.report.exhibits import Exhibit, absent, percent, points, signed, verdict, with_interval
from mien.study.report.inputs import Evidence
from mien.study.report.paper import PADDING, TEST_ACCURACY
from mien.study.report.resample import FEW, AreaArms, CropArm, CropArms, confusions_of, holm, macro_recall, recall
from mien.trust.authenticity import softmax
from mien.types import AREAS, EMOTIONS, Area, Interval


def padding_table(evidence: Evidence, arms: CropArms | None, spec_name: str, key: str) -> Exhibit:
    """Table 5 for one way of cutting: crops cut to a square against crops padded to a square."""
    spec = STUDY_SPECS[spec_name]
    id = f"{key}-{evidence.name}"
    title = f"Padding against no padding, {SPEC_TITLES[spec_name]}"
    found: list[tuple[Area, Interval, Interval, Interval]] = []
    for area in AREAS:
        cut_arm, padded_arm = _both_arms(area, spec)
        if arms is not None and {cut_arm, padded_arm} <= set(arms.arms):
            gain = arms.difference(padded_arm, cut_arm)
            found.append((area, arms.accuracy(cut_arm), arms.accuracy(padded_arm), gain))
    if not found:
        planned = all(evidence.planned("crops", key) for _, key in _both_arms(Area.EYES, spec))
        why = "no area has both trainings (padded and cut) yet" if planned else "this preset does not train it"
        return absent(id, title, "table", why)
    data = pd.DataFrame([
        {"area": area.value, **_columns("without", without), **_columns("padded", padded), **_columns("gain", gain),
         "paper_rafdb_without": PADDING[area][0] / 100, "paper_rafdb_padded": PADDING[area][1] / 100}
        for area, without, padded, gain in found
    ])  # fmt: skip
    shown = pd.DataFrame({
        "area": [area.words for area, *_ in found],
        "without": [with_interval(without) for _, without, _, _ in found],
        "with padding": [with_interval(padded) for _, _, padded, _ in found],
        "gain, points": [points(gain) for *_, gain in found],
        "padding helps": [verdict(gain) for *_, gain in found],
    })  # fmt: skip
    if spec_name == "published":
        own = data["paper_rafdb_padded"] - data["paper_rafdb_without"]
        shown["paper, RAF-DB: without"] = [percent(v, 2) for v in data["paper_rafdb_without"]]
        shown["paper, RAF-DB: with"] = [percent(v, 2) for v in data["paper_rafdb_padded"]]
        shown["paper, RAF-DB: gain"] = [signed(v, 2) for v in own]
    caption = (
        f"Test accuracy in percent with 95% bootstrap intervals, {evidence.title}, {SPEC_TITLES[spec_name]}; both "
        f"columns trained on one schedule ({_schedule(evidence)}{_sharing(evidence)}). Without padding the shorter "
        "side decides the square, so the crop loses its ends."
    )
    if len(found) < len(AREAS):
        caption += f" {len(AREAS) - len(found)} of {len(AREAS)} areas are still to be trained, or cut as above."
    return Exhibit(id, title, caption, "table", data, shown)


SPEC_TITLES = {
    "published": "published crops (box, one eye)",
    "cut": "published crops without padding",
    "hull": "hull crops (one eye)",
    "both_eyes": "box crops with both eyes",
    "hull_both_eyes": "hull crops with both eyes",
}


def _both_arms(area: Area, spec: CropSpec) -> tuple[CropArm, CropArm]:
    return (area, replace(spec, padded=False).key), (area, replace(spec, padded=True).key)


def _schedule(evidence: Evidence) -> str:
    stages = evidence.runs[evidence.runs["role"] == "crops"]["stages"].unique()
    return "; ".join(str(stage) for stage in stages)


def _sharing(evidence: Evidence) -> str:
    shared = (evidence.runs.loc[evidence.runs["role"] == "crops", "area"] == "").any()
    return ", one network for all seven areas a way of cutting" if shared else ""


def _columns(name: str, interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def accuracy_table(evidence: Evidence, areas: AreaArms | None, majority: AreaArms | None, best_run: bool) -> Exhibit:
    """Table 6: test accuracy of the seven areas."""
    id, title = f"table-6-{evidence.name}", f"The seven areas on {evidence.title}"
    if areas is None:
        return absent(id, title, "table", "no area network is trained yet")
    paper = TEST_ACCURACY.get(evidence.name, {})
    rows = [_accuracy_row(evidence, areas, majority, area, paper.get(area)) for area in AREAS if area in areas.arms]
    data = pd.DataFrame(rows)
    shown = pd.DataFrame({
        "area": [Area(str(a)).words for a in data["area"]],
        "accuracy": [_text(r, "accuracy") for r in rows],
        "macro recall": [_text(r, "macro_recall") for r in rows],
        "single trainings": [r["trainings"] for r in rows],
        "pixels": [r["sides"] for r in rows],
        "ECE": [f"{r['ece']:.3f}" for r in rows],
    })  # fmt: skip
    caption = (
        f"Percent right of {areas.n:,} test faces (the paper's selection) with 95% bootstrap intervals over faces; "
        + ("the best of several trainings on the test set (published protocol)" if best_run else "mean over trainings")
        + ". 'Pixels': side of the crops in the stage of training that was best on the watched split, which is the one "
        "reported (Table E has every stage). 'Single trainings' lists each seed's accuracy. ECE: expected calibration "
        "error of the plain softmax, 15 "
        "bins."
    )
    if majority is not None:
        shown.insert(2, "accuracy, majority rule", [_text(r, "majority_accuracy") for r in rows])
        caption += f" Majority rule: the {majority.n:,} test faces that the FER+ authors' own rule keeps."
    if paper:
        shown["paper"] = [percent(r["paper"], 2) for r in rows]
        caption += " The paper's column is what our copy of it gives."
    absent_areas = [area.words for area in AREAS if area not in areas.arms]
    if absent_areas:
        caption += f" Not trained yet: {', '.join(absent_areas)}."
    return Exhibit(id, title, caption, "table", data, shown)


def _accuracy_row(
    evidence: Evidence, areas: AreaArms, majority: AreaArms | None, area: Area, paper: float | None
) -> dict[str, Any]:
    place = areas.at(area)
    table = evidence.role("areas")
    spread = table[table["area"] == area.value]
    error = np.mean(
        [expected_calibration_error(labels_of(rows), softmax(logits_of(rows))) for _, rows in spread.groupby("seed")]
    )
    seeds = areas.by_seed[area]
    row: dict[str, Any] = {"area": area.value, "n": areas.n, **_columns("accuracy", areas.accuracy(area))}
    row |= _columns("macro_recall", areas.interval(lambda c: macro_recall(c)[..., place]))
    row |= {"trainings": ", ".join(percent(s) for s in seeds), "seeds": len(seeds)}
    row |= {"sides": ", ".join(map(str, sorted(set(spread["side"]))))}
    row |= {"spread_low": min(seeds), "spread_high": max(seeds), "ece": float(error)}
    if majority is not None:
        row |= {"majority_n": majority.n, **_columns("majority_accuracy", majority.accuracy(area))}
    return {**row, "paper": None if paper is None else paper / 100}


def _text(row: Mapping[str, Any], name: str) -> str:
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return "–" if value is None else f"{percent(value)} ({percent(low)}–{percent(high)})"


def stages_table(evidence: Evidence) -> Exhibit:
    """Table E: accuracy at the end of every stage of progressive resizing."""
    id, title = f"table-e-{evidence.name}", "What the side of the crops does"
    table, watched = evidence.every_stage("areas"), evidence.every_stage("areas", "validation")
    if not len(table):
        return absent(id, title, "table", "no area network is trained yet")
    groups = [(area, int(str(side)), rows) for area in AREAS
              for side, rows in table[table["area"] == area.value].groupby("side")]  # fmt: skip
    arms = confusions_of([((area, side), rows) for area, side, rows in groups], draws=1000)
    rows, shown = [], []
    for area, side, own in groups:
        seen = watched[(watched["area"] == area.value) & (watched["side"] == side)]
        right = float((logits_of(seen).argmax(axis=1) == labels_of(seen)).mean()) if len(seen) else None
        runs = own.drop_duplicates("run")
        test = arms.accuracy((area, side))
        rows.append({"area": area.value, "side": side, "trainings": len(runs), "chosen": int(runs["chosen"].sum()),
                     "validation": right, **_columns("test", test)})  # fmt: skip
        shown.append({
            "area": area.words, "pixels": side, "validation": "–" if right is None else percent(right),
            "test": with_interval(test), "chosen in": f"{rows[-1]['chosen']} of {len(runs)}",
        })  # fmt: skip
    caption = (
        "Percent right at the end of each stage of training, mean over trainings; the published side is 64 pixels. "
        "The watched split chooses the stage that is reported elsewhere."
    )
    return Exhibit(id, title, caption, "table", pd.DataFrame(rows), pd.DataFrame(shown))


def pairs_table(evidence: Evidence, areas: AreaArms | None) -> Exhibit:
    """Paired differences between every two areas, with Holm-corrected significance."""
    id, title = f"table-c-{evidence.name}", "Every area against every other"
    if areas is None or len(areas.arms) < 2:
        return absent(id, title, "table", "fewer than two areas are trained")
    pairs = list(combinations([area for area in AREAS if area in areas.arms], 2))
    gaps = [areas.difference(second, first) for first, second in pairs]
    raw = [areas.p_value(second, first) for first, second in pairs]
    corrected = holm(raw)
    data = pd.DataFrame([
        {"first": a.value, "second": b.value, **_columns("difference", gap), "p": p, "p_holm": q}
        for (a, b), gap, p, q in zip(pairs, gaps, raw, corrected, strict=True)
    ])  # fmt: skip
    floor = len(pairs) / len(areas.replicates)
    shown = pd.DataFrame({
        "second against first": [f"{b.words} against {a.words}" for a, b in pairs],
        "difference, points": [points(gap) for gap in gaps],
        "p, Holm": [f"< {floor:.3f}" if q <= floor else f"{q:.3f}" for q in corrected],
        "differ": ["yes" if q < 0.05 else "undecided" for q in corrected],
    })  # fmt: skip
    caption = (
        f"Accuracy of the second area minus that of the first on the same {areas.n:,} test faces, paired bootstrap "
        f"({len(areas.replicates):,} replicates); p corrected for {len(pairs)} comparisons. Intervals cover the choice "
        "of test faces, not the luck of a training: see 'single trainings' in Table 6 for that."
    )
    return Exhibit(id, title, caption, "table", data, shown)


def recall_table(evidence: Evidence, areas: AreaArms | None) -> Exhibit:
    """Recall of every emotion in every area."""
    id, title = f"table-d-{evidence.name}", "Recall of each emotion by area"
    if areas is None:
        return absent(id, title, "table", "no area network is trained yet")
    rows, cells = [], []
    for i, emotion in enumerate(EMOTIONS):
        n = areas.faces_of(i)
        if not n:
            continue
        shown: dict[str, str] = {"emotion": f"{emotion.value} (n = {n:,})"}
        for area in (a for a in AREAS if a in areas.arms):
            place = areas.at(area)
            found = areas.share(lambda c: recall(c)[..., place, i], n)  # noqa: B023
            rows.append({"emotion": emotion.value, "area": area.value, "n": n, **_columns("recall", found)})
            shown[area.words] = with_interval(found)
        cells.append(shown)
    caption = (
        "Percent of the faces with a label that the network answers with it, with 95% intervals over faces: bootstrap, "
        f"and Wilson's for emotions of fewer than {FEW} faces, where a bootstrap of 0 of 21 would say that nothing is "
        "unsure."
    )
    return Exhibit(id, title, caption, "table", pd.DataFrame(rows), pd.DataFrame(cells))


def specs_table(evidence: Evidence, arms: CropArms | None) -> Exhibit:
    """Table 6 for the clean crops and for both eyes, against the published crops on the same schedule."""
    id, title = f"table-i-{evidence.name}", "How much a bounding box leaks: hull crops and both eyes"
    base = STUDY_SPECS["published"].key
    if arms is None or not any(key != base for _, key in arms.arms):
        return absent(id, title, "table", "the comparison of crops is not trained yet")
    rows, cells = [], []
    for area in AREAS:
        cell = {"area": area.words}
        for name, heading in SPEC_SHORT.items():
            arm = (area, STUDY_SPECS[name].key)
            if arm not in arms.arms:
                cell[heading] = "–"
                continue
            own = arms.accuracy(arm)
            row = {"area": area.value, "spec": arm[1], **_columns("accuracy", own)}
            cell[heading] = with_interval(own)
            if name != "published" and (area, base) in arms.arms:
                gap = arms.difference(arm, (area, base))
                cell[heading] = f"{percent(own.value)}; {points(gap)}"
                row |= _columns("against_published", gap)
            rows.append(row)
        cells.append(cell)
    caption = (
        f"Test accuracy in percent, {evidence.title}, every crop trained on one short schedule "
        f"({_schedule(evidence)}{_sharing(evidence)}), one seed; after the semicolon the difference from the published "
        "crop in points, on the same faces, with its 95% interval. A dash: this spec cuts the area as the one to its "
        "left does, or its training is missing. An area that a spec cuts as published (the mouth, where only the eyes "
        "change) shows the luck of a training. What a box gives beyond the hulls (neighbouring parts, cheeks, jaw) is "
        "what it leaks."
    )
    return Exhibit(id, title, caption, "table", pd.DataFrame(rows), pd.DataFrame(cells))


SPEC_SHORT = {"published": "published", "hull": "hull", "both_eyes": "both eyes", "hull_both_eyes": "hull, both eyes"}
