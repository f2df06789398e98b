"""Half precision is used where the processor computes it, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from mien.train.precision import computes_bf16, mixed_precision

PRECISION = """
import torch
from mien.train.precision import mixed_precision
with mixed_precision():
    print(torch.nn.Linear(4, 4)(torch.zeros(1, 4)).dtype)
"""


@pytest.mark.parametrize(("isa", "kind"), [("AVX2", "torch.float32"), (None, None)])
def test_a_processor_without_bf16_trains_in_single_precision(isa: str | None, kind: str | None) -> None:
    limits = {"ONEDNN_MAX_CPU_ISA": isa} if isa else {}
    done = subprocess.run(
        [sys.executable, "-c", PRECISION], capture_output=True, text=True, check=True, env=os.environ | limits
    )
    assert done.stdout.strip() == (kind or ("torch.bfloat16" if computes_bf16() else "torch.float32"))


def test_gradients_are_single_precision_everywhere() -> None:
    layer = torch.nn.Linear(4, 4)
    with mixed_precision():
        loss = layer(torch.ones(1, 4)).float().sum()
    loss.backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32
