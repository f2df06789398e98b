"""Fit what tells faces from fists: src/mien/face/networks/verify.csv (see mien/face/verify.py).

    PYTHONPATH=scripts/measure python scripts/run/verify_faces.py collect DATA proposals.npz
    python scripts/run/verify_faces.py fit proposals.npz src/mien/face/networks/verify.csv --least 0.85

DATA holds masks/ and expw/. Faces: photos with and without real masks, ExpW's boxes, and drawn
covers on all but the first. Not faces: proposals in tiles cut from ExpW's photos away from every box; where the mesh
itself is sure of a face (people whom ExpW's boxes leave out), or a line of --faces names it, it is left out.
Cross-validated by photo; the table printed is docs/results/detection/verify.csv.
"""

from __future__ import annotations

import argparse
import collections
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from covers import KINDS, cover

from mien.face import blazeface, verify
from mien.face.blazeface import Look
from mien.face.verify import Candidate
from mien.jobs.files import replacing

LOOKS = (Look("short", 0.0, least=0.3), Look("short", 0.25, least=0.3), Look("back", 0.0, least=0.3),
         Look("back", 0.25, least=0.3))  # fmt: skip
SMALLEST = 28.0
Rows = dict[str, list[Any]]


def proposals(rgb: np.ndarray) -> list[Candidate]:
    """What BlazeFace proposes in a photo, by the looks that photos get."""
    found = [blazeface.look([rgb], look)[0] for look in LOOKS]
    merged = blazeface.merged(blazeface.Found(*(np.concatenate([getattr(f, n) for f in found])
                                                for n in ("boxes", "points", "scores"))))  # fmt: skip
    return verify.candidates_of(merged)


def put(rows: Rows, group: str, name: str, rgb: np.ndarray, box: np.ndarray | None = None) -> np.ndarray | None:
    """Add a photo's proposals (only the one on ``box`` where that is given); returns that one's mesh."""
    candidates = [c for c in proposals(rgb) if np.max(c.box[2:] - c.box[:2]) >= SMALLEST or box is not None]
    if box is not None:
        shares = [float(blazeface.overlaps(c.box, box[None])[0]) for c in candidates]
        best = int(np.argmax(shares)) if shares and max(shares) > 0.3 else None
        if best is None:
            rows["missed"].append(group)
            return None
        candidates = [candidates[best]]
    if not candidates:
        return None
    first, second = verify.meshes_of(rgb, candidates)
    for i, candidate in enumerate(candidates):
        rows["features"].append(verify.features_of(rgb, candidate, first, second, i))
        rows["group"].append(group)
        rows["name"].append(f"{name}|{int(candidate.box[0])}")
    return second.points[0]


def expw(root: Path) -> dict[str, np.ndarray]:
    """Boxes float32 [N, 4] by photo."""
    boxes = collections.defaultdict(list)
    for line in (root / "label" / "label.lst").read_text().splitlines():
        name, _, top, left, right, bottom, _, _ = line.split()
        boxes[name].append([float(left), float(top), float(right), float(bottom)])
    return {name: np.array(of_photo, np.float32) for name, of_photo in sorted(boxes.items())}


