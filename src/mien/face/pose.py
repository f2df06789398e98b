"""Which way a head faces: yaw, pitch and roll from its mesh.

The mesh is laid over the mean mesh of FER+'s training faces (made even left and right; scripts/run/mesh_template.py);
the rotation between the two is the pose. Zero is therefore how people on photos hold their heads on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from mien.types import Float32, Float64, Pose

Int64 = npt.NDArray[np.int64]

NOSE_BASE = 2
"""Point of the mesh below which the jaw moves: only points above it tell the pose."""


@dataclass(frozen=True, eq=False)
class Template:
    """The mean mesh.

    Attributes:
        points: float64 [468, 3], centred, root mean square distance from the centre 1; x right, y down, z away.
        mirror: int64 [468], the point on the other side of the face.
        steady: int64 [K], points that the expression hardly moves.
    """

    points: Float64
    mirror: Int64
    steady: Int64


@cache
def template() -> Template:
    """Read from the package once."""
    text = (files("mien.face") / "networks" / "mesh_mean.csv").read_text("ascii")
    table = np.array([line.split(",") for line in text.splitlines()[1:]], np.float64)
    points = table[:, :3]
    return Template(points, table[:, 3].astype(np.int64), np.flatnonzero(points[:, 1] <= points[NOSE_BASE, 1]))


def rotation_of(mesh: Float32) -> Float64:
    """float64 [3, 3], the rotation from the mean mesh to this one [468, 3] (Kabsch's algorithm)."""
    mean = template()
    known, seen = mean.points[mean.steady], mesh[mean.steady].astype(np.float64)
    u, _, vt = np.linalg.svd((known - known.mean(axis=0)).T @ (seen - seen.mean(axis=0)))
    u[:, 2] *= np.sign(np.linalg.det(u @ vt))
    return np.asarray((u @ vt).T, np.float64)


def pose_of(mesh: Float32) -> Pose:
    """Pose of a mesh.

    Args:
        mesh: float32 [468, 3], (x, y, z) in pixels, z away from the camera.
    """
    turn = rotation_of(mesh)
    yaw = float(np.degrees(np.arcsin(np.clip(turn[2, 0], -1, 1))))
    pitch = -float(np.degrees(np.arctan2(turn[2, 1], turn[2, 2])))
    roll = float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))
    return Pose(yaw, pitch, roll)
