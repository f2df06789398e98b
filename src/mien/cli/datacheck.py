"""``mien data check``: the tables it prints."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from mien.datasets import PUBLISHED_TABLES, Dataset, Inspection, inspect
from mien.errors import DatasetError
from mien.types import EMOTIONS, SPLITS

SHOWN = 20
"""Problems printed; ``--json`` lists all."""


def check(dataset: Dataset, labels_only: bool, as_json: bool, workers: int | None) -> int:
    """Print what a data set holds; the exit code is that of DatasetError where something is missing or broken."""
    seen = Inspection(("",) * len(dataset.samples), (), ()) if labels_only else inspect(dataset, workers)
    result = findings(dataset, seen, not labels_only)
    print(json.dumps(result, indent=1) if as_json else "\n".join(lines(result)))
    return DatasetError.exit_code if result["problems"] else 0


def findings(dataset: Dataset, seen: Inspection, opened: bool) -> dict[str, Any]:
    """Everything that is known about a data set, as plain values."""
    table = dataset.comparison()
    return {
        "dataset": dataset.name,
        "root": str(dataset.root),
        "layout": dataset.layout,
        "rule": dataset.rule,
        "faces": len(dataset.samples),
        "counts": {split: {k: int(v) for k, v in row.items()} for split, row in dataset.counts().T.to_dict().items()},
        "majority_rule": {s: int(n) for s, n in dataset.counts("majority")["total"].items()},
        "published_table": PUBLISHED_TABLES.get(dataset.rule.get("reader", ""), ""),
        "comparison": [] if table is None else table.to_dict("records"),
        "left_out": dataset.left_out,
        "pictures_opened": opened,
        "notes": [str(n) for n in dataset.notes + seen.notes],
        "problems": [str(p) for p in dataset.problems + seen.problems],
    }


def lines(result: dict[str, Any]) -> list[str]:
    """The result for people."""
    text = [f"{result['dataset']}: {result['root']} ({result['layout']}), {result['faces']:,} faces", ""]
    text += _comparison_lines(result) if result["comparison"] else _count_lines(result)
    text += [""]
    if result["comparison"]:
        held = result["counts"]["validation"]["total"]
        text.append(
            f"validation: {held:,} of these train faces are held out, so that the test set never chooses anything"
        )
    if result["majority_rule"] != {s: result["counts"][s]["total"] for s in SPLITS}:
        kept = ", ".join(f"{s} {n:,}" for s, n in result["majority_rule"].items())
        text.append(f"FER+ authors' majority rule instead: {kept}")
    text += [f"left out: {n:,} faces: {rule}" for rule, n in result["left_out"].items()]
    text += [f"note: {note}" for note in result["notes"][:SHOWN]] + _more(result["notes"], "notes")
    text += [f"PROBLEM: {problem}" for problem in result["problems"][:SHOWN]] + _more(result["problems"], "problems")
    if not result["problems"]:
        text.append("nothing is missing" + (" or broken" if result["pictures_opened"] else "; no picture was opened"))
    return text


def _more(listed: list[str], word: str) -> list[str]:
    return [f"... and {len(listed) - SHOWN:,} more {word} (--json lists all)"] if len(listed) > SHOWN else []


def _comparison_lines(result: dict[str, Any]) -> list[str]:
    """Found, paper, difference: one block a split, one column an emotion."""
    table = pd.DataFrame(result["comparison"])
    names = list(dict.fromkeys(table["emotion"]))
    text = [_row(f"{result['published_table']} of the paper", names)]
    for split, block in table.groupby("split", sort=False):
        label = "train (with validation)" if split == "train" else str(split)
        text.append(_row(f"{label}: found", [f"{n:,}" for n in block["found"]]))
        text.append(_row("paper", [f"{n:,}" for n in block["paper"]]))
        text.append(_row("difference", [f"{n:+,}" if n else "0" for n in block["difference"]]))
        text.append(_row("in percent", [f"{n:+.2f}" if n else "0" for n in block["percent"]]))
    return text


def _count_lines(result: dict[str, Any]) -> list[str]:
    names = [e.value for e in EMOTIONS] + ["total"]
    rows = [_row(split, [f"{result['counts'][split][n]:,}" for n in names]) for split in SPLITS]
    return [_row("faces", names), *rows]


def _row(label: str, cells: list[str]) -> str:
    return f"{label:<30}" + "".join(f"{cell:>11}" for cell in cells)
