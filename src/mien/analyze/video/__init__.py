"""Video -> a table of faces with time stamps and tracks, a timeline picture, an annotated video (extra ``video``)."""

from __future__ import annotations

from mien.analyze.video.film import VideoSettings, analyze_videos
from mien.analyze.video.result import VideoResult

__all__ = ["VideoResult", "VideoSettings", "analyze_videos"]
