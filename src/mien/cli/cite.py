"""``mien cite``: how to cite mien, the paper, and what the shipped networks were learnt from."""

from __future__ import annotations

import argparse
from importlib.metadata import version

_PAPER = """@article{lian2020expression,
  author  = {Lian and Li and Tao and Huang and Niu},
  title   = {Expression Analysis Based on Face Regions in Real-world Conditions},
  journal = {International Journal of Automation and Computing},
  volume  = {17}, number = {1}, pages = {96--107}, year = {2020}
}"""
_FERPLUS = """@inproceedings{barsoum2016training,
  author    = {Barsoum, Emad and Zhang, Cha and Canton Ferrer, Cristian and Zhang, Zhengyou},
  title     = {Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution},
  booktitle = {ACM International Conference on Multimodal Interaction (ICMI)}, year = {2016}
}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--models", metavar="DIR", help="models folder (default: the shipped ones)")
    parser.add_argument("--network", metavar="NAME", help="network (default: the folder's default)")


def run(args: argparse.Namespace) -> int:
    """Print BibTeX, and the models' fingerprint."""
    from mien.analyze.identity import fingerprint_of
    from mien.trust.models import Models

    models = Models(args.models, args.network)
    note = f"version {version('mien')}, network {models.network}, models {fingerprint_of(models)[:16]}"
    print(f"""@software{{mien,
  title = {{mien: emotions from partly visible faces, and how far each answer can be trusted}},
  author = {{{{The mien developers}}}},
  version = {{{version("mien")}}},
  note = {{{note}}}
}}

{_PAPER}

{_FERPLUS}""")
    return 0
