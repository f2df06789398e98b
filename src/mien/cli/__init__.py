"""Parse, call one function, print; no logic. One module a command, found by name, imported only when it is called."""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import os
import sys
import warnings
from collections.abc import Sequence

from mien.errors import InputError, InterruptedWork, MienError, writable

COMMANDS: dict[str, str] = {
    "analyze": "the emotions in photos, folders and videos, area by area, and how far to trust them",
    "examples": "faces to try mien with: the bundled photo behind a mask, sunglasses, a hand, and a group",
    "visibility": "how much of each eye, of nose and mouth of a face can be seen",
    "trust": "the <emotion, area> authenticity table",
    "contribution": "what eyes, nose and mouth each contribute to each emotion (exact Shapley values)",
    "serve": "web page and HTTP API on this machine",
    "data": "check, prepare and show data sets",
    "train": "train one network on one area",
    "export": "trained networks -> a folder of ONNX models with cards",
    "cards": "model cards from a models folder and its evaluation",
    "evaluate": "measure models on a data set's test split",
    "calibrate": "fit authenticity on your own labelled data",
    "study": "the whole experiment: tables, figures and report",
    "cite": "how to cite mien, the paper and the data behind it",
}
"""Each is a module ``mien.cli.NAME`` with ``add_arguments(parser)`` and ``run(args) -> int`` (the exit code)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the ``mien`` command; returns the exit code (see ``mien.errors``)."""
    alone = argv is None  # this process is the command, and nothing else
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(argv, alone)
    except MienError as error:
        print(f"mien: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        from mien.cli.interrupt import interrupted_for_good

        interrupted_for_good()
        print("mien: interrupted; finished work is kept", file=sys.stderr)
        return InterruptedWork.exit_code
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG):
            raise
        where = f"{writable(error.filename)}: " if isinstance(error.filename, str) else ""
        print(f"mien: {where}cannot be written ({error.strerror})", file=sys.stderr)
        _drop_output()
        return InputError.exit_code


def _run(argv: Sequence[str], alone: bool) -> int:
    warnings.filterwarnings("ignore", module=r"PIL\b")  # it comments on damage that mien says itself
    parser = argparse.ArgumentParser(prog="mien", description="Recognise emotions from partly visible faces.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, text in COMMANDS.items():
        sub = subparsers.add_parser(name, help=text, description=text)
        if argv and argv[0] == name:
            importlib.import_module(f"mien.cli.{name}").add_arguments(sub)
    args = parser.parse_args(argv)
    if args.version:
        from importlib.metadata import version

        print(version("mien"))
        return 0
    if not args.command:
        parser.print_help()
        return 2
    from mien.cli.interrupt import interrupt_once  # help needs neither
    from mien.cli.typed import typed

    if alone:
        interrupt_once()
    args.typed = typed(argv)
    code = int(importlib.import_module(f"mien.cli.{args.command}").run(args))
    sys.stdout.flush()
    return code


def _drop_output() -> None:
    """Nothing more can be written there, not even what is still in the buffer when Python ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
