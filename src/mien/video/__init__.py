"""Video -> a table of faces with time stamps and tracks, a timeline picture, an annotated video (extra ``video``)."""

from __future__ import annotations

from mien.video.analysis import VideoResult, VideoSettings, analyze_videos

__all__ = ["VideoResult", "VideoSettings", "analyze_videos"]
