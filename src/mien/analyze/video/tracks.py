"""Faces that keep their number: detection now and then, landmark tracking in between.

Between two detections the face mesh is laid over the place where it was in the frame before; a face whose presence
falls calls for a detection at once. With dlib a face is followed by optical flow (pyramidal Lucas-Kanade, checked
forwards and backwards) of its landmarks; the similarity that most of them agree on moves its box, and dlib's 68
landmarks are fitted anew in the moved box, so that nothing drifts; a face whose flow breaks calls for a detection.
A face that was away comes back under its old number when it is where it was, or when dlib's face descriptor says it is
the same one. Nobody's place counts across a hard cut. Descriptors are held in memory only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from mien.face import mesh
from mien.face.detect import face_of_mesh
from mien.face.dlib_faces import predict_landmarks
from mien.types import Face, Float32, Pose, UInt8

Source = Literal["detected", "tracked"]

FOLLOW_SIZE = 100.0
"""A larger face (``Face.size``, pixels) is reduced to this for following; the networks see 44 pixels."""


CUT_SIDE = 32
"""Frames are compared at this size, in pixels."""

CUT_ALIKE = 0.5
"""Correlation of two frames below which one does not go on from the other..."""

CUT_CHANGE = 24.0
"""... if their pixels also differ by so much on average, of 255."""

PRESENCE_KEPT = 0.6
"""Share of a face's presence in the frame before below which it is detected anew."""


@dataclass(frozen=True)
class TrackSettings:
    """How faces are followed.

    Attributes:
        detect_seconds: time between two detections, in seconds.
        unseen_seconds: how long a face is followed that no detection confirms (an occluder covers it), in seconds.
        away_seconds: how long a lost face may come back by its place alone, in seconds.
        same_place: least intersection over union of two boxes of the same face.
        same_face: largest distance of two descriptors of the same face (dlib's own threshold is 0.6).
        points_kept: least share of landmarks whose flow holds; below it the face is detected anew.
    """

    detect_seconds: float = 0.5
    unseen_seconds: float = 2.0
    away_seconds: float = 3.0
    same_place: float = 0.3
    same_face: float = 0.5
    points_kept: float = 0.4


