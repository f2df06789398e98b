"""Fig. 5b of the paper: t-SNE of the visualisation network's features after global average pooling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from mien.face.colours import EMOTION_COLOURS
from mien.study.report.canvas import figure, save
from mien.study.report.exhibits import Exhibit, absent, percent
from mien.study.report.inputs import Evidence
from mien.types import EMOTIONS, Float32


def tsne_figure(evidence: Evidence) -> Exhibit:
    """Fig. 5b: t-SNE of the visualisation network's features after global average pooling."""
    id, title = f"fig-5b-{evidence.name}", "t-SNE of the visualisation network's features"
    if evidence.class_maps is None or evidence.embedding is None:
        return absent(id, title, "figure", "the visualisation network is not trained yet")
    labels, points = evidence.cache.labels[evidence.class_maps.rows], evidence.embedding
    data = pd.DataFrame({
        "sample_id": evidence.cache.index["id"].to_numpy()[evidence.class_maps.rows],
        "label": [EMOTIONS[i].value for i in labels], "x": points[:, 0], "y": points[:, 1],
    })  # fmt: skip
    agreement = neighbour_agreement(evidence.class_maps.features, labels)
    caption = (
        f"GAP features ({evidence.class_maps.features.shape[1]} numbers a face) of {len(labels):,} test faces in two "
        f"dimensions; only neighbourhoods mean something. In the full features, the nearest other face has the same "
        f"label for {percent(agreement)}% of the faces."
    )
    return Exhibit(id, title, caption, "figure", data, alt=f"Scatter plot: {caption}")


def draw_features(exhibit: Exhibit, path: Path) -> None:
    """Fig. 5b."""
    drawn = figure(6.4, 5.0)
    axes = drawn.subplots()
    for emotion in EMOTIONS:
        own = exhibit.data[exhibit.data["label"] == emotion.value]
        if len(own):
            name, colour = f"{emotion.value} ({len(own):,})", EMOTION_COLOURS[emotion]
            axes.scatter(own["x"], own["y"], s=7, alpha=0.7, linewidths=0, c=colour, label=name, rasterized=True)
    axes.set_xticks([])
    axes.set_yticks([])
    drawn.legend(loc="outside right upper", markerscale=2.5)
    save(drawn, path, dpi=110)


def neighbour_agreement(features: Float32, labels: npt.NDArray[np.int64]) -> float:
    """Share of faces whose nearest other face has the same label."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=2).fit(features).kneighbors(features, return_distance=False)[:, 1]
    return float((labels[nearest] == labels).mean())


def embed(features: Float32, seed: int = 0) -> Float32:
    """t-SNE of features float32 [N, K] -> float32 [N, 2] (scikit-learn; needs at least four rows)."""
    from sklearn.manifold import TSNE

    perplexity = float(min(30, max(1, (len(features) - 1) / 3)))
    found = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(features.astype(np.float32))
    return np.asarray(found, np.float32)
