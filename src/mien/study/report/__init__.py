"""Results -> ``report.html``, ``results/*.csv|json`` and ``figures/*.png|svg``. Needs the extra ``study``.

Starts from PredictionTables, a cache and class maps; never trains, never reaches a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mien.jobs.files import write_text
from mien.study.report.exhibits import Exhibit, Section
from mien.study.report.inputs import ClassMaps, Evidence, Setting

__all__ = ["ClassMaps", "Evidence", "Exhibit", "Section", "Setting", "write"]


def write(evidences: Sequence[Evidence], setting: Setting, out: Path) -> Path:
    """Write the whole report into a folder; what an earlier report left in ``results`` and ``figures`` is replaced.

    Args:
        evidences: one a data set.
        setting: how the study was run.
        out: the folder.

    Returns:
        Path of report.html.
    """
    from matplotlib import rc_context

    from mien.study.report.canvas import STYLE
    from mien.study.report.page import page
    from mien.study.report.sections import sections_of

    results, pictures = out / "results", out / "figures"
    for folder in (results, pictures):
        for old in folder.glob("*") if folder.is_dir() else ():
            if old.suffix in (".csv", ".json", ".png", ".svg"):
                old.unlink()
    with rc_context(STYLE):
        sections = sections_of(evidences, setting, pictures)
    for section in sections:
        for exhibit in section.exhibits:
            exhibit.write_data(results)
    names = " and ".join(evidence.title for evidence in evidences)
    title = f"Emotions from parts of the face: the study on {names}"
    text = page(title, _lead(evidences), _notes(evidences, setting), sections, setting)
    target = out / "report.html"
    write_text(target, text)
    return target


def _lead(evidences: Sequence[Evidence]) -> str:
    faces = ", ".join(f"{len(e.cache.rows('test')):,} test faces of {e.title}" for e in evidences)
    return (
        f"How much do eyes, nose and mouth each tell of an emotion? Measured on {faces}, beside the published figures."
    )


def _notes(evidences: Sequence[Evidence], setting: Setting) -> list[str]:
    """What a reader must know before the first number."""
    notes = [f"Preset {setting.preset}. {setting.protocol}"]
    for evidence in evidences:
        once = evidence.runs.drop_duplicates("run")
        done, total = int(once["finished"].sum()), len(once)
        if done < total:
            notes.append(
                f"This report is partial: {done} of {total} planned trainings on {evidence.title} are finished (see "
                "Trainings). "
                "Every number is of finished trainings only; what needs the others says so in its place. The same "
                "command "
                "goes on from here."
            )
    if setting.show_faces:
        notes.append("This page shows pictures of the data set's people: mind its licence before you pass it on.")
    else:
        notes.append(
            "No picture of a data set's person is shown: a public-domain photo and mean faces stand in their place."
        )
    return notes
