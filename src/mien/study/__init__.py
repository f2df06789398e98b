"""The whole experiment in ordered, resumable steps: prepare, train, predict, report. Needs the extra ``study``.

``run`` does what is not done yet; a kill at any moment loses at most the epoch under way.
"""

from __future__ import annotations

from mien.study.plan import PlannedRun, cpu_configs
from mien.study.presets import PRESETS, Preset, preset_of
from mien.study.run import Study, StudyConfig

__all__ = ["PRESETS", "PlannedRun", "Preset", "Study", "StudyConfig", "cpu_configs", "preset_of"]