def tiles(
    rgb: np.ndarray, boxes: np.ndarray, generator: np.random.Generator, count: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Squares of 80 to 320 px away from every box by 0.2 of its size."""
    height, width = rgb.shape[:2]
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * 0.7
    low, high = centre - half, centre + half
    for _ in range(80):
        side = int(generator.integers(80, 320))
        if side > min(height, width) or count == 0:
            continue
        x, y = int(generator.integers(0, width - side + 1)), int(generator.integers(0, height - side + 1))
        if not ((np.minimum([x + side, y + side], high) > np.maximum([x, y], low)).all(axis=1)).any():
            count -= 1
            yield f"{x}:{y}:{side}", np.ascontiguousarray(rgb[y : y + side, x : x + side])


def load(path: Path) -> np.ndarray:
    """uint8 [H, W, 3], RGB."""
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def collect(data: Path, out: Path, every: int) -> None:
    """Features of all proposals."""
    rows: Rows = collections.defaultdict(list)
    generator = np.random.default_rng(0)
    for n, path in enumerate(sorted((data / "masks").glob("*/*"))[::every]):
        rgb = load(path)
        places = [(c, np.prod(c.box[2:] - c.box[:2]) * c.score**2) for c in proposals(rgb) if c.score >= 0.5]
        if not places:
            rows["missed"].append(path.parent.name)
            continue
        box = max(places, key=lambda p: p[1])[0].box
        points = put(rows, path.parent.name, path.name, rgb, box)
        if path.parent.name == "without_mask" and points is not None:
            for kind in (KINDS[n % 5], KINDS[(n + 2) % 5]):
                put(rows, f"drawn {kind}", path.name, cover(rgb, points, kind, generator), box)
    photos = expw(data / "expw")
    for n, (name, boxes) in enumerate(photos.items()):
        if n % every:
            continue
        rgb = load(data / "expw" / "image" / "origin" / name)
        for where, tile in tiles(rgb, boxes, generator, 3):
            rows["tiles"].append(where)
            put(rows, "background", f"{name}:{where}", tile)
        points = put(rows, "expw", name, rgb, boxes[0])
        if points is not None and n % (2 * every) == 0:
            kind = KINDS[n // (2 * every) % 5]
            put(rows, f"drawn {kind}", name, cover(rgb, points, kind, generator), boxes[0])
        if n % (50 * every) == 0:
            print(n, len(rows["name"]), flush=True)
            _save(rows, out)
    _save(rows, out)


def _save(rows: Rows, out: Path) -> None:
    with replacing(out) as scratch:
        np.savez(scratch, features=np.array(rows["features"], np.float32), group=rows["group"], name=rows["name"],
                 tiles=len(rows["tiles"]), missed=np.array(rows["missed"], str))  # fmt: skip


def fit(source: Path, out: Path, least: float, faces: Path | None, report: Path | None) -> None:
    """Cross-validate, print, write the regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    with np.load(source) as arrays:
        x, group, name = arrays["features"].astype(np.float64), arrays["group"], arrays["name"]
        count, missed = int(arrays["tiles"]), arrays["missed"]
    y = group != "background"
    known = set(faces.read_text().split()) if faces else set()
    x[:, 288:290] = np.clip(x[:, 288:290], -16, 16)
    kept = y | ((x[:, 289] < 0) & ~np.isin(name, list(known)))
    x, group, name, y = x[kept], group[kept], name[kept], y[kept]
    photo = np.array([n.split("|")[0].split(":")[0] for n in name])
    weight = np.where(group == "with_mask", 2.0, 1.0)
    probability = np.zeros(len(y))
    for train, test in GroupKFold(5).split(x, y, photo):
        mean, scale = x[train].mean(axis=0), x[train].std(axis=0) + 1e-9
        model = LogisticRegression(C=0.01, max_iter=3000).fit((x[train] - mean) / scale, y[train], weight[train])
        probability[test] = model.predict_proba((x[test] - mean) / scale)[:, 1]
    worst: dict[str, float] = {}
    for n, p in zip(name[~y], probability[~y], strict=True):
        tile = n.split("|")[0]
        worst[tile] = max(worst.get(tile, 0.0), p)
    groups = sorted(set(group[y]))
    lines = ["least,false_per_100_tiles," + ",".join(groups)]
    for limit in (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        shares = [(probability[group == g] >= limit).sum() / ((group == g).sum() + (missed == g).sum()) for g in groups]
        false = 100 * sum(p >= limit for p in worst.values()) / count
        lines.append(f"{limit},{false:.2f}," + ",".join(f"{100 * s:.1f}" for s in shares))
    counts = [int((group == g).sum() + (missed == g).sum()) for g in groups]
    lines.append(f"faces or tiles,{count}," + ",".join(map(str, counts)))
    print("\n".join(lines))
    if report:
        report.write_text("\n".join(lines) + "\n")
    order = np.argsort(-np.where(y, -1, probability))[:60]
    print("highest of the background:", *name[order])
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    model = LogisticRegression(C=0.01, max_iter=3000).fit((x - mean) / scale, y, weight)
    table = ["feature,mean,scale,weight", f"least,,,{least}", f"offset,,,{model.intercept_[0]:.6f}"]
    columns = zip(verify.NAMES, mean, scale, model.coef_[0], strict=True)
    table += [f"{n},{m:.6f},{s:.6f},{w:.6f}" for n, m, s, w in columns]
    out.write_text("\n".join(table) + "\n")


def main() -> None:
    """Collect or fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    one = actions.add_parser("collect")
    one.add_argument("data", type=Path)
    one.add_argument("out", type=Path)
    one.add_argument("--every", type=int, default=1, help="only every so many photos, for a trial")
    other = actions.add_parser("fit")
    other.add_argument("source", type=Path)
    other.add_argument("out", type=Path)
    other.add_argument("--least", type=float, default=0.85)
    other.add_argument("--faces", type=Path, help="names of background proposals that are faces after all")
    other.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    if arguments.action == "collect":
        collect(arguments.data, arguments.out, arguments.every)
    else:
        fit(arguments.source, arguments.out, arguments.least, arguments.faces, arguments.report)


if __name__ == "__main__":
    main()
