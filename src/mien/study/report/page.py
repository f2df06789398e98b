"""Result files -> one self-contained HTML page (Jinja2): no script, no font, no picture from elsewhere."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mien.errors import TableError
from mien.jobs.files import replace_file
from mien.study.report.contents import FIRST_SCREEN, ORDER, SECTIONS, in_order
from mien.study.report.drawing import draw
from mien.study.report.exhibits import Exhibit
from mien.study.report.first_screen import QUESTION, answer_of, findings_of, lines_of
from mien.study.report.paper import CITATION, DOI

TEMPLATES = Path(__file__).parent

MEDIA = {".png": "image/png", ".svg": "image/svg+xml"}

_MENTION = re.compile(r"\b(?:Table|Fig\.) (?:\d[a-z]?|[A-Z])\b")


def build(out: Path) -> Path:
    """Make ``report.html`` and ``figures`` again from ``settings.json`` and ``results`` of a study, and nothing else.

    Args:
        out: folder of a finished study.

    Returns:
        Path of report.html.

    Raises:
        TableError: the folder holds no results of a study, or damaged ones.
    """
    setting = _settings(out / "settings.json")
    exhibits = [Exhibit.read(file) for file in sorted((out / "results").glob("*.json"))]
    unknown = [e.id for e in exhibits if e.key not in ORDER]
    if unknown or not exhibits:
        what = f"{unknown[0]} has no place in the report" if unknown else "there are no results"
        raise TableError(f"{out / 'results'}: {what}; it is no folder of mien study, or one of another version")
    figures = out / "figures"
    for old in figures.glob("*") if figures.is_dir() else ():
        if old.suffix in MEDIA:
            old.unlink()
    images = {e.id: draw(e, figures) for e in exhibits if e.kind == "figure" and not e.missing}
    text = _page(setting, exhibits, images)
    replace_file(out / "report.html", text)
    return out / "report.html"


def _settings(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found["data_sets"][0]["name"], found["notes"], found["facts"]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise TableError(f"{file} is no settings file of a finished study ({error})") from error
    return found


def _page(setting: Mapping[str, Any], exhibits: Sequence[Exhibit], images: Mapping[str, Path]) -> str:
    from jinja2 import Environment, FileSystemLoader

    from mien.study.presets import PRESETS

    names = [data["name"] for data in setting["data_sets"]]
    of_key = {key: list(in_order(exhibits, [key], names)) for key in ORDER}
    summary, accuracies = (next(iter(of_key[key]), None) for key in FIRST_SCREEN)
    sections = [(s, list(in_order(exhibits, s.keys, names))) for s in SECTIONS]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["data_uri"] = data_uri
    environment.filters["linked"] = lambda text, exhibit: linked(text, exhibit, exhibits)
    titles = " and ".join(data["title"] for data in setting["data_sets"])
    return environment.get_template("report.html.j2").render(
        title=f"Emotions from parts of the face: the study on {titles}", question=QUESTION,
        answer=answer_of(accuracies, of_key["table-m"], of_key["table-k"]), lines=lines_of(accuracies),
        findings=findings_of(summary),
        summary=summary, accuracies=accuracies, sections=[(s, found) for s, found in sections if found],
        images=images, setting=setting, presets=PRESETS.values(), citation=CITATION, doi=DOI,
        files=list(in_order(exhibits, ORDER, names)),
    )  # fmt: skip


def linked(text: str, exhibit: Exhibit, exhibits: Sequence[Exhibit]) -> str:
    """A caption as HTML, in which ``Table J`` and its like lead to that exhibit (of the same data set)."""

    def link(match: re.Match[str]) -> str:
        own = [e for e in exhibits if e.label == match[0]]
        best = next((e for e in own if e.dataset == exhibit.dataset), own[0] if own else None)
        if best is None or best.id == exhibit.id:
            return match[0]
        return f'<a href="#{best.id}">{match[0]}</a>'

    return _MENTION.sub(link, html.escape(text, quote=False))


def data_uri(path: Path) -> str:
    """A picture file as a ``data:`` address."""
    return f"data:{MEDIA[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
