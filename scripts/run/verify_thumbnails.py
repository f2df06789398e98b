"""Fit what tells faces from anything else in thumbnails: src/mien/face/networks/verify_thumbnail.npz.

    PYTHONPATH=scripts/measure:scripts/run python scripts/run/verify_thumbnails.py collect CACHE FERPLUS EXPW rows.npz
    PYTHONPATH=scripts/measure:scripts/run python scripts/run/verify_thumbnails.py fit rows.npz \\
        src/mien/face/networks/verify_thumbnail.npz

Faces: pictures of FER+'s training split (CACHE is what ``mien data prepare`` made of FERPLUS), more of which the mesh
was unsure, and some with drawn covers. Not faces: tiles cut from ExpW's photos away from every box and reduced to 48
pixels, and drawn textures and letters. Tiles in which the mesh itself is sure of a face, or someone saw one
(``SEEN_TO_BE_FACES``), are left out: ExpW's boxes leave people out. Printed: cross-validated by photo, how many faces
are found at how many false ones.
"""

from __future__ import annotations

import argparse
import collections
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from covers import KINDS, cover
from verify_faces import expw, load, tiles

from mien.data.cache import FaceCache
from mien.face import thumbnail, verify
from mien.face.thumbnail import FARTHEST, LOOKS

SIDE = 48
SEEN_TO_BE_FACES = frozenset(
    {
        "fighting_wife_777.jpg:98:172:111",
        "angry_son_486.jpg:210:36:299",
        "angry_old_470.jpg:401:3:145",
        "angry_expression_513.jpg:84:137:109",
        "angry_old_407.jpg:311:28:159",
        "angry_couple_339.jpg:11:117:108",
        "angry_son_486.jpg:335:43:190",
        "frightened_by_the_movie_couple_205.jpg:98:276:120",
        "angry_couple_85.jpg:256:92:171",
        "fighting_student_332.jpg:104:148:137",
        "angry_son_486.jpg:220:17:288",
        "fierce_chinese_447.jpg:293:121:92",
        "angry_old_470.jpg:334:26:101",
        "angry_european_173.jpg:18:231:86",
        "awe_programmer_594.jpg:251:10:308",
        "angry_family_105.jpg:69:46:89",
        "angry_grandfather_717.jpg:47:46:251",
        "angry_family_86.jpg:374:155:143",
        "annoyed_girl_659.jpg:215:357:111",
        "annoyed_infant_304.jpg:334:126:229",
        "angry_family_216.jpg:289:99:219",
        "mad_chinese_260.jpg:384:16:89",
        "angry_family_105.jpg:88:10:84",
        "angry_husband_646.jpg:53:97:119",
        "angry_girl_592.jpg:160:31:105",
        "angry_student_32.jpg:172:73:90",
        "annoyed_couple_191.jpg:39:39:183",
        "angry_mother_343.jpg:114:81:165",
        "angry_father_507.jpg:165:176:105",
        "fighting_wife_777.jpg:44:124:115",
        "mad_man_202.jpg:117:110:87",
        "angry_girl_592.jpg:146:28:151",
        "angry_family_86.jpg:392:174:123",
        "angry_family_216.jpg:255:27:302",
        "angry_manager_434.jpg:397:49:199",
        "angry_family_105.jpg:65:38:112",
        "annoyed_family_423.jpg:371:34:186",
        "annoyed_family_87.jpg:63:140:104",
    }
)
"""Looked at by eye among the highest scores of what was collected with ``--count 1200``."""
Rows = dict[str, list[Any]]


def put(rows: Rows, group: str, name: str, rgb: np.ndarray, every: bool) -> None:
    """Add a picture's proposals: of every look, or of the looks until one is fairly sure."""
    for look in LOOKS:
        candidates = thumbnail.proposals(rgb, look)
        if not candidates:
            continue
        first, second = verify.meshes_of(rgb, candidates)
        for i, candidate in enumerate(candidates if every else candidates[:1]):
            rows["features"].append(thumbnail.features_of(candidate, first, second, i, rgb.shape))
            rows["group"].append(group)
            rows["name"].append(name)
        if not every and candidates[0].score >= 0.5:
            return


