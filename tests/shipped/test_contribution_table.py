"""``mien contribution`` on the shipped tables: columns that stand apart."""

from __future__ import annotations

import re

import pytest

from mien import cli


@pytest.mark.parametrize("show", ["parts", "pairs", "coalitions"])
def test_columns_do_not_touch(show: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["contribution", "--show", show]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.count("(") > 1]
    assert len(lines) == 9
    for line in lines:
        values = re.split(r" {2,}", line.strip())[1:]
        assert len(values) == line.count("(")
        assert all(re.fullmatch(r"[+-][\d.]+ \([+-][\d.]+ to [+-][\d.]+\)", value) for value in values)