@dataclass(eq=False)
class Track:
    """One face through time.

    Attributes:
        id: 0, 1, 2, ... in order of appearance.
        face: as last seen.
        seen: time of the last frame it was in, in seconds.
        confirmed: time of the last detection of it, in seconds.
        descriptor: float64 [128], dlib's; None where not yet needed.
        cut: True where a hard cut took it away: its place says nothing any more.
    """

    id: int
    face: Face
    seen: float
    confirmed: float
    descriptor: npt.NDArray[np.float64] | None = None
    cut: bool = False


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face of one frame.

    Attributes:
        track: its number.
        face: box and landmarks in pixels of the frame.
        source: ``detected`` in this frame, or ``tracked`` from the one before.
    """

    track: int
    face: Face
    source: Source


Detect = Callable[[UInt8, list[Face]], list[Face]]

Describe = Callable[[UInt8, Face], npt.NDArray[np.float64]]


@dataclass
class Tracker:
    """Follows the faces of one video, frame by frame.

    Args:
        detect: RGB frame uint8 [H, W, 3] and the faces to be expected in it -> the faces found.
        describe: RGB frame uint8 [H, W, 3] and a face of it -> float64 [128]; None never compares faces.
        settings: how faces are followed.
    """

    detect: Detect
    describe: Describe | None = None
    settings: TrackSettings = field(default_factory=TrackSettings)
    active: list[Track] = field(default_factory=list)
    lost: list[Track] = field(default_factory=list)
    next_id: int = 0
    _before: UInt8 | None = None
    _detected: float = -np.inf

    def state(self) -> dict[str, Any]:
        """All that a later run needs to go on, as JSON; the flow is not part of it (see ``forget_flow``)."""
        tracks = {"active": self.active, "lost": self.lost}
        return {name: [_to_plain(t) for t in kept] for name, kept in tracks.items()} | {"next_id": self.next_id}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state`; the next frame is to be given with ``forget_flow``."""
        self.active = [_from_plain(values) for values in state["active"]]
        self.lost = [_from_plain(values) for values in state["lost"]]
        self.next_id = int(state["next_id"])

    def update(self, pixels: UInt8, time: float, forget_flow: bool = False) -> list[TrackedFace]:
        """Faces of the next frame.

        Args:
            pixels: uint8 [H, W, 3], RGB.
            time: seconds; must not decrease.
            forget_flow: detect, and match by place alone: what comes after depends on nothing but the tracks.

        Returns:
            One entry a face, in order of track number.
        """
        gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        whole = True
        if self._before is not None and is_cut(self._before, gray):
            self._leave_all()
            whole = False
        elif not forget_flow:
            whole = self._follow(pixels, gray)
        self._before = gray
        due = time - self._detected >= self.settings.detect_seconds - 1e-6
        sources: dict[int, Source] = {track.id: "tracked" for track in self.active}
        if due or forget_flow or not whole:
            sources |= self._match(pixels, gray, time, trust_flow=whole)
        for track in self.active:
            track.seen = time
        return [TrackedFace(t.id, t.face, sources[t.id]) for t in sorted(self.active, key=lambda t: t.id)]

    def _leave_all(self) -> None:
        """A hard cut: nobody goes on."""
        for track in self.active:
            track.cut = True
        self.lost += self.active
        self.active = []

    def _follow(self, pixels: UInt8, gray: UInt8) -> bool:
        """Move every active face on; False where one was not to be seen where it should be."""
        whole = True
        for track in self.active:
            if track.face.mesh is not None:
                moved = follow_mesh(pixels, track.face)
            else:
                before, kept = self._before, self.settings.points_kept
                moved = None if before is None else follow(before, gray, track.face, kept)
            if moved is None:
                whole = False
            else:
                track.face = moved
        return whole

    def _match(self, pixels: UInt8, gray: UInt8, time: float, trust_flow: bool) -> dict[int, Source]:
        """Detect, give every detection its track, and drop the tracks that are gone."""
        self._detected = time
        faces = self.detect(pixels, [t.face for t in self.active])
        pairs = matches([t.face for t in self.active], faces, self.settings.same_place)
        sources: dict[int, Source] = {}
        for i, j in pairs:
            track = self.active[i]
            track.face, track.confirmed = faces[j], time
            sources[track.id] = "detected"
        for track in list(self.active):
            patience = self.settings.unseen_seconds if trust_flow else 0.0
            if track.id not in sources and (time - track.confirmed > patience or not _inside(track.face, gray)):
                self.active.remove(track)
                self.lost.append(track)
        taken = {j for _, j in pairs}
        for j, face in enumerate(faces):
            if j not in taken and not self._covered(face, sources):
                track = self._track_for(pixels, face, time)
                self.active.append(track)
                sources[track.id] = "detected"
        return {t.id: sources.get(t.id, "tracked") for t in self.active}

    def _covered(self, face: Face, sources: dict[int, Source]) -> bool:
        """True where an active face already stands in this place: two detections of one face."""
        return any(overlap(t.face, face) >= self.settings.same_place for t in self.active if t.id in sources)

    def _track_for(self, pixels: UInt8, face: Face, time: float) -> Track:
        """The lost track that this face belongs to, or a new one."""
        for track in sorted(self.lost, key=lambda t: -t.seen):
            near = not track.cut and overlap(track.face, face) >= self.settings.same_place
            if near and time - track.seen <= self.settings.away_seconds:
                return self._revived(track, face, time)
        descriptor = None if self.describe is None else self.describe(pixels, face)
        same = None if descriptor is None else self._recognised(descriptor)
        if same is not None:
            return self._revived(same, face, time)
        self.next_id += 1
        return Track(self.next_id - 1, face, time, time, descriptor)

    def _recognised(self, descriptor: npt.NDArray[np.float64]) -> Track | None:
        """The lost track with the most similar face, if it is similar enough."""
        known = [t for t in self.lost if t.descriptor is not None]
        distances = [float(np.linalg.norm(t.descriptor - descriptor)) for t in known if t.descriptor is not None]
        best = int(np.argmin(distances)) if distances else -1
        return known[best] if best >= 0 and distances[best] <= self.settings.same_face else None

    def _revived(self, track: Track, face: Face, time: float) -> Track:
        self.lost.remove(track)
        track.face, track.seen, track.confirmed, track.cut = face, time, time, False
        return track


