"""Sections -> one self-contained HTML page (Jinja2): no script, no font, no picture from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from mien.study.report.exhibits import Section
from mien.study.report.inputs import Setting
from mien.study.report.paper import CITATION

TEMPLATES = Path(__file__).parent

MEDIA = {".png": "image/png", ".svg": "image/svg+xml"}


def page(title: str, lead: str, notes: Sequence[str], sections: Sequence[Section], setting: Setting) -> str:
    """The report as HTML.

    Args:
        title: of the page.
        lead: one sentence under it.
        notes: what a reader must know first (what is missing, whose faces are shown).
        sections: in order.
        setting: printed at the end.
    """
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["data_uri"] = data_uri
    template = environment.get_template("report.html.j2")
    return template.render(
        title=title, lead=lead, notes=notes, sections=sections, setting=setting, citation=CITATION
    )  # fmt: skip


def data_uri(path: Path) -> str:
    """A picture file as a ``data:`` address."""
    return f"data:{MEDIA[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
