"""In which numbers the networks are trained: half precision where the processor computes it, single precision else."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager

import torch


@functools.cache
def computes_bf16() -> bool:
    """True where the processor multiplies bf16 matrices itself (AVX-512 and newer).

    On AVX2 alone torch imitates bf16, thirteen times slower than single precision (docs/LOG.md).
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def mixed_precision() -> AbstractContextManager[object]:
    """Forward passes within it run in bf16 where :func:`computes_bf16`, in float32 elsewhere."""
    return torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16())
