"""Labelled faces: how often is mien right, and what ``trust`` reads is fitted."""
