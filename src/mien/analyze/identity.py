"""What must be the same for an interrupted run to go on: every option, the models, and each file as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mien.errors import path_of, writable
from mien.trust.models import Models

if TYPE_CHECKING:
    from mien.analyze.analyzer import Analyzer

_DECIDING = ("manifest.json", "calibration.json", "fusion.json", "reference.npz")
"""Files of a models folder that decide an answer; the manifest holds the hash of every network."""


def identity_of(analyzer: Analyzer) -> dict[str, Any]:
    """One JSON-like value an option, and the models' fingerprint.

    An Analyzer says itself what another process needs to open it anew, so an option that is added there counts here.
    """
    options: dict[str, Any] = analyzer.__reduce__()[1][2]
    named = {name: value if isinstance(value, bool | float | int) else str(value) for name, value in options.items()}
    return named | {"network": analyzer.models.network, "models": fingerprint_of(analyzer.models)}


def fingerprint_of(models: Models) -> str:
    """SHA-256 over what decides the answers of a models folder, so that a copied folder counts as the same."""
    digest = hashlib.sha256()
    for name in _DECIDING:
        path = models.folder / name
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def files_as_they_are(paths: Iterable[str]) -> dict[str, list[int] | None]:
    """Size in bytes and time of last change in ns of each file; None where there is none."""
    found: dict[str, list[int] | None] = {}
    for path in paths:
        try:
            status = path_of(path).stat()
        except OSError:
            found[f"the file {writable(path)}"] = None
        else:
            found[f"the file {writable(path)}"] = [status.st_size, status.st_mtime_ns]
    return found