def is_cut(before: UInt8, now: UInt8) -> bool:
    """True where a frame uint8 [H, W] shows another scene than the one before it."""
    one, other = (
        cv2.resize(frame, (CUT_SIDE, CUT_SIDE), interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
        for frame in (before, now)
    )
    if np.abs(one - other).mean() < CUT_CHANGE:
        return False
    one, other = one - one.mean(), other - other.mean()
    return bool(one @ other < CUT_ALIKE * np.sqrt((one @ one) * (other @ other) + 1e-9))


def follow_mesh(pixels: UInt8, face: Face) -> Face | None:
    """A face of the frame before in this one (uint8 [H, W, 3], RGB), by the mesh; None where it is not there."""
    if face.mesh is None:
        return None
    seen = mesh.run([pixels], [mesh.Place.of_mesh(face.mesh)])
    moved = face_of_mesh(seen.points[0], float(seen.presence[0]), "track", face.score)
    kept = (moved.presence or 0.0) >= PRESENCE_KEPT * (face.presence or 0.0)
    near = overlap(moved, face) > 0.3 and 0.7 < moved.size / max(face.size, 1e-6) < 1.4
    return moved if kept and near and _inside(moved, pixels) else None


def follow(before: UInt8, now: UInt8, face: Face, points_kept: float = 0.4) -> Face | None:
    """A face of one frame in the next.

    Args:
        before: uint8 [H, W], the frame in which ``face`` lies.
        now: uint8 [H, W], the next frame.
        face: the face.
        points_kept: least share of its landmarks whose flow must hold.

    Returns:
        The moved face (detector ``track``), or None where the flow broke.
    """
    if before.shape != now.shape:
        return None
    if face.size <= FOLLOW_SIZE:
        return _follow_close(before, now, face, points_kept)
    window = _Window.around(face, now)
    moved = _follow_close(window.cut(before), window.cut(now), window.inward(face), points_kept)
    return None if moved is None else window.outward(moved)


@dataclass(frozen=True)
class _Window:
    """A large face's neighbourhood, reduced, so that following it costs no more than following a small one."""

    corner: tuple[int, int]
    end: tuple[int, int]
    scale: float

    @classmethod
    def around(cls, face: Face, gray: UInt8) -> _Window:
        centre = (face.box[:2] + face.box[2:]) / 2
        reach = float(max(face.box[2:] - face.box[:2]))
        x0, y0 = (int(v) for v in np.maximum(np.floor(centre - reach), 0))
        x1, y1 = (int(v) for v in np.minimum(np.ceil(centre + reach), [gray.shape[1], gray.shape[0]]))
        return cls((x0, y0), (max(x1, x0 + 1), max(y1, y0 + 1)), FOLLOW_SIZE / face.size)

    def cut(self, gray: UInt8) -> UInt8:
        piece = gray[self.corner[1] : self.end[1], self.corner[0] : self.end[0]]
        side = (max(1, round(piece.shape[1] * self.scale)), max(1, round(piece.shape[0] * self.scale)))
        return np.asarray(cv2.resize(piece, side, interpolation=cv2.INTER_AREA), np.uint8)

    def inward(self, face: Face) -> Face:
        corner = np.array(self.corner, np.float32)
        return _mapped(face, lambda points: (points - corner + 0.5) * self.scale - 0.5)

    def outward(self, face: Face) -> Face:
        corner = np.array(self.corner, np.float32)
        return _mapped(face, lambda points: (points + 0.5) / self.scale - 0.5 + corner)


def _mapped(face: Face, change: Callable[[Float32], Float32]) -> Face:
    box = change(face.box.reshape(2, 2)).reshape(4).astype(np.float32)
    return replace(face, box=box, landmarks=change(face.landmarks).astype(np.float32))


def _follow_close(before: UInt8, now: UInt8, face: Face, points_kept: float) -> Face | None:
    points = face.landmarks.reshape(-1, 1, 2)
    window = max(7, round(face.size / 6)) | 1
    there, found = _flow(before, now, points, window)
    back, refound = _flow(now, before, there, window)
    error = np.linalg.norm((back - points).reshape(-1, 2), axis=1)
    good = (found.ravel() == 1) & (refound.ravel() == 1) & (error < max(0.7, 0.015 * face.size))
    if good.mean() < points_kept:
        return None
    reach = max(1.0, 0.03 * face.size)
    matrix, inliers = cv2.estimateAffinePartial2D(points[good], there[good], ransacReprojThreshold=reach)
    if matrix is None or inliers.mean() < 0.5:
        return None
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if not 0.8 < scale < 1.25:
        return None
    centre = matrix[:, :2] @ ((face.box[:2] + face.box[2:]) / 2) + matrix[:, 2]
    half = (face.box[2:] - face.box[:2]) / 2 * scale
    box = np.concatenate([centre - half, centre + half]).astype(np.float32)
    moved = replace(face, box=box, landmarks=predict_landmarks(now, box), detector="track")
    laid = np.concatenate([moved.landmarks.min(axis=0), moved.landmarks.max(axis=0)])
    return moved if overlap(moved, replace(moved, box=laid)) > 0 and _inside(moved, now) else None


def _flow(before: UInt8, now: UInt8, points: Float32, window: int) -> tuple[Float32, UInt8]:
    """Where points float32 [N, 1, 2] went, and uint8 [N, 1], 1 where they were found."""
    guess = np.empty_like(points)
    size = (window, window)
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, now, points, guess, winSize=size, maxLevel=3)
    return np.asarray(there, np.float32), np.asarray(found, np.uint8)


