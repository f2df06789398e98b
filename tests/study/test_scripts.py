"""scripts/run/ferplus.sh: every command in it exists, with every option it is given."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "run" / "ferplus.sh"
COMMANDS = re.findall(r"^\s*mien (.+)$", SCRIPT.read_text(), re.MULTILINE)


def test_the_shell_can_read_it() -> None:
    assert subprocess.run(["sh", "-n", str(SCRIPT)], check=False).returncode == 0
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_line_takes_it(line: str) -> None:
    name, *words = shlex.split(line)
    words = ["cpu" if word == "$PRESET" else word for word in words]
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(f"mien.cli.{name}").add_arguments(parser)
    parser.parse_args(words)


def test_an_option_that_is_not_there_is_found() -> None:
    with pytest.raises((SystemExit, argparse.ArgumentError)):
        test_the_command_line_takes_it("study --no-such-option")
