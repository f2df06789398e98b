"""Where ``p_correct`` holds: said against true on every collection at hand, end to end, one results file, one page.

    python scripts/measure/where_it_holds.py --ferplus ROOT --subset test3137:LIST --subset occlusion:LIST ... \
        [--cache CACHE] [--expw ROOT] [--models DIR]
    python scripts/measure/where_it_holds.py --page

Without ``--ferplus``, FER+ is measured on the prepared faces of ``--cache`` that were found: minutes, not an hour.

The first measures (answers are kept a photo at a time: the same command goes on) and writes
docs/results/trust/where_it_holds.json; both write docs/trust/where_it_holds.md and the table of README.md from it.
Nothing is chosen on any of it.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mien.data import read
from mien.data.cache import FaceCache
from mien.data.samples import Sample
from mien.measure.check import Held, held, judged
from mien.measure.collection import FaceAnswer, answers_of_samples
from mien.measure.occluders import HELD_OUT_KINDS, KINDS_FOR, occlude
from mien.measure.subsets import named_subsets
from mien.trust.answer import AnswerPath, Judge, PreparedFaces
from mien.trust.authenticity import Calibration
from mien.trust.fusion import Fusion
from mien.trust.models import Models
from mien.trust.prior import Prior
from mien.trust.sources import Source
from mien.types import PARTS, Area, Emotion

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results" / "trust" / "where_it_holds.json"
PAGE = ROOT / "docs" / "trust" / "where_it_holds.md"
MINIMUM = 20
"""Fewer answers are left out."""

Groups = dict[str, dict[str, list[tuple[FaceAnswer, Emotion]]]]
"""Faces and their labels by table and row."""


def largest(samples: Sequence[Sample], models: Models) -> dict[str, FaceAnswer]:
    """The answer for the largest face of each picture, by id."""
    found = answers_of_samples(samples, models)
    return {face.photo: face for face in found if face.number == 0 and face.source}


def prepared(cache: FaceCache, models: Models, wanted: set[str]) -> dict[str, FaceAnswer]:
    """Answers for faces of a prepared data set that were found, by id: the same path, without finding them again."""
    kept = cache.index[cache.index["id"].isin(wanted) & (cache.index["detector"] != "frame")]
    rows, poses = np.array(kept.index), kept.get("pose_yaw")
    path, faces = AnswerPath.of(models, Fusion.load(models.folder, models.network)), {}
    for start in range(0, len(rows), 256):
        some = rows[start : start + 256]
        looked = path.look(PreparedFaces([cache.canvas(int(row)) for row in some]), areas=())
        for row, z, source in zip(some, looked.logits, looked.sources, strict=True):
            yaw = None if poses is None or np.isnan(poses[row]) else float(poses[row])
            size = float(cache.index["face_size"][row])
            if source:
                faces[cache.index["id"][row]] = FaceAnswer("", 0, source, tuple(map(float, z)), size, yaw)
    return faces


def ferplus_groups(args: argparse.Namespace, models: Models) -> Groups:
    """FER+ test: the published lists, kinds of real covers, what was found hidden, poses."""
    lists = named_subsets(args.subset)
    wanted = {name for labels in lists.values() for name in labels}
    if args.ferplus:
        samples = read("ferplus", args.ferplus).samples
        faces = largest([s for s in samples if s.split == "test" and s.id in wanted], models)
    else:
        faces = prepared(FaceCache.open(args.cache), models, wanted)
    of_list = {name: [(faces[i], y) for i, y in labels.items() if i in faces] for name, labels in lists.items()}
    first = next(iter(of_list.values()))
    groups: Groups = {"FER+ test and its published hard lists": of_list, "Found hidden": {}, "Head turned": {}}
    for face, label in first:
        groups["Found hidden"].setdefault(
            "nothing hidden" if face.source == Area.WHOLE_FACE.value else Source(face.source).words, []
        ).append((face, label))
        if face.yaw is not None:
            at = 15 * int(min(abs(face.yaw), 74.9) // 15)
            groups["Head turned"].setdefault(f"{at} to {at + 15} degrees", []).append((face, label))
    groups["Head turned"] = dict(sorted(groups["Head turned"].items(), key=lambda item: int(item[0].split()[0])))
    for name, path in (text.split(":", 1) for text in args.subset):
        for image, kind in kinds_of(Path(path)).items():
            if image in faces and kind:
                row = groups.setdefault(f"Real covers ({name})", {}).setdefault(kind, [])
                row.append((faces[image], lists[name][image]))
    return groups


def kinds_of(path: Path) -> dict[str, str]:
    """The column ``kind`` of a list, by picture; empty where it has none."""
    with path.expanduser().open(newline="") as file:
        return {Path(row["image"]).stem: row.get("kind") or "" for row in csv.DictReader(file)}


def drawn_groups(args: argparse.Namespace, models: Models) -> Groups:
    """Covers drawn on FER+ test faces, of kinds that no network was trained on."""
    cache = FaceCache.open(args.cache)
    rows = cache.rows("test")[:: max(1, len(cache.rows("test")) // args.faces)]
    path, groups = AnswerPath.of(models, Fusion.load(models.folder, models.network)), Groups()
    groups["Drawn covers"] = {}
    for kind in HELD_OUT_KINDS:
        part = next((p for p in PARTS if kind in KINDS_FOR[p]), None)
        covered = []
        for row in rows:
            generator = np.random.default_rng([7, int(row)])
            covered.append(occlude(cache.canvas(int(row)), kind, generator, None, part).canvas)
        looked = path.look(PreparedFaces(covered), areas=())
        groups["Drawn covers"][f"{kind}{f' on {part.value}' if part else ''}"] = [
            (FaceAnswer(str(row), 0, source, tuple(map(float, z)), 0.0), Emotion(cache.index["label"].iloc[int(row)]))
            for row, source, z in zip(rows, looked.sources, looked.logits, strict=True)
            if source
        ]
    return groups


def expw_groups(args: argparse.Namespace, models: Models) -> Groups:
    """ExpW: another collection, by size of the face. Its labels are noisy."""
    samples = read("expw", args.expw).samples
    samples = samples[:: max(1, len(samples) // args.expw_faces)] if args.expw_faces else samples
    faces, found = largest(samples, models), dict[str, list[tuple[FaceAnswer, Emotion]]]()
    for sample in samples:
        if sample.id in faces:
            face = faces[sample.id]
            size = next((f"faces below {s} pixels" for s in (48, 96, 192) if face.size < s), "faces from 192 pixels")
            for row in ("all", size):
                found.setdefault(row, []).append((face, sample.label))
    return {"ExpW (noisy labels)": found}


def measured(groups: Groups, calibration: Calibration) -> Iterator[dict[str, Any]]:
    """Said against true of every group, with no mix given and with the group's own."""
    judge = Judge(calibration)
    for table, rows in groups.items():
        for name, pairs in rows.items():
            if len(pairs) < MINIMUM:
                continue
            faces, truth = [face for face, _ in pairs], np.array([label.position for _, label in pairs])
            sure, said = judged(faces, judge)
            found: Held = held(name, sure, said == truth)
            shares = np.bincount(truth, minlength=8) / len(truth)
            again, under = judged(faces, Judge(calibration, prior=Prior("own", tuple(shares))))
            yield {"table": table, **found.to_dict(), "own_mix": held(name, again, under == truth).to_dict()}


