"""Keep what C libraries print on stderr (libpng, libjpeg, onnxruntime) away from people; mien says it in a sentence."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def native_noise_hidden() -> Iterator[None]:
    """While it lasts, file descriptor 2 goes nowhere, and ``sys.stderr`` still reaches the user.

    Nothing is changed where ``sys.stderr`` is not file descriptor 2 (captured, or redirected from Python).
    """
    before = sys.stderr
    try:
        is_two = before.fileno() == 2
    except (AttributeError, OSError, io.UnsupportedOperation):
        is_two = False
    if not is_two:
        yield
        return
    before.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    sys.stderr = open(kept, "w", buffering=1, encoding=before.encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        sys.stderr = before
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
