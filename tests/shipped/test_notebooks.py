"""The example notebooks are executed, small, and still run with the package as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = ("photo", "contribution")


def cells_of(name: str) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))["cells"]
    return cells


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_was_executed_without_an_error(name: str) -> None:
    code = [cell for cell in cells_of(name) if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
    assert sum(bool(cell["outputs"]) for cell in code) >= len(code) - 1
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 600_000


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_still_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "contribution":
        pytest.importorskip("jinja2")
        matplotlib = pytest.importorskip("matplotlib")
        matplotlib.use("Agg")
        monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    pytest.importorskip("IPython", reason="IPython comes with the extra 'dev'")
    variables: dict[str, Any] = {}
    for number, cell in enumerate(cells_of(name)):
        if cell["cell_type"] == "code":
            lines = [line for line in "".join(cell["source"]).splitlines() if not line.startswith("%")]
            exec(compile("\n".join(lines), f"{name}.ipynb, cell {number}", "exec"), variables)
