"""Licences of everything mien needs or can use -> docs/licences.md.

    python scripts/docs/licences.py

Read from the metadata of the installed packages, so run it where all extras are installed
(``pip install -e '.[all]'``). Packages that others need are followed; those for development alone are left out.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
OUT = ROOT / "docs" / "licences.md"
EXTRAS = ("parquet", "data", "train", "study", "serve", "video", "heic")
COPYLEFT = {
    "x264": "GPL 2.0", "x265": "GPL 2.0", "heif": "LGPL 3.0", "de265": "LGPL 3.0", "avcodec": "LGPL 2.1 or later",
    "avformat": "LGPL 2.1 or later", "avutil": "LGPL 2.1 or later", "avfilter": "LGPL 2.1 or later",
    "avdevice": "LGPL 2.1 or later", "swscale": "LGPL 2.1 or later", "swresample": "LGPL 2.1 or later",
    "mp3lame": "LGPL 2.0", "gnutls": "LGPL 2.1", "gmp": "LGPL 3.0 or GPL 2.0", "nettle": "LGPL 3.0 or GPL 2.0",
    "hogweed": "LGPL 3.0 or GPL 2.0", "unistring": "LGPL 3.0 or GPL 2.0", "asound": "LGPL 2.1",
    "gfortran": "GPL 3.0 with the runtime exception", "quadmath": "LGPL 2.1",
}  # fmt: skip
"""Native libraries whose licence asks for more than a notice; as their projects state them."""
NATIVE = """
## Native libraries inside the wheels

Wheels carry libraries of their own. These are named in the folder of the installed packages (on Linux); those whose
licence asks for more than a notice have it in brackets.
"""
CONSEQUENCE = """
An FFmpeg that is built with x264 or x265 is under the GPL as a whole: a product that ships PyAV's or pillow-heif's
wheels as they are must follow it. mien needs them in the extras `video` and `heic` alone.
"""


def wanted(name: str, extra: str) -> list[str]:
    """Names that a package needs, for itself ("") or for one of its extras."""
    found = []
    for text in metadata.requires(name) or []:
        requirement = Requirement(text)
        if requirement.marker is None:
            take = not extra
        else:
            take = requirement.marker.evaluate({"extra": extra}) and (
                not extra or not requirement.marker.evaluate({"extra": ""})
            )
        if take and requirement.name.lower() != "mien":
            found.append(requirement.name)
    return found


def closure(names: list[str]) -> set[str]:
    """These packages and all they need, where installed."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        seen.add(name)
        waiting += wanted(name, "")
    return seen


def licence(name: str) -> str:
    """In words, from the newest kind of metadata that there is."""
    fields = metadata.metadata(name)
    if fields.get("License-Expression"):
        return str(fields["License-Expression"])
    classifiers = [c.rpartition(" :: ")[2] for c in fields.get_all("Classifier") or [] if c.startswith("License ::")]
    if classifiers:
        return ", ".join(classifiers)
    return (fields.get("License") or "not stated").strip().splitlines()[0][:60]


def native() -> list[str]:
    """A line for each package that carries native libraries."""
    folder = Path(str(metadata.distribution("numpy").locate_file("")))
    lines = []
    for libraries in sorted(folder.glob("*.libs")):
        names = sorted({re.match(r"(?:lib)?([A-Za-z0-9]+)", p.name)[1] for p in libraries.iterdir()})  # type: ignore[index]
        said = [f"{name} ({COPYLEFT[name]})" if name in COPYLEFT else name for name in names]
        lines.append(f"- **{libraries.stem}**: {', '.join(said)}")
    return lines


def main() -> int:
    """Write the page."""
    groups = {"always": closure(wanted("mien", ""))}
    for extra in EXTRAS:
        groups[extra] = closure(wanted("mien", extra))
    lines = [
        "# Licences of what mien uses",
        "",
        "mien is under the MIT licence (`LICENSE`). Made by `python scripts/docs/licences.py` from the metadata of the",
        "installed packages; the column says for what a package is needed, by itself or because another one needs it.",
        "",
        "| package | version | licence | needed for |",
        "|---|---|---|---|",
    ]
    for name in sorted(set().union(*groups.values())):
        needed = ["always"] if name in groups["always"] else [f"`{e}`" for e in EXTRAS if name in groups[e]]
        lines.append(f"| {name} | {metadata.version(name)} | {licence(name)} | {', '.join(needed)} |")
    OUT.write_text("\n".join([*lines, NATIVE, *native(), CONSEQUENCE]))
    unknown = [line for line in lines if "not stated" in line]
    print("\n".join(unknown), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
