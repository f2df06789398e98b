"""Make the mean mesh that poses are measured against, from FER+'s training faces.

    mien data prepare ferplus DATA --out CACHES
    python scripts/run/mesh_template.py CACHES/ferplus-HASH src/mien/face/networks/mesh_mean.csv

Meshes of faces that the mesh network is sure of are laid over each other (rotation and size), the worst fitting fifth
left out, and their mean is made the same left and right.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.data.cache import FaceCache

Array = npt.NDArray[np.float64]
SURE = 0.9
ROUNDS = 6


def main() -> None:
    """Read the meshes, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    cache = FaceCache.open(arguments.cache)
    chosen = (cache.index["split"] == "train") & (cache.index["presence"] > SURE) & (cache.index["detector"] == "mesh")
    meshes = np.load(arguments.cache / "meshes.npy", mmap_mode="r")[np.flatnonzero(chosen)].astype(np.float64)
    mean, mirror = mean_mesh(meshes)
    rows = [f"{x:.5f},{y:.5f},{z:.5f},{other}" for (x, y, z), other in zip(mean, mirror, strict=True)]
    arguments.out.write_text("\n".join(["x,y,z,mirror", *rows]) + "\n", "ascii")
    print(f"{len(meshes):,} faces -> {arguments.out}")


def mean_mesh(meshes: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """The mean of meshes [N, 468, 3], float64 [468, 3], and each point's mirror, int64 [468]."""
    meshes = meshes - meshes.mean(axis=1, keepdims=True)
    meshes /= np.sqrt((meshes**2).sum(axis=(1, 2), keepdims=True) / meshes.shape[1])
    frontal = np.argsort(np.abs(meshes[:, 33, 2] - meshes[:, 263, 2]))[:500]
    mean = meshes[frontal].mean(axis=0)
    mirror = np.arange(len(mean))
    for _ in range(ROUNDS):
        laid = np.einsum("nki,nij->nkj", meshes, _rotations(mean, meshes))
        misfit = ((laid - mean) ** 2).mean(axis=(1, 2))
        mean = laid[misfit < np.quantile(misfit, 0.8)].mean(axis=0)
        other = mean * [-1, 1, 1]
        mirror = ((mean[:, None] - other[None]) ** 2).sum(axis=-1).argmin(axis=1)
        mean = (mean + other[mirror]) / 2
        mean -= mean.mean(axis=0)
        mean /= np.sqrt((mean**2).sum() / len(mean))
    return mean, mirror


def _rotations(mean: Array, meshes: Array) -> Array:
    """float64 [N, 3, 3], from the mean to each mesh."""
    u, _, vt = np.linalg.svd(np.einsum("ki,nkj->nij", mean, meshes))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return np.einsum("nij,njk->nki", u, vt)


if __name__ == "__main__":
    main()