def _inside(face: Face, gray: UInt8) -> bool:
    """True where the face's middle lies in the picture."""
    x, y = face.landmarks.mean(axis=0)
    return bool(0 <= x < gray.shape[1] and 0 <= y < gray.shape[0])


def overlap(one: Face, other: Face) -> float:
    """Intersection over union of the boxes of two faces, 0..1."""
    low = np.maximum(one.box[:2], other.box[:2])
    high = np.minimum(one.box[2:], other.box[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    both = float(np.prod(one.box[2:] - one.box[:2]) + np.prod(other.box[2:] - other.box[:2])) - shared
    return shared / both if both > 0 else 0.0


def matches(known: list[Face], found: list[Face], least: float) -> list[tuple[int, int]]:
    """Pairs (index in ``known``, index in ``found``), best overlap first, each index at most once."""
    table = sorted(
        ((overlap(k, f), i, j) for i, k in enumerate(known) for j, f in enumerate(found)), key=lambda row: -row[0]
    )
    pairs: list[tuple[int, int]] = []
    for share, i, j in table:
        if share >= least and all(i != a and j != b for a, b in pairs):
            pairs.append((i, j))
    return pairs


def _to_plain(track: Track) -> dict[str, Any]:
    face = track.face
    return {
        "id": track.id,
        "box": face.box.tolist(),
        "landmarks": face.landmarks.tolist(),
        "detector": face.detector,
        "score": face.score,
        "mesh": None if face.mesh is None else face.mesh.tolist(),
        "pose": None if face.pose is None else face.pose.to_dict(),
        "presence": face.presence,
        "cut": track.cut,
        "seen": track.seen,
        "confirmed": track.confirmed,
        "descriptor": None if track.descriptor is None else track.descriptor.tolist(),
    }


def _from_plain(values: dict[str, Any]) -> Track:
    box, landmarks = (np.asarray(values[name], np.float32) for name in ("box", "landmarks"))
    points = None if values["mesh"] is None else np.asarray(values["mesh"], np.float32)
    pose = None if values["pose"] is None else Pose(**values["pose"])
    face = Face(box, landmarks, values["detector"], float(values["score"]), points, pose, values["presence"])
    descriptor = None if values["descriptor"] is None else np.asarray(values["descriptor"], np.float64)
    seen, confirmed = float(values["seen"]), float(values["confirmed"])
    return Track(int(values["id"]), face, seen, confirmed, descriptor, bool(values["cut"]))
