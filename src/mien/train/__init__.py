"""Prepared faces become networks and a folder of models. Needs torch (extra ``train``)."""
