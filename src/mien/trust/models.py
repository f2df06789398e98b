"""ONNX sessions of the shipped networks: which file serves which area, its hash, and its logits.

What a folder of models holds: :mod:`mien.trust.folder`.
"""

from __future__ import annotations

import hashlib
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from mien.errors import ModelError, path_of
from mien.face.areas import MIRRORED_PIECES, PIECES
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


class Models:
    """The networks of one folder, loaded when first used. Safe to share between threads.

    Args:
        folder: with a manifest.json; None is the folder shipped in the package.
        network: ``vgg``, ``anyarea`` or None for the manifest's default.
        threads: onnxruntime's threads a session; 0 lets it choose.

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
        self._sessions: dict[Path, ort.InferenceSession] = {}

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
        entry = self.entry(area)
        views = np.concatenate([crops, crops[:, :, ::-1]]) if entry.flip else crops
        each = self._run(entry, area, views, batch).reshape(1 + entry.flip, len(crops), N_EMOTIONS)
        mean = each.mean(axis=0)
        return with_bias(mean, entry.logit_bias) if bias else np.asarray(mean, np.float32)

    def _run(self, entry: ModelEntry, area: Area, crops: UInt8, batch: int) -> Float32:
        session = self._session(entry)
        out = [np.zeros((0, N_EMOTIONS), np.float32)]
        for start in range(0, len(crops), batch):
            piece = np.ascontiguousarray(crops[start : start + batch])
            feed: dict[str, Any] = {"crops": piece}
            if any(i.name == "parts" for i in session.get_inputs()):
                bits = np.array([float(p in area.parts) for p in PARTS], np.float32)
                feed["parts"] = np.repeat(bits[None], len(piece), axis=0)
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
        session = self._session(entry)
        logits, hidden = self._logits_and_hidden(session, faces, batch)
        if entry.flip:
            mirrored, gone = self._logits_and_hidden(session, faces[:, :, ::-1], batch)
            logits = np.asarray((logits + mirrored) / 2, np.float32)
            hidden = np.asarray((hidden + gone[:, list(MIRRORED_PIECES)]) / 2, np.float32)
        return with_bias(logits, entry.logit_bias), hidden

    @staticmethod
    def _logits_and_hidden(session: ort.InferenceSession, faces: UInt8, batch: int) -> tuple[Float32, Float32]:
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

    def _session(self, entry: ModelEntry) -> ort.InferenceSession:
        with self._lock:
            if entry.path not in self._sessions:
                self._sessions[entry.path] = open_session(entry, self._threads)
            return self._sessions[entry.path]


def open_session(entry: ModelEntry, threads: int) -> ort.InferenceSession:
    """An ONNX session of one file.

    Raises:
        ModelError: the file is missing, or is not the one whose hash the manifest gives.
    """
    try:
        content = entry.path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {entry.path}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise ModelError(f"{entry.path} is damaged: its SHA-256 is not the one in manifest.json")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


@cache
def shipped_models() -> Models:
    """The package's own models, opened once."""
    return Models()
