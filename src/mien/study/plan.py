"""Which networks the study trains, in order. The training queue of the shipped models imports this, so both agree.

A training is known by ``TrainConfig.name``; whoever finishes it first, the other finds it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from mien.face.spec import STUDY_SPECS, CropSpec
from mien.train.augment import LIGHT_AUGMENTATION
from mien.train.config import TrainConfig, paper_config
from mien.types import Area, Part

Role = Literal["areas", "visualisation", "crops"]
"""What a training is for: Table 6 and Fig. 7, Fig. 5 and 6, or the comparison of crop specs (Table 5 and beyond)."""
Stages = tuple[tuple[float, int], ...]

STUDY_ORDER = (
    Area.WHOLE_FACE, Area.MOUTH, Area.EYES, Area.NOSE, Area.MOUTH_EYES, Area.NOSE_MOUTH, Area.NOSE_EYES,
)  # fmt: skip
"""The areas by how soon their answer is wanted."""
CPU_SEEDS = (0, 1, 2)
WHOLE_FACE_STAGES: Stages = ((10.0, 32), (4.0, 48), (1.0, 64))
PART_STAGES: Stages = ((4.0, 32), (0.5, 64))
"""Of the six smaller areas: 8 to 29 source pixels wide on FER+ (median), so that nothing is lost at 32 pixels."""
CROP_STAGES: Stages = ((3.0, 32), (0.5, 64))
"""One short schedule for every arm of the comparison of crops: equal for all, not the best any could do."""


def cpu_config(area: Area, seed: int) -> TrainConfig:
    """An area's network in preset ``cpu``; its stage at 32 pixels (whole face: 48) is what is shipped."""
    base = TrainConfig(area=area.value, seed=seed, augmentation=LIGHT_AUGMENTATION)
    if area is Area.WHOLE_FACE:
        return replace(base, stages=WHOLE_FACE_STAGES)
    return replace(base, stages=PART_STAGES, again=0.4)


@dataclass(frozen=True)
class PlannedRun:
    """One training and what it is for."""

    role: Role
    config: TrainConfig


def padded_and_cut(spec: CropSpec) -> tuple[CropSpec, CropSpec]:
    """Both arms of Table 5 for one way of cutting."""
    return replace(spec, padded=True), replace(spec, padded=False)


def changes(area: Area, spec: CropSpec) -> bool:
    """True when this spec cuts the area differently from the published one (padding aside)."""
    if spec.mask == "hull":
        return spec.eyes == "one" or Part.EYES in area.parts
    return spec.eyes == "one" or (Part.EYES in area.parts and area is not Area.WHOLE_FACE)


CROP_SPECS = tuple(
    arm for name in ("published", "hull", "both_eyes", "hull_both_eyes") for arm in padded_and_cut(STUDY_SPECS[name])
)
"""Every spec that is compared, in order of interest: published (padded, cut), hull, both eyes, hull and both eyes."""


def crop_runs(base: TrainConfig, specs: tuple[CropSpec, ...] = CROP_SPECS) -> list[PlannedRun]:
    """The comparison of crops: one schedule, one seed, every spec where it changes the crop."""
    return [
        PlannedRun("crops", replace(base, area=area.value, spec=spec.key))
        for spec in specs
        for area in STUDY_ORDER
        if changes(area, spec)
    ]


def shared_crop_runs(base: TrainConfig, specs: tuple[CropSpec, ...] = CROP_SPECS) -> list[PlannedRun]:
    """The comparison of crops by one any-area network a spec: a seventh of the trainings.

    Areas that two specs cut alike are trained in both, so their difference shows the luck of a training.
    """
    return [PlannedRun("crops", replace(base, network="anyarea", area="", spec=spec.key)) for spec in specs]


def cpu_runs() -> list[PlannedRun]:
    """Preset ``cpu`` in order: seed 0 of everything, then the comparison of crops, then the other seeds."""

    def seed_runs(seed: int) -> list[PlannedRun]:
        return [PlannedRun("areas", cpu_config(area, seed)) for area in STUDY_ORDER]

    first = seed_runs(CPU_SEEDS[0])
    crops = TrainConfig(stages=CROP_STAGES, augmentation=LIGHT_AUGMENTATION, again=0.4)
    early, late = (PlannedRun("visualisation", config) for config in cpu_visualisations())
    runs = [first[0], early, *first[1:], *shared_crop_runs(crops), late]
    for seed in CPU_SEEDS[1:]:
        runs += seed_runs(seed)
    return runs


def cpu_visualisations() -> list[TrainConfig]:
    """The visualisation networks of preset ``cpu``: a short one, and the one that goes on from it to 64 pixels.

    The report uses the last that is finished, so there are heatmaps early. The second draws rare emotions more often
    (share as the square root of their frequency): a heatmap of an emotion needs faces on which it is recognised.
    """
    base = TrainConfig(network="densenet", area="whole_face", dropout=0.0, rate=4e-3)
    early = replace(base, stages=((3.0, 32),))
    late = replace(
        base, stages=((5.0, 32), (0.5, 48), (0.5, 64)), rate=3e-3, again=0.4, balance=0.5,
        augmentation=LIGHT_AUGMENTATION, start_from=early.name,
    )  # fmt: skip
    return [early, late]


def cpu_configs() -> list[TrainConfig]:
    """Preset ``cpu`` as a queue of trainings, most wanted first."""
    return [run.config for run in cpu_runs()]


def default_runs(seeds: tuple[int, ...] = (0, 1, 2, 3, 4)) -> list[PlannedRun]:
    """Preset ``default``: every epoch at the published 64 pixels; validation chooses; mean and spread over seeds."""
    stages: Stages = ((24.0, 64),)
    runs = [
        PlannedRun("areas", TrainConfig(area=area.value, stages=stages, seed=seed))
        for seed in seeds
        for area in STUDY_ORDER
    ]
    visualisation = TrainConfig(network="densenet", stages=stages, dropout=0.0, rate=4e-3)
    return [
        *runs,
        *(PlannedRun("visualisation", replace(visualisation, seed=seed)) for seed in seeds),
        *crop_runs(TrainConfig(stages=stages)),
    ]


def paper_runs(runs: int = 5) -> list[PlannedRun]:
    """Preset ``paper``: the published protocol to the letter, test-set selection included (see ``paper_config``)."""
    planned = [PlannedRun("areas", paper_config("vgg", area, seed)) for seed in range(runs) for area in STUDY_ORDER]
    planned += [PlannedRun("visualisation", paper_config("densenet", Area.WHOLE_FACE, seed)) for seed in range(runs)]
    for spec in padded_and_cut(STUDY_SPECS["published"]):
        planned += [
            PlannedRun("crops", replace(paper_config("vgg", area, seed), spec=spec.key))
            for seed in range(runs)
            for area in STUDY_ORDER
        ]
    return planned


def quick_runs() -> list[PlannedRun]:
    """Preset ``quick``: the real networks, few faces, 32 pixels, every table and figure in minutes."""
    base = TrainConfig(stages=((1.0, 32),), limit=2000, batch=32, rate=1e-3, average=0.0)
    specs = tuple(STUDY_SPECS[name] for name in ("published", "cut", "hull", "both_eyes", "hull_both_eyes"))
    visualisation = replace(base, network="densenet", dropout=0.0, limit=500)
    return [
        *(PlannedRun("areas", replace(base, area=area.value)) for area in STUDY_ORDER),
        PlannedRun("visualisation", visualisation),
        *shared_crop_runs(base, specs),
    ]
