"""ONNX sessions of the shipped networks: which file serves which area, its hash, and its logits.

What a folder of models holds: :mod:`mien.trust.folder`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import ModelError, path_of
from mien.face.areas import MIRRORED_PIECES, PIECES
from mien.face.device import Device, current
from mien.face.session import Session
from mien.trust.folder import SHIPPED, Manifest, ModelEntry
from mien.types import N_EMOTIONS, PARTS, Area, Float32, UInt8


def with_bias(logits: Float32, bias: Float32) -> Float32:
    """Logits with a bias where it changes the emotion said, and as they are elsewhere.

    So a bias that makes a network say rare emotions now and then leaves the probabilities of all its other answers
    alone; added everywhere, it would cost calibration (measured on the nose: docs/LOG.md, third session).

    Args:
        logits: float32 [N, 8].
        bias: float32 [8].

    Returns:
        float32 [N, 8]; the largest of each row is that of ``logits + bias``.
    """
    raised = logits + bias
    changed = raised.argmax(axis=1) != logits.argmax(axis=1)
    return np.where(changed[:, None], raised, logits).astype(np.float32)


def _both_ways(crops: UInt8, flip: bool) -> UInt8:
    """Crops [N, size, size], and behind them, where a network is asked both ways, their mirror images."""
    return np.concatenate([crops, crops[:, :, ::-1]]) if flip else crops


class Models:
    """The networks of one folder, loaded when first used. Safe to share between threads.

    Args:
        folder: with a manifest.json; None is the folder shipped in the package.
        network: ``vgg``, ``anyarea`` or None for the manifest's default.
        threads: between which a batch is divided; 0 is one a core.

    Raises:
        ModelError: the manifest is missing or damaged, or does not hold this network.
    """

    def __init__(self, folder: Path | str | None = None, network: str | None = None, threads: int = 0) -> None:
        self.folder = SHIPPED if folder is None else path_of(folder)
        self.manifest = Manifest.read(self.folder)
        self.network = network or self.manifest.default
        if self.network not in self.manifest.networks:
            known = ", ".join(self.manifest.networks)
            raise ModelError(f"{self.folder} has no network {self.network!r}: choose from {known}")
        self._threads = threads
        self._lock = threading.Lock()
        self._sessions: dict[tuple[Path, Device], Session] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the same folder; sessions do not travel."""
        return type(self), (self.folder, self.network, self._threads)

    @property
    def areas(self) -> tuple[Area, ...]:
        """The areas this folder can answer, in canonical order."""
        return tuple(self.manifest.networks[self.network])

    def entry(self, area: Area) -> ModelEntry:
        """The network of an area.

        Raises:
            ModelError: this folder has none for it.
        """
        entries = self.manifest.networks[self.network]
        if area not in entries:
            raise ModelError(f"{self.folder} has no {self.network} network for the area {area.value}")
        return entries[area]

    @property
    def visualisation(self) -> ModelEntry:
        """The visualisation network.

        Raises:
            ModelError: this folder has none.
        """
        if self.manifest.visualisation is None:
            raise ModelError(f"{self.folder} has no visualisation network")
        return self.manifest.visualisation

    @property
    def title(self) -> str:
        """Network family and version, as results name them."""
        return f"{self.network} {self.manifest.version}".strip()

    def logits(self, area: Area, crops: UInt8, batch: int = 64, bias: bool = True) -> Float32:
        """Logits of crops of one area, flip and logit bias included.

        Args:
            area: which of the seven.
            crops: uint8 [N, size, size], 0 = not visible, cut as ``entry(area).spec`` says.
            batch: crops a run.
            bias: False leaves the logit bias out.

        Returns:
            float32 [N, 8].
        """
        return self.logits_of({area: crops}, batch, bias)[area]

    def logits_of(self, views: Mapping[Area, UInt8], batch: int = 64, bias: bool = True) -> dict[Area, Float32]:
        """Logits of crops of several areas; those of one network go through it together. See :meth:`logits`.

        Args:
            views: uint8 [N, size, size] an area, cut as ``entry(area).spec`` says.
            batch: crops a run.
            bias: False leaves the logit bias out.

        Returns:
            float32 [N, 8] an area.
        """
        entries = {area: self.entry(area) for area in views}
        together: dict[tuple[Path, int], list[Area]] = {}
        for area, entry in entries.items():
            together.setdefault((entry.path, entry.spec.size), []).append(area)
        found: dict[Area, Float32] = {}
        for areas in together.values():
            seen = [_both_ways(views[area], entries[area].flip) for area in areas]
            parts = [[float(part in area.parts) for part in PARTS] for area in areas]
            bits = np.repeat(np.array(parts, np.float32), [len(crops) for crops in seen], axis=0)
            rows = self._run(entries[areas[0]], np.concatenate(seen), bits, batch)
            for area, own in zip(areas, np.split(rows, np.cumsum([len(crops) for crops in seen])[:-1]), strict=True):
                mean = own.reshape(1 + entries[area].flip, len(views[area]), N_EMOTIONS).mean(axis=0)
                found[area] = with_bias(mean, entries[area].logit_bias) if bias else np.asarray(mean, np.float32)
        return {area: found[area] for area in views}

    def _run(self, entry: ModelEntry, crops: UInt8, bits: Float32, batch: int) -> Float32:
        session = self._session(entry)
        out = [np.zeros((0, N_EMOTIONS), np.float32)]
        for start in range(0, len(crops), batch):
            feed: dict[str, Any] = {"crops": np.ascontiguousarray(crops[start : start + batch])}
            if "parts" in session.inputs:
                feed["parts"] = bits[start : start + batch]
            out.append(session.run(["logits"], feed)[0])
        return np.concatenate(out)

    @property
    def sees_hidden(self) -> bool:
        """True where one pass of the network over the whole face also says what is hidden."""
        return Area.WHOLE_FACE in self.areas and self.entry(Area.WHOLE_FACE).spec.mask == "aligned"

    def one_pass(self, faces: UInt8, batch: int = 64) -> tuple[Float32, Float32]:
        """What a network that :attr:`sees_hidden` says of whole faces, flip and logit bias included.

        Args:
            faces: uint8 [N, size, size], aligned, as ``entry(Area.WHOLE_FACE).spec`` says.
            batch: faces a run.

        Returns:
            Logits float32 [N, 8], and float32 [N, 4]: how much (0..1) of each of ``areas.PIECES`` is hidden.
        """
        entry = self.entry(Area.WHOLE_FACE)
        views = _both_ways(faces, entry.flip)
        logits, hidden = self._logits_and_hidden(self._session(entry), views, batch)
        if entry.flip:
            (logits, mirrored), (hidden, gone) = np.split(logits, 2), np.split(hidden, 2)
            logits = np.asarray((logits + mirrored) / 2, np.float32)
            hidden = np.asarray((hidden + gone[:, list(MIRRORED_PIECES)]) / 2, np.float32)
        return with_bias(logits, entry.logit_bias), hidden

    @staticmethod
    def _logits_and_hidden(session: Session, faces: UInt8, batch: int) -> tuple[Float32, Float32]:
        rows = [
            session.run(["logits", "hidden"], {"crops": np.ascontiguousarray(faces[start : start + batch])})
            for start in range(0, len(faces), batch)
        ]
        if not rows:
            return np.zeros((0, N_EMOTIONS), np.float32), np.zeros((0, len(PIECES)), np.float32)
        return np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows])

    def class_maps(self, crops: UInt8) -> tuple[Float32, Float32, Float32]:
        """The visualisation network (Fig. 2) on whole-face crops.

        Args:
            crops: uint8 [N, size, size], cut as ``visualisation.spec`` says.

        Returns:
            Logits [N, 8], class activation maps [N, 8, size / 4, size / 4] and GAP features [N, K], all float32.

        Raises:
            ModelError: this folder has no visualisation network.
        """
        session = self._session(self.visualisation)
        runs = [
            session.run(["logits", "class_maps", "features"], {"crops": np.ascontiguousarray(crops[s : s + 64])})
            for s in range(0, len(crops), 64)
        ]
        logits, maps, features = (np.concatenate(column) for column in zip(*runs, strict=True))
        return logits, maps, features

    def _session(self, entry: ModelEntry) -> Session:
        key = entry.path, current()
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = open_session(entry, self._threads)
            return self._sessions[key]


def open_session(entry: ModelEntry, threads: int) -> Session:
    """A session of one file, on the current device (``mien.face.device``).

    Raises:
        ModelError: the file is missing, or is not the one whose hash the manifest gives.
    """
    try:
        content = entry.path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {entry.path}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise ModelError(f"{entry.path} is damaged: its SHA-256 is not the one in manifest.json")
    return Session(content, current(), threads)


@cache
def shipped_models() -> Models:
    """The package's own models, opened once."""
    return Models()
