"""README's numbers are those of the result files, for every block that is filled from files alone."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def filler() -> object:
    spec = importlib.util.spec_from_file_location("readme_filler", ROOT / "scripts" / "docs" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("mark", ["study", "results", "hard", "install"])
def test_a_block_holds_what_its_files_say(mark: str) -> None:
    words = getattr(filler(), f"{mark}_text")()
    assert any(letter.isdigit() for letter in words)
    assert f"<!-- {mark} -->\n{words}\n<!-- /{mark} -->" in (ROOT / "README.md").read_text()


def test_every_file_that_readme_links_is_there() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / "README.md").read_text())
    assert len(links) > 15
    assert [link for link in links if not (ROOT / link).exists()] == []
