"""``python -m mien`` is the ``mien`` command."""

from __future__ import annotations

import sys

from mien.cli import main

if __name__ == "__main__":
    sys.exit(main())
