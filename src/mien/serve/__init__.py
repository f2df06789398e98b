"""The web page and HTTP API on this machine: ``mien serve``. Needs the extra ``serve``."""

from __future__ import annotations

from mien.serve.settings import ServeSettings

__all__ = ["ServeSettings"]
