"""What must be the same for an interrupted run to go on: every option, the models, and each file as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mien.errors import path_of, writable
from mien.trust.folder import FITTED_FILES, MANIFEST
from mien.trust.models import Models

if TYPE_CHECKING:
    from mien.analyze.analyzer import Analyzer


def identity_of(analyzer: Analyzer) -> dict[str, Any]:
    """One JSON-like value an option (:class:`~mien.analyze.options.AnalyzerOptions`), and the models' fingerprint."""
    return analyzer.options.to_dict() | {"network": analyzer.models.network, "models": fingerprint_of(analyzer.models)}


def fingerprint_of(models: Models) -> str:
    """SHA-256 over what decides the answers of a models folder, so that a copied folder counts as the same.

    That is the manifest, which holds the hash of every network, and what was fitted.
    """
    digest = hashlib.sha256()
    for name in (MANIFEST, *FITTED_FILES):
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
