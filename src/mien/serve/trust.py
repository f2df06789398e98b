"""The <emotion, area> authenticity table as JSON."""

from __future__ import annotations

from typing import Any

from mien.analyze import Analyzer


def trust_rows(analyzer: Analyzer) -> dict[str, Any]:
    return {"description": "", "rows": []}
