"""What is bundled beside the models: one photo to try mien with."""

from __future__ import annotations

from pathlib import Path

SAMPLE = Path(__file__).parent / "astronaut.jpg"
"""Astronaut Eileen Collins, 512 x 512, public domain (NASA); see SOURCE.md beside it."""
