"""Fig. 6 of the paper, and beyond it the mean heatmaps on the canonical face with attention per named part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mien.face.crops import cut
from mien.study.report.attention import Attention
from mien.study.report.canonical import FACE_PARTS, overlay
from mien.study.report.canvas import GAP, figure, matrix, mosaic, save
from mien.study.report.exhibits import Exhibit, absent, percent
from mien.study.report.faces import sample_face
from mien.study.report.inputs import Evidence
from mien.types import EMOTIONS, Area, Emotion, Float32, UInt8

LEAST_FACES = 20
"""A mean of fewer is too much like a picture of one of them for a report that shows no one."""

NO_MAPS = "the visualisation network is not trained yet"


def heatmaps_figure(evidence: Evidence, attention: Attention | None, show_faces: bool, folder: Path) -> Exhibit:
    """Fig. 6: mean and sample heatmap of each emotion, in crop coordinates, JET, 0.4 / 0.5."""
    id, title = f"fig-6-{evidence.name}", "Mean and sample heatmaps (DenseNet, CAM)"
    if attention is None or not attention.emotions:
        return absent(id, "Fig. 6", title, "figure", NO_MAPS)
    behind = _behind(attention.crop_faces, attention, show_faces)
    means = [overlay(behind[e], attention.crop_maps[e]) for e in attention.emotions]
    samples = [_sample(evidence, attention, e, show_faces) for e in attention.emotions]
    heads = [f"{e.value}\nn = {int((attention.labels == e.position).sum()):,}" for e in attention.emotions]
    drawn = figure(1.25 * len(heads) + 0.8, 3.0)
    mosaic(drawn, [means, samples], ["mean", "sample" if show_faces else "sample\nphoto"], heads, side=192)
    caption = (
        f"{evidence.title}; class activation maps of the right answers, each with the map of its own emotion. Upper "
        "row: "
        "mean map over the mean crop, as published (faces not aligned). Lower row: "
        + (
            "the face that the network is surest of."
            if show_faces
            else "the maps of these emotions on the bundled public-domain photo."
        )
        + " JET colours, heatmap × 0.4 + image × 0.5; each map is stretched to its own smallest and largest value."
        + _never_right(attention)
        + _too_few(attention, show_faces)
    )
    data = _map_rows(attention.crop_maps)
    alt = "Heatmaps over faces, one column an emotion; where they are brightest is given as numbers in Table B."
    return Exhibit(id, "Fig. 6", title, caption, "figure", data, None, save(drawn, folder, id, "png", 160), alt)


def _behind(means: dict[Emotion, Float32], attention: Attention, show_faces: bool) -> dict[Emotion, Float32]:
    """What a mean heatmap is laid over: the emotion's mean face, or everyone's where it would show few people."""
    counts = np.array([(attention.labels == e.position).sum() for e in means])
    everyone = np.asarray(np.average(list(means.values()), axis=0, weights=counts), np.float32)
    enough = dict(zip(means, (counts >= LEAST_FACES) | show_faces, strict=True))
    return {e: mean if enough[e] else everyone for e, mean in means.items()}


def _too_few(attention: Attention, show_faces: bool) -> str:
    few = [e.value for e in attention.emotions if (attention.labels == e.position).sum() < LEAST_FACES]
    if show_faces or not few:
        return ""
    return f" The maps of {', '.join(few)}, of fewer than {LEAST_FACES} faces, lie over the mean face of all emotions."


def _never_right(attention: Attention) -> str:
    missing = [e.value for e in EMOTIONS if e not in attention.emotions]
    return f" No test face of {', '.join(missing)} is recognised rightly, so they have no map." if missing else ""


def _sample(evidence: Evidence, attention: Attention, emotion: Emotion, show_faces: bool) -> UInt8:
    assert evidence.class_maps is not None
    spec = evidence.class_maps.spec
    if show_faces:
        row, class_map = attention.samples[emotion]
        return overlay(cut(evidence.cache.canvas(row), Area.WHOLE_FACE, spec), class_map)
    return overlay(cut(sample_face().canvas, Area.WHOLE_FACE, spec), evidence.class_maps.photo[emotion.position])


def _map_rows(maps: dict[Emotion, Float32]) -> pd.DataFrame:
    """One row a line of each mean map: emotion, y, x0, x1, ..."""
    pieces = []
    for emotion, values in maps.items():
        lines = pd.DataFrame(values, columns=[f"x{x}" for x in range(values.shape[1])])
        lines.insert(0, "y", range(len(values)))
        lines.insert(0, "emotion", emotion.value)
        pieces.append(lines)
    return pd.concat(pieces, ignore_index=True)


def canonical_figure(evidence: Evidence, attention: Attention | None, show_faces: bool, folder: Path) -> Exhibit:
    """Beyond the paper: mean heatmaps laid on the canonical face, and the parts that are counted."""
    id, title = f"fig-b-{evidence.name}", "Mean heatmaps on the canonical face"
    if attention is None or not attention.emotions:
        return absent(id, "Fig. B", title, "figure", NO_MAPS)
    behind = _behind(attention.mean_faces, attention, show_faces)
    faces = [np.clip(behind[e], 0, 255).astype(np.uint8) for e in attention.emotions]
    maps = [overlay(behind[e], attention.mean_maps[e]) for e in attention.emotions]
    counts = [(attention.labels == e.position).sum() for e in attention.emotions]
    mean = np.asarray(np.average(list(attention.mean_faces.values()), axis=0, weights=counts), np.float32)
    plain = np.clip(mean, 0, 255).astype(np.uint8)
    heads = [*(e.value for e in attention.emotions), "landmarks,\nparts"]
    drawn = figure(1.25 * len(heads) + 0.8, 3.0)
    axes = mosaic(
        drawn, [[*faces, plain], [*maps, _painted(mean, attention)]], ["mean face", "heatmap"], heads, side=192
    )
    x, y = (attention.face.landmarks.T + 0.5) * 192 / attention.face.side - 0.5
    axes.scatter(x + len(faces) * (192 + GAP), y, s=1.5, c="#00e5ff", linewidths=0)
    caption = (
        "Every face is warped, triangle by triangle, so that its 68 landmarks fall on those of the mean face; then "
        "pictures (above) and class maps (below) are averaged over the rightly recognised test faces. Last column: the "
        "canonical landmarks and the named parts of Table B. The published crop ends at the brows, so hardly any "
        "forehead is in it." + _too_few(attention, show_faces)
    )
    path = save(drawn, folder, id, "png", 160)
    alt = "Mean faces and mean heatmaps of each emotion on one face shape; the numbers are in Table B."
    return Exhibit(id, "Fig. B", title, caption, "figure", _map_rows(attention.mean_maps), None, path, alt)


def _painted(mean: Float32, attention: Attention) -> UInt8:
    """The mean face with every named part in its own colour."""
    from matplotlib import colormaps

    palette = colormaps["tab10"].colors  # type: ignore[attr-defined]
    painted = np.repeat(mean[..., None], 3, axis=2)
    for colour, mask in zip(palette, attention.face.parts.values(), strict=False):
        painted[mask] = 0.55 * painted[mask] + 0.45 * 255 * np.array(colour)
    return np.clip(painted, 0, 255).astype(np.uint8)


def density_figure(evidence: Evidence, attention: Attention | None, folder: Path) -> Exhibit:
    """Beyond the paper: attention per named part as a number."""
    id, title = f"fig-c-{evidence.name}", "Attention density by face part and emotion"
    if attention is None or not attention.emotions:
        return absent(id, "Fig. C", title, "figure", NO_MAPS)
    data = attention.table()
    names = [e.value for e in attention.emotions]
    wide = data.pivot(index="part", columns="emotion", values="density").loc[list(FACE_PARTS), names]
    drawn = figure(0.8 * len(names) + 2.4, 4.0)
    axes = drawn.subplots()
    texts = [[f"{v:.1f}" for v in line] for line in wide.to_numpy()]
    matrix(
        axes,
        wide.to_numpy(),
        list(FACE_PARTS),
        names,
        texts,
        top=max(2.5, float(wide.to_numpy().max())),
        colours="YlOrRd",
    )
    caption = (
        "Share of the positive class map that falls on a part, divided by the part's share of the picture: 1 is what "
        "attention spread evenly would give. Right answers only; shares and intervals in Table B."
    )
    best = [f"{name}: {wide[name].idxmax()} ({wide[name].max():.1f})" for name in names]
    alt = f"Matrix of densities. Densest part of each emotion: {'; '.join(best)}."
    return Exhibit(id, "Fig. C", title, caption, "figure", data, None, save(drawn, folder, id), alt)


def mass_table(evidence: Evidence, attention: Attention | None) -> Exhibit:
    """Table B: attention mass per named part."""
    id, title = f"table-b-{evidence.name}", "Attention mass per face part"
    if attention is None or not attention.emotions:
        return absent(id, "Table B", title, "table", NO_MAPS)
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
        "resolution and wide receptive fields, so neighbouring parts share some of it."
    )
    return Exhibit(id, "Table B", title, caption, "table", data, pd.DataFrame(cells))
