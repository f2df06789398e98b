"""Tables P and Q: what ``mien evaluate`` measured of shipped networks, beside the study and beside others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mien.errors import TableError
from mien.study.report.exhibits import Exhibit, percent, with_interval
from mien.study.report.paper import OTHERS, TEST_ACCURACY
from mien.types import AREAS, Area, Interval

NETWORKS = {"vgg": "seven VGGs", "resnet": "the one network"}
SELECTIONS = {"published": "paper's selection", "majority": "majority rule"}


def add(out: Path, evaluations: Sequence[Path], subsets: Path | None) -> None:
    """Write Tables P and Q among the results of a study; the next report holds them.

    Args:
        out: folder of the study.
        evaluations: files that ``mien evaluate --out`` wrote, of one data set, one a network.
        subsets: a file that ``mien evaluate --subset ... --out`` wrote; None leaves Table Q as it is.

    Raises:
        TableError: a file is not what that command writes.
    """
    results = out / "results"
    if evaluations:
        kept = sorted(results.glob("table-6-*.json"))
        study = Exhibit.read(kept[0]) if kept else None
        evaluated_table([_read(file, "areas") for file in evaluations], study).write(results)
    if subsets is not None:
        subsets_table(_read(subsets, "subsets")).write(results)


def _read(file: Path, needed: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found[needed], found["command"], found["network"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TableError(f"{file} is no result of mien evaluate that holds {needed!r} ({error})") from error
    return found


def evaluated_table(evaluations: Sequence[Mapping[str, Any]], study: Exhibit | None) -> Exhibit:
    """Table P: the areas in each network that is shipped, on both selections; the study's own trainings beside them."""
    cells, rows = [], []
    paper = TEST_ACCURACY.get(str(evaluations[0]["dataset"]), {})
    own = {} if study is None or study.missing else {r["area"]: r for _, r in study.data.iterrows()}
    for area in AREAS:
        cell = {"area": area.words}
        for selection, words in SELECTIONS.items():
            for found in evaluations:
                measured = _accuracy(found, area, selection)
                name = NETWORKS.get(found["network"], found["network"])
                cell[f"{name}, {words}"] = with_interval(measured)
                if measured is not None:
                    rows.append({"area": area.value, "network": found["network"], "selection": selection,
                                 **measured.to_dict()})  # fmt: skip
        if area.value in own:
            row = own[area.value]
            cell["this study's trainings"] = (
                f"{percent(row['accuracy'])} ({percent(row['accuracy_low'])}–{percent(row['accuracy_high'])})"
            )
        cell["paper"] = f"{paper[area]:.2f}" if area in paper else "–"
        cells.append(cell)
    data = pd.DataFrame(rows)
    sizes = data.groupby("selection")["n"].max()
    counted = ", ".join(f"{SELECTIONS[name]} n = {sizes[name]:,}" for name in SELECTIONS if name in sizes)
    commands = "; ".join(str(found["command"]) for found in evaluations)
    caption = (
        f"Percent right of test faces by the votes of label.csv, with Wilson's 95% intervals ({counted}). Shipped "
        "networks average the answers for a crop and its mirror image and lean towards rare emotions, and some VGGs "
        "learnt from the study's own as teachers; the one network sees the same areas, all else blanked. "
        "VGGs: crops by dlib's landmarks, as in the study; the one network: by the face mesh's, as it is shipped. "
        f"'This study's trainings' are those of Table 6, on the votes named there. Commands: {commands}."
    )
    return Exhibit("table-p", "The same areas in the networks that mien ships", caption, "table", data,
                   pd.DataFrame(cells))  # fmt: skip


def _accuracy(found: Mapping[str, Any], area: Area, selection: str) -> Interval | None:
    value = found["areas"].get(area.value, {}).get(selection, {}).get("accuracy")
    return None if value is None else Interval(value["value"], value["low"], value["high"], value["n"])


def subsets_table(found: Mapping[str, Any]) -> Exhibit:
    """Table Q: published hard lists, beside what others report on them."""
    rows, cells = [], []
    for name, row in found["subsets"].items():
        right = Interval(**{key: row["accuracy"][key] for key in ("value", "low", "high", "n")})
        rows.append({"list": name, "n": row["n"], "found": row["found"], **_named("accuracy", right),
                     "macro_recall": row["macro_recall"], "said": row["said"], "true": row["true"],
                     **{other.lower(): value for other, value in OTHERS.get(name, {}).items()}})  # fmt: skip
        others = OTHERS.get(name, {})
        cells.append({
            "list": name, "faces": f"{row['n']:,}", "found": percent(row["found"]), "right": with_interval(right),
            **{other: f"{others[other]:.1f}" if other in others else "–" for other in ("VGG13", "RAN", "D3FER")},
            "macro recall": percent(row["macro_recall"]), "trust said": percent(row["said"]),
            "true": percent(row["true"]),
        })  # fmt: skip
    caption = (
        f"Percent, end to end (picture in, answer out; a face that is not found counts as wrong), network "
        f"{found['network']}, with Wilson's 95% intervals; lists over the FER+ test split by Wang et al., Region "
        "Attention Networks (TIP 2020). The others' figures are what they report, for a cropped face that is given; "
        "RAN on test3137 is the best of its two. A dash: not reported, or not in our sources. Trust said is the mean "
        f"p_correct of the answers, true how often they were right. Nothing was chosen on these lists. Command: "
        f"{found['command']}."
    )
    return Exhibit("table-q", "Published lists of hard faces, beside others", caption, "table", pd.DataFrame(rows),
                   pd.DataFrame(cells))  # fmt: skip


def _named(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
