"""Write docs/images/video-timeline.png: the clip of the tests (mouth covered from 8 to 12 s), the shipped models.

python scripts/docs/video_timeline.py [OUT]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from mien import Analyzer
from mien.analyze.video import analyze_videos
from mien.analyze.video.timeline import save_timeline
from mien.assets import SAMPLE
from mien.face import images

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from builders.video import moving_face, write_video  # noqa: E402

RATE, SECONDS, COVERED = 8, 20, (8.0, 12.0)


def main() -> None:
    """Film, analyse, draw; print the summary that docs/video.md shows."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "video-timeline.png"
    times = [i / RATE for i in range(RATE * SECONDS)]
    with tempfile.TemporaryDirectory() as folder:
        clip = write_video(Path(folder) / "clip.mp4", moving_face(images.load(SAMPLE), times, COVERED), times)
        result = analyze_videos([str(clip)], Path(folder) / "clip.csv", Analyzer())
        print(result)
    save_timeline(result.series, target)


if __name__ == "__main__":
    main()
