"""Results -> ``settings.json``, ``results/*.csv|json`` -> ``figures/*.png|svg`` and ``report.html`` (extra ``study``).

Two steps: :func:`write` turns PredictionTables, a cache and class maps into result files; :func:`build` makes figures
and page from these files alone, without networks, data or a face. Neither trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mien.jobs.files import replace_json
from mien.study.report.exhibits import Exhibit
from mien.study.report.inputs import ClassMaps, Evidence, Setting

__all__ = ["ClassMaps", "Evidence", "Exhibit", "Setting", "add", "build", "write"]

KEPT = ("table-p", "table-q")
"""Tables that other commands' files made (``add``): a new report keeps them."""


def write(evidences: Sequence[Evidence], setting: Setting, out: Path) -> Path:
    """Write the whole report into a folder; what an earlier report left in ``results`` and ``figures`` is replaced.

    Args:
        evidences: one a data set.
        setting: how the study was run.
        out: the folder.

    Returns:
        Path of report.html.
    """
    from mien.study.report.exhibits_of import exhibits_of

    results = out / "results"
    for old in results.glob("*") if results.is_dir() else ():
        if old.suffix in (".csv", ".json", ".png") and not old.name.startswith(KEPT):
            old.unlink()
    for exhibit in exhibits_of(evidences, setting):
        exhibit.write(results)
    values = {**setting.to_dict(), "data_sets": [_about(e) for e in evidences], "notes": _notes(evidences, setting)}
    replace_json(out / "settings.json", values)
    return build(out)


def build(out: Path) -> Path:
    """Make figures and ``report.html`` again from the result files alone; see :func:`mien.study.report.page.build`."""
    from mien.study.report.page import build as build_page

    return build_page(out)


def add(out: Path, evaluations: Sequence[Path], subsets: Path | None) -> None:
    """Add what ``mien evaluate`` measured of shipped networks; see :func:`mien.study.report.evaluated.add`."""
    from mien.study.report.evaluated import add as add_evaluated

    add_evaluated(out, evaluations, subsets)


def _about(evidence: Evidence) -> dict[str, Any]:
    return {"name": evidence.name, "title": evidence.title, "test_faces": len(evidence.cache.rows("test"))}


def _notes(evidences: Sequence[Evidence], setting: Setting) -> list[str]:
    """What a reader must know before the first number."""
    notes = [setting.protocol] if setting.select_on == "test" or setting.preset == "quick" else []
    for evidence in evidences:
        once = evidence.runs.drop_duplicates("run")
        done, total = int(once["finished"].sum()), len(once)
        if done < total:
            notes.append(
                f"This report is partial: {done} of {total} planned trainings on {evidence.title} are finished (see "
                "Table R). Every number is of finished trainings only; what needs the others says so in its place. The "
                "same command goes on from here."
            )
        votes = evidence.votes
        if votes:
            notes.append(f"{evidence.title}: trained and tested on the votes of {votes}.")
    if setting.show_faces:
        notes.append("This page shows pictures of the data set's people: mind its licence before you pass it on.")
    else:
        notes.append(
            "No picture of a data set's person is shown: a public-domain photo and mean faces stand in their place."
        )
    return notes