def page(result: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    lines = [
        "# Where it holds", "",
        "Said is the mean `p_correct` of answers, true the share of them that is right, as `mien analyze` answers",
        f"(FER+ from {result['from']}). Where the two differ, trust is off by that much. *Own mix* is the difference",
        "when the group's own mix of emotions is given (`--prior`). The last column says how often answers of",
        "`p_correct` 0.9 or more are right, and how many there are. Nothing was chosen on any of these faces.", "",
        f"Made by `{result['command']}` (network {result['network']}, models {result['models']});",
        "every number is in `docs/results/trust/where_it_holds.json`.", "",
    ]  # fmt: skip
    for table in dict.fromkeys(row["table"] for row in result["rows"]):
        lines += [f"## {table}", "", *_table([row for row in result["rows"] if row["table"] == table]), ""]
    lines += [
        "ExpW is another collection with noisy labels (many faces labelled happy plainly are not). How much of the",
        "difference there is the labels' fault and how much mien's cannot be told: trust is not shown to hold there.",
        "",
        "## Your own collection", "",
        "```sh", "mien trust check --data FOLDER      # a folder an emotion, or a csv: image,emotion", "```", "",
        "prints said, true, the difference with its interval, and what to do: use `p_correct` as it is, give the mix",
        "of emotions (`--prior`; `mien calibrate --unlabelled FOLDER` estimates it without labels), or calibrate on",
        "your own labelled faces (`mien calibrate --cache CACHE`).",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["| answers | n | said | true | difference | calibration error | own mix | right at 0.9 |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for r in rows:
        kept = r["right_of_kept"]
        sure = f"{kept['value']:.1%} of {kept['n']:,}" if kept["n"] else "none"
        lines.append(
            f"| {r['name']} | {r['n']:,} | {r['said']:.1%} | {r['true']:.1%} ({r['low']:.1%} to {r['high']:.1%}) |"
            f" {100 * r['difference']:+.1f} | {r['calibration_error']:.3f} | {100 * r['own_mix']['difference']:+.1f} |"
            f" {sure} |"
        )
    return lines


def write_pages() -> None:
    """The page, and README's table between its marks."""
    result = json.loads(RESULTS.read_text())
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(result))
    first = result["rows"][0]["table"]
    table = "\n".join(_table([row for row in result["rows"] if row["table"] == first]))
    readme = ROOT / "README.md"
    text = readme.read_text()
    marked = re.compile(r"(<!-- where_it_holds -->\n).*?(<!-- /where_it_holds -->)", re.S)
    readme.write_text(marked.sub(lambda m: f"{m[1]}{table}\n{m[2]}", text))


def main() -> None:
    """Measure what was named, write, make the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", action="store_true", help="only make the page again")
    parser.add_argument("--ferplus", type=Path)
    parser.add_argument("--subset", action="append", default=[], metavar="NAME:LIST")
    parser.add_argument("--cache", type=Path, help="prepared FER+, for drawn covers")
    parser.add_argument("--expw", type=Path)
    parser.add_argument("--faces", type=int, default=600, help="for each kind of drawn cover")
    parser.add_argument("--expw-faces", type=int, default=0, help="about so many of ExpW's, evenly (0: all)")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--network")
    args = parser.parse_args()
    if not args.page:
        models = Models(args.models, args.network)
        calibration = Calibration.load(models.folder, models.network)
        groups: Groups = {}
        if args.subset:
            if not (args.ferplus or args.cache):
                raise SystemExit("--subset needs --ferplus ROOT (photos) or --cache CACHE (prepared faces)")
            groups |= ferplus_groups(args, models)
        if args.cache:
            groups |= drawn_groups(args, models)
        if args.expw:
            groups |= expw_groups(args, models)
        from mien.analyze.identity import fingerprint_of

        shown = [Path(a).name if "/" in a else a for a in sys.argv[1:]]
        result = {
            "from": "photos" if args.ferplus else "prepared faces",
            "command": "python scripts/measure/where_it_holds.py " + " ".join(shown), "network": models.network,
            "models": fingerprint_of(models)[:16], "rows": list(measured(groups, calibration)),
        }  # fmt: skip
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    write_pages()


if __name__ == "__main__":
    main()
