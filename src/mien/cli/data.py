"""``mien data``: check, prepare and show data sets."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from mien.data import LAYOUTS, PUBLISHED_TABLES, SPLIT_RULES, VOTES, Dataset, Inspection, inspect, read
from mien.data.prepare import PrepareConfig, prepare
from mien.data.samples import SPLITS
from mien.errors import DatasetError, InputError, UsageError
from mien.face.detect import DETECTORS
from mien.face.spec import STUDY_SPECS
from mien.jobs import places
from mien.jobs.files import replace_file
from mien.types import EMOTIONS, Emotion


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("name", metavar="NAME", help="ferplus, rafdb, expw, or any name for a data set of your own")
    common.add_argument("root", metavar="ROOT", type=Path, help="its folder, or a zip of it; for your own also a csv")
    common.add_argument("--layout", choices=LAYOUTS, default="auto", help="default: by NAME, and folder for any other")
    common.add_argument(
        "--split-rule", choices=SPLIT_RULES, default="default",
        help="published: the paper's own split where ours differs (ExpW: face by face instead of photo by photo)",
    )  # fmt: skip
    common.add_argument(
        "--votes", choices=VOTES, default=None,
        help="FER+: label (the default: the folders' own label.csv, which give the paper's Table 1) or fer2013new",
    )  # fmt: skip
    common.add_argument("--workers", type=int, default=0, help="processes (default: one a core)")
    _add_check(actions, common)
    _add_prepare(actions, common)
    _add_show(actions, common)


def _add_check(actions: Any, common: argparse.ArgumentParser) -> None:
    text = "counts beside the paper's, and what is missing or broken; exit code 3 if anything is"
    parser = actions.add_parser("check", parents=[common], help=text, description=text)
    parser.add_argument("--labels-only", action="store_true", help="do not open the pictures")
    parser.add_argument("--json", action="store_true", help="print JSON; every problem is listed")


def _add_prepare(actions: Any, common: argparse.ArgumentParser) -> None:
    text = "find every face once; the same command goes on after any interruption"
    parser = actions.add_parser("prepare", parents=[common], help=text, description=text)
    parser.add_argument("--out", type=Path, default=places.caches(), help=places.help_of("folder of caches"))
    parser.add_argument(
        "--detector", choices=DETECTORS, default="mesh", help="mesh (default), or dlib, as in the published study"
    )
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only N faces, spread evenly, for a trial")
    parser.add_argument(
        "--skip-broken", action="store_true", help="go on without missing and broken faces, naming them"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write what is printed as JSON")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_show(actions: Any, common: argparse.ArgumentParser) -> None:
    text = "contact sheet like the paper's Fig. 4: faces with landmarks, and their crops"
    parser = actions.add_parser("show", parents=[common], help=text, description=text)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the sheet: .png, .jpg, .pdf or .svg")
    parser.add_argument("--emotion", choices=[e.value for e in Emotion], help="only this class (default: any)")
    parser.add_argument("--split", choices=SPLITS, help="only this split (default: any)")
    parser.add_argument("-n", type=int, default=6, help="how many faces (default 6)")
    parser.add_argument("--seed", type=int, default=0, help="which faces: another seed draws others")
    parser.add_argument("--crops", choices=STUDY_SPECS, default="published", help="how the crops are cut")
    parser.add_argument("--detector", choices=DETECTORS, default="mesh")


def run(args: argparse.Namespace) -> int:
    """Read the data set, then do what was asked."""
    if args.workers < 0:
        raise UsageError("--workers is at least 0")
    dataset = read(args.name, args.root, args.layout, args.split_rule, args.votes)
    if args.action == "check":
        return check(dataset, args.labels_only, args.json, args.workers or None)
    return _prepare(dataset, args) if args.action == "prepare" else _show(dataset, args)


def _prepare(dataset: Dataset, args: argparse.Namespace) -> int:
    config = PrepareConfig(args.detector, args.workers, args.limit, args.skip_broken)
    done = prepare(dataset, args.out, config)
    text = json.dumps(done.report, indent=1)
    if args.report:
        _write(args.report, text + "\n")
    print(text if args.json else "\n".join(done.lines()))
    return 0


def _write(path: Path, text: str) -> None:
    try:
        replace_file(path, text)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror})") from error


def _show(dataset: Dataset, args: argparse.Namespace) -> int:
    from mien.data.sheet import draw_sheet, write_sheet

    emotion = None if args.emotion is None else Emotion(args.emotion)
    faces = draw_sheet(dataset, STUDY_SPECS[args.crops], emotion, args.split, args.n, args.seed, args.detector)
    write_sheet(faces, args.out)
    print(f"{args.out}: {len(faces.rows)} faces")
    return 0


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