def faces(cache: FaceCache, root: Path, count: int, generator: np.random.Generator) -> Iterator[tuple[str, str, Any]]:
    """Group, name and picture: plain, of which the mesh was unsure, covered."""
    table = cache.index[cache.index["split"] == "train"]
    unsure = table[(table["presence"] < 0.9) | (table["score"] < 0.55) | (table["detector"] == "frame")]
    meshes = np.load(cache.folder / "meshes.npy", mmap_mode="r")
    for number, row in enumerate(generator.choice(table.index, min(count, len(table)), replace=False)):
        rgb = load(root / table["source"][row])
        yield "plain", table["id"][row], rgb
        if number % 2 == 0:
            mesh = np.asarray(meshes[row], np.float32)
            mesh[:, :2] = (mesh[:, :2] - cache.extents[row][:2] + 0.5) * 4 - 0.5
            kind = KINDS[number // 2 % len(KINDS)]
            large = cover(cv2.resize(rgb, (4 * SIDE,) * 2, interpolation=cv2.INTER_CUBIC), mesh, kind, generator)
            yield f"drawn {kind}", table["id"][row], cv2.resize(large, (SIDE,) * 2, interpolation=cv2.INTER_AREA)
    for row in generator.choice(unsure.index, min(2 * count // 3, len(unsure)), replace=False):
        yield "unsure", table["id"][row], load(root / table["source"][row])


def backgrounds(root: Path, count: int, generator: np.random.Generator) -> Iterator[tuple[str, Any]]:
    """Name and picture of tiles without a face."""
    photos = list(expw(root).items())
    for position in generator.permutation(len(photos)):
        name, boxes = photos[position]
        for where, tile in tiles(load(root / "image" / "origin" / name), boxes, generator, 3):
            small = cv2.resize(tile, (SIDE,) * 2, interpolation=cv2.INTER_AREA)
            if generator.random() < 0.5:
                small = np.repeat(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
            yield f"{name}:{where}", small
            count -= 1
        if count <= 0:
            return


def texture(generator: np.random.Generator) -> np.ndarray:
    """Clouds, letters, circles or waves, uint8 [48, 48, 3]."""
    g = generator
    picture = np.full((SIDE, SIDE, 3), g.integers(0, 256, 3), np.uint8)
    kind = g.integers(0, 4)
    if kind == 0:
        coarse = g.integers(0, 256, (int(g.integers(3, 20)), int(g.integers(3, 20)), 3)).astype(np.uint8)
        return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))
    for _ in range(int(g.integers(1, 7)) if kind < 3 else 0):
        colour, thick = g.integers(0, 256, 3).tolist(), int(g.choice([-1, 1, 2]))
        if kind == 1:
            word, at = (
                "".join(chr(g.integers(33, 91)) for _ in range(3)),
                (int(g.integers(-5, 10)), int(g.integers(20, 48))),
            )
            cv2.putText(picture, word, at, int(g.integers(0, 8)), float(g.uniform(0.5, 2)), colour, max(1, thick))
        else:
            cv2.circle(
                picture, tuple(g.integers(0, SIDE, 2).tolist()), int(g.integers(2, 16)), colour, thick, cv2.LINE_AA
            )
    if kind == 3:
        x = np.linspace(0, g.uniform(3, 40), SIDE)
        wave = np.sin(x[:, None] * g.uniform(0, 1) + x[None] * g.uniform(0, 1)) * g.uniform(20, 120) + 128
        wave = np.clip(wave + g.normal(0, g.uniform(0, 30), wave.shape), 0, 255).astype(np.uint8)
        picture = np.repeat(wave[..., None], 3, axis=2)
    return np.ascontiguousarray(picture)


def collect(cache: FaceCache, ferplus: Path, photos: Path, out: Path, count: int) -> None:
    """Features of the proposals of all pictures."""
    rows: Rows = collections.defaultdict(list)
    generator = np.random.default_rng(1)
    pictures: collections.Counter[str] = collections.Counter()
    for group, name, rgb in faces(cache, ferplus, count, generator):
        pictures[group] += 1
        put(rows, group, name, rgb, every=False)
    for name, rgb in backgrounds(photos, 5 * count // 4, generator):
        pictures["background"] += 1
        put(rows, "background", name, rgb, every=True)
    for number in range(count // 5):
        pictures["texture"] += 1
        put(rows, "texture", f"texture {number}", texture(generator), every=True)
    np.savez(out, features=np.array(rows["features"], np.float32), group=rows["group"], name=rows["name"],
             pictures=[f"{group}={n}" for group, n in pictures.items()])  # fmt: skip


def trained(x: np.ndarray, y: np.ndarray, weight: np.ndarray, epochs: int = 25) -> dict[str, np.ndarray]:
    """One hidden layer of 32, dropout 0.3, AdamW."""
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
    inputs = torch.tensor(np.clip((x - mean) / scale, -FARTHEST, FARTHEST), dtype=torch.float32)
    wanted, weights = (torch.tensor(values, dtype=torch.float32) for values in (y, weight))
    network = torch.nn.Sequential(
        torch.nn.Dropout(0.1), torch.nn.Linear(x.shape[1], 32), torch.nn.ReLU(), torch.nn.Dropout(0.3),
        torch.nn.Linear(32, 1),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=3e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (len(y) // 256 + 1))
    for _ in range(epochs):
        order = generator.permutation(len(y))
        for start in range(0, len(y), 256):
            some = order[start : start + 256]
            optimizer.zero_grad()
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                network(inputs[some])[:, 0], wanted[some], reduction="none"
            )
            (losses * weights[some]).mean().backward()
            optimizer.step()
            schedule.step()
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    return {
        "mean": mean, "scale": scale, "hidden": state["1.weight"].T, "hidden_offset": state["1.bias"],
        "weight": state["4.weight"][0], "offset": state["4.bias"][0],
    }  # fmt: skip


def fit(source: Path, out: Path, false: float) -> None:
    """Cross-validate, choose the least probability, print, write."""
    with np.load(source) as arrays:
        x, group, name = arrays["features"].astype(np.float64), arrays["group"], arrays["name"]
        count = {text.split("=")[0]: int(text.split("=")[1]) for text in arrays["pictures"].tolist()}
    y = ~np.isin(group, ["background", "texture"])
    kept = ~((group == "background") & ((x[:, 289] > 2) | np.isin(name, list(SEEN_TO_BE_FACES))))
    x, group, name, y = x[kept], group[kept], name[kept], y[kept]
    weight = np.where(group == "unsure", 2.0, 1.0)
    photos = np.array([text.split(":")[0] for text in name])
    unique = np.unique(photos)
    fold = dict(zip(unique.tolist(), (np.random.default_rng(0).permutation(len(unique)) % 4).tolist(), strict=True))
    of_row = np.array([fold[photo] for photo in photos.tolist()])
    score = np.zeros(len(y))
    for number in range(4):
        head = _head(trained(x[of_row != number], y[of_row != number], weight[of_row != number]))
        score[of_row == number] = head.probability(x[of_row == number].astype(np.float32))
    best: dict[str, dict[str, float]] = collections.defaultdict(dict)
    for kind, picture, value in zip(group.tolist(), name.tolist(), score.tolist(), strict=True):
        best[kind][picture] = max(value, best[kind].get(picture, 0.0))
    wrong = sorted(best["background"].values(), reverse=True)
    least = wrong[min(round(false / 100 * count["background"]), len(wrong) - 1)]
    for kind, pictures in best.items():
        found = sum(value >= least for value in pictures.values())
        print(f"{kind}: {found} of {count[kind]} ({found / count[kind]:.1%})")
    arrays = {key: np.asarray(value, np.float32) for key, value in trained(x, y, weight).items()}
    np.savez(out, **arrays, least=np.float32(least))


def _head(values: dict[str, np.ndarray]) -> thumbnail.Head:
    arrays: dict[str, Any] = {key: np.asarray(value, np.float32) for key, value in values.items()}
    return thumbnail.Head(**{**arrays, "offset": float(arrays["offset"]), "least": 0.0})


def main() -> None:
    """Collect or fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    one = actions.add_parser("collect")
    for name in ("cache", "ferplus", "expw", "out"):
        one.add_argument(name, type=Path)
    one.add_argument("--count", type=int, default=1200, help="plain faces")
    two = actions.add_parser("fit")
    two.add_argument("rows", type=Path)
    two.add_argument("out", type=Path)
    two.add_argument("--false", type=float, default=1.0, help="false finds in 100 thumbnails without a face (1)")
    args = parser.parse_args()
    if args.action == "collect":
        collect(FaceCache.open(args.cache), args.ferplus, args.expw, args.out, args.count)
    else:
        fit(args.rows, args.out, args.false)


if __name__ == "__main__":
    main()
