"""Fig. 6 of the paper, and beyond it the mean heatmaps on the canonical face with attention per named part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.face.crops import cut
from mien.study.report.attention import Attention
from mien.study.report.canonical import FACE_PARTS, brightness, large, overlay, perceptual
from mien.study.report.canvas import PERCEPTUAL, figure, matrix, mosaic, save, tiles_of
from mien.study.report.crop_figure import dotted
from mien.study.report.exhibits import Exhibit, absent, percent
from mien.study.report.faces import sample_face
from mien.study.report.inputs import Evidence
from mien.types import EMOTIONS, Area, Emotion, Float32, UInt8

LEAST_FACES = 20
"""A mean of fewer is too much like a picture of one of them for a report that shows no one."""

TILE, SIDE = 64, 192
"""Pixels of a face as it is kept, and as it is drawn."""

NO_MAPS = "the visualisation network is not trained yet"


def heatmaps_figure(evidence: Evidence, attention: Attention | None, show_faces: bool) -> Exhibit:
    """Fig. 6: mean and sample heatmap of each emotion, in crop coordinates; JET as published, and a perceptual map."""
    id, title = f"fig-6-{evidence.name}", "Mean and sample heatmaps (DenseNet, CAM)"
    if attention is None or not attention.emotions:
        return absent(id, title, "figure", NO_MAPS)
    behind = _behind(attention.crop_faces, attention, show_faces)
    samples = [_sample(evidence, attention, e, show_faces) for e in attention.emotions]
    pictures = {
        "mean": _strip([behind[e] for e in attention.emotions]),
        "sample": _strip([face for face, _ in samples]),
        "sample-map": _strip([255 * brightness(large(class_map, TILE)) for _, class_map in samples]),
    }
    caption = (
        f"{evidence.title}; class activation maps of the right answers, each with the map of its own emotion. Upper "
        "two rows: mean map over the mean crop, as published (faces not aligned). Lower two rows: "
        + (
            "the face that the network is surest of."
            if show_faces
            else "the maps of these emotions on the bundled public-domain photo."
        )
        + " Each first in the published JET colours (heatmap × 0.4 + image × 0.5), then in colours whose lightness "
        "rises evenly with the value (viridis). Each map is stretched to its own smallest and largest value, as the "
        "keys say." + _never_right(attention) + _too_few(attention, show_faces)
    )
    data = _map_rows(attention.crop_maps, attention.counts)
    alt = "Heatmaps over faces, one column an emotion; where they are brightest is given as numbers in Table J."
    return Exhibit(id, title, caption, "figure", data, pictures=pictures, alt=alt)


def draw_heatmaps(exhibit: Exhibit, path: Path) -> None:
    """Fig. 6."""
    maps = _maps(exhibit.data)
    means = [_gray(tile) for tile in _tiles(exhibit.pictures["mean"])]
    samples = list(zip(_tiles(exhibit.pictures["sample"]), _tiles(exhibit.pictures["sample-map"]), strict=True))
    rows = [
        [paint(face, values) for face, values in zip(means, maps.values(), strict=True)]
        for paint in (overlay, perceptual)
    ]
    rows += [
        [paint(_gray(face), _gray(values).astype(np.float32)) for face, values in samples]
        for paint in (overlay, perceptual)
    ]
    sample = "sample\nphoto" if "public-domain photo" in exhibit.caption else "sample"
    counts = exhibit.data.drop_duplicates("emotion").set_index("emotion")["n"]
    heads = [f"{emotion}\nn = {counts[emotion]:,}" for emotion in maps]
    drawn = figure(1.25 * len(heads) + 1.6, 5.4)
    axes = mosaic(drawn, rows, ["mean\nJET", "mean\nviridis", f"{sample}\nJET", f"{sample}\nviridis"], heads, SIDE)
    _keys(drawn, axes)
    save(drawn, path, 150)


def _keys(drawn: Figure, axes: Axes) -> None:
    """What the colours mean, for both colour maps."""
    from matplotlib.cm import ScalarMappable

    for name, title in ((PERCEPTUAL, PERCEPTUAL), ("jet", "JET")):  # the last stands next to the pictures
        bar = drawn.colorbar(ScalarMappable(cmap=name), ax=axes, shrink=0.7, pad=0.02, aspect=30)
        bar.set_ticks([0, 1], labels=["lowest", "highest"], fontsize=7.5)
        bar.ax.set_title(title, fontsize=8, fontweight="normal")
        bar.outline.set_visible(False)


def _strip(faces: Sequence[Float32 | UInt8]) -> UInt8:
    """Grey pictures beside each other, each TILE pixels wide."""
    sized = [cv2.resize(np.asarray(face, np.float32), (TILE, TILE), interpolation=cv2.INTER_AREA) for face in faces]
    return np.clip(np.round(np.hstack(sized)), 0, 255).astype(np.uint8)


def _tiles(picture: UInt8) -> list[UInt8]:
    return tiles_of(picture, picture.shape[0])[0]


def _gray(tile: UInt8) -> UInt8:
    return tile if tile.ndim == 2 else np.asarray(tile[..., 0], np.uint8)


def _behind(means: dict[Emotion, Float32], attention: Attention, show_faces: bool) -> dict[Emotion, Float32]:
    """What a mean heatmap is laid over: the emotion's mean face, or everyone's where it would show few people."""
    counts = np.array([attention.counts[e] for e in means])
    everyone = np.asarray(np.average(list(means.values()), axis=0, weights=counts), np.float32)
    enough = dict(zip(means, (counts >= LEAST_FACES) | show_faces, strict=True))
    return {e: mean if enough[e] else everyone for e, mean in means.items()}


def _too_few(attention: Attention, show_faces: bool) -> str:
    few = [emotion.value for emotion, count in attention.counts.items() if count < LEAST_FACES]
    if show_faces or not few:
        return ""
    return f" The maps of {', '.join(few)}, of fewer than {LEAST_FACES} faces, lie over the mean face of all emotions."


def _never_right(attention: Attention) -> str:
    missing = [e.value for e in EMOTIONS if e not in attention.emotions]
    return f" No test face of {', '.join(missing)} is recognised rightly, so they have no map." if missing else ""


def _sample(evidence: Evidence, attention: Attention, emotion: Emotion, show_faces: bool) -> tuple[UInt8, Float32]:
    """A face and its class map."""
    assert evidence.class_maps is not None
    spec = evidence.class_maps.spec
    if show_faces:
        row, class_map = attention.samples[emotion]
        return cut(evidence.cache.canvas(row), Area.WHOLE_FACE, spec), class_map
    return cut(sample_face().canvas, Area.WHOLE_FACE, spec), evidence.class_maps.photo[emotion.position]


def _map_rows(maps: dict[Emotion, Float32], counts: Mapping[Emotion, int]) -> pd.DataFrame:
    """One row a line of each mean map: emotion, n, y, x0, x1, ..."""
    pieces = []
    for emotion, values in maps.items():
        lines = pd.DataFrame(values, columns=[f"x{x}" for x in range(values.shape[1])])
        lines.insert(0, "y", range(len(values)))
        lines.insert(0, "n", counts[emotion])
        lines.insert(0, "emotion", emotion.value)
        pieces.append(lines)
    return pd.concat(pieces, ignore_index=True)


def _maps(data: pd.DataFrame) -> dict[str, Float32]:
    """What :func:`_map_rows` wrote: emotion -> float32 [s, s]."""
    columns = [c for c in data.columns if c.startswith("x")]
    return {str(e): own[columns].to_numpy(np.float32) for e, own in data.groupby("emotion", sort=False)}


def canonical_figure(evidence: Evidence, attention: Attention | None, show_faces: bool) -> Exhibit:
    """Beyond the paper: mean heatmaps laid on the canonical face, and the parts that are counted."""
    id, title = f"fig-b-{evidence.name}", "Mean heatmaps on the canonical face"
    if attention is None or not attention.emotions:
        return absent(id, title, "figure", NO_MAPS)
    behind = _behind(attention.mean_faces, attention, show_faces)
    mean = np.asarray(
        np.average(list(attention.mean_faces.values()), axis=0, weights=list(attention.counts.values())), np.float32
    )
    pictures = {
        "mean": _strip([behind[e] for e in attention.emotions]),
        "landmarks": _dotted(mean, attention),
        "parts": _painted(mean, attention),
    }
    caption = (
        "Every face is warped, triangle by triangle, so that its 68 landmarks fall on those of the mean face; then "
        "pictures (above) and class maps (below) are averaged over the rightly recognised test faces. Last column: the "
        "canonical landmarks and the named parts of Table J. Colours as in Fig. 6. The published crop ends at the "
        "brows, so hardly any forehead is in it." + _too_few(attention, show_faces)
    )
    data = _map_rows(attention.mean_maps, attention.counts)
    alt = "Mean faces and mean heatmaps of each emotion on one face shape; the numbers are in Table J."
    return Exhibit(id, title, caption, "figure", data, pictures=pictures, alt=alt)


def draw_canonical(exhibit: Exhibit, path: Path) -> None:
    """Fig. B."""
    maps = _maps(exhibit.data)
    faces = [_gray(tile) for tile in _tiles(exhibit.pictures["mean"])]
    blank = np.full((SIDE, SIDE, 3), 255, np.uint8)
    rows = [
        [*faces, exhibit.pictures["landmarks"]],
        [*(overlay(f, m) for f, m in zip(faces, maps.values(), strict=True)), exhibit.pictures["parts"]],
        [*(perceptual(f, m) for f, m in zip(faces, maps.values(), strict=True)), blank],
    ]
    drawn = figure(1.25 * (len(maps) + 1) + 1.6, 4.2)
    names = ["mean face", "heatmap\nJET", "heatmap\nviridis"]
    _keys(drawn, mosaic(drawn, rows, names, [*maps, "landmarks,\nparts"], SIDE))
    save(drawn, path, 150)


def _dotted(mean: Float32, attention: Attention) -> UInt8:
    """The mean face with the canonical landmarks."""
    gray = cv2.resize(np.clip(mean, 0, 255).astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return dotted(np.repeat(gray[..., None], 3, axis=2).astype(np.uint8), attention.face.landmarks, attention.face.side)


def _painted(mean: Float32, attention: Attention) -> UInt8:
    """The mean face with every named part in its own colour."""
    from matplotlib import colormaps

    palette = colormaps["tab10"].colors  # type: ignore[attr-defined]
    painted = np.repeat(mean[..., None], 3, axis=2)
    for colour, mask in zip(palette, attention.face.parts.values(), strict=False):
        painted[mask] = 0.55 * painted[mask] + 0.45 * 255 * np.array(colour)
    return np.clip(painted, 0, 255).astype(np.uint8)


def density_figure(evidence: Evidence, attention: Attention | None) -> Exhibit:
    """Beyond the paper: attention per named part as a number."""
    id, title = f"fig-c-{evidence.name}", "Attention density by face part and emotion"
    if attention is None or not attention.emotions:
        return absent(id, title, "figure", NO_MAPS)
    data = attention.table()
    wide = _densities(data)
    caption = (
        "Share of the positive class map that falls on a part, divided by the part's share of the picture: 1 is what "
        "attention spread evenly would give. Right answers only; shares and intervals in Table J."
    )
    best = [f"{name}: {wide[name].idxmax()} ({wide[name].max():.1f})" for name in wide.columns]
    alt = f"Matrix of densities. Densest part of each emotion: {'; '.join(best)}."
    return Exhibit(id, title, caption, "figure", data, alt=alt)


def _densities(data: pd.DataFrame) -> pd.DataFrame:
    return data.pivot(index="part", columns="emotion", values="density").loc[list(FACE_PARTS), data["emotion"].unique()]


def draw_densities(exhibit: Exhibit, path: Path) -> None:
    """Fig. C."""
    wide = _densities(exhibit.data)
    names, values = [str(name) for name in wide.columns], wide.to_numpy()
    drawn = figure(0.8 * len(names) + 2.4, 4.0)
    texts = [[f"{v:.1f}" for v in line] for line in values]
    top = max(2.5, float(values.max()))
    matrix(drawn.subplots(), values, list(FACE_PARTS), names, texts, top=top, colours="YlOrRd")
    save(drawn, path)


def mass_table(evidence: Evidence, attention: Attention | None) -> Exhibit:
    """Table J: attention mass per named part."""
    id, title = f"table-j-{evidence.name}", "Attention mass per face part"
    if attention is None or not attention.emotions:
        return absent(id, title, "table", NO_MAPS)
    data = attention.table()
    cells = []
    for name in FACE_PARTS:
        own = data[data["part"] == name]
        cell = {"part": name, "share of the picture": percent(float(own["area"].iloc[0])) + "%"}
        for _, r in own.iterrows():
            cell[str(r["emotion"])] = f"{percent(r['mass'])} ({percent(r['mass_low'])}–{percent(r['mass_high'])})"
        cells.append(cell)
    caption = (
        "Percent of the positive evidence of the class map that lies on each part of the canonical face, mean over the "
        "rightly recognised test faces, with 95% bootstrap intervals over faces. The map has a quarter of the crop's "
        "resolution and wide receptive fields, so neighbouring parts share some of it. " + shares_sentence(data)
    )
    return Exhibit(id, title, caption, "table", data, pd.DataFrame(cells))


GROUPS = {
    "forehead and cheeks": ("forehead", "cheeks"),
    "eyes, brows and what lies around them": ("eyes", "brows", "around the eyes"),
    "the nose": ("nose",),
    "the mouth": ("mouth",),
}


def shares_sentence(data: pd.DataFrame) -> str:
    """'Forehead and cheeks contribute little' as a measured sentence, from the numbers of Table J."""
    mean = data.groupby("part")[["mass", "area"]].mean()
    shares = []
    for words, parts in GROUPS.items():
        area, mass = (float(mean.loc[list(parts), column].sum()) for column in ("area", "mass"))
        shares.append(f"{words} are {percent(area, 0)}% of the picture and hold {percent(mass, 0)}% of the attention")
    return f"Means over the emotions: {'; '.join(shares)}."
