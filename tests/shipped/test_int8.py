"""The shipped int8 networks say on this processor what their graph says, whatever instructions it has."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from mien.assets import SAMPLE
from mien.face import images
from mien.face.aligned import aligned
from mien.face.crops import canvas_of
from mien.face.detect import detect
from mien.face.session import Session
from mien.trust.models import Models
from mien.types import Area, UInt8


@pytest.fixture(scope="module")
def faces() -> UInt8:
    """uint8 [6, 112, 112]: the sample's face, darker and lighter, and mirrored."""
    gray = images.to_gray(images.load(SAMPLE))
    face = aligned(canvas_of(gray, detect(gray)[0].landmarks, sampling="cubic"), side=112).pixels.astype(np.float32)
    lit = [np.clip(face * gain, 0, 255).astype(np.uint8) for gain in (0.6, 1.0, 1.5)]
    return np.stack([*lit, *(view[:, ::-1] for view in lit)])


def test_integer_sums_do_not_overflow(faces: UInt8) -> None:
    """Without ``session.x64quantprecision`` they do on processors with AVX2 alone: logits are off by 1 and more."""
    content = Models(None, "resnet").entry(Area.WHOLE_FACE).path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    written = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    wanted = written.run(["logits", "hidden"], {"crops": faces})
    found = Session(content).run(["logits", "hidden"], {"crops": faces})
    assert np.abs(found[0] - wanted[0]).mean() < 0.05
    assert np.abs(found[1] - wanted[1]).mean() < 0.02
