"""Nothing leaves the machine: no socket but the server's own, no file that nobody asked for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PRELUDE = """
import json, os, sys
FOUND = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def hook(event, args):
    if event.startswith("socket.") and event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname",
                                                 "socket.gethostbyaddr", "socket.sendto", "socket.getnameinfo"):
        where = args[1] if event == "socket.connect" else args[0]
        host = where[0] if isinstance(where, tuple) else where
        if host not in ("127.0.0.1", "::1", "localhost", None):
            FOUND.append(f"{event} {where}")
    elif event == "open" and isinstance(args[0], (str, bytes)):
        writes = set(args[1] or "") & set("wax+") or (args[2] or 0) & WRITES
        name = os.fsdecode(args[0])
        if writes and not name.startswith("/dev/") and not name.startswith(os.environ["ALLOWED"]):
            FOUND.append(f"{event} {name} {args[1]} {args[2]}")
sys.addaudithook(hook)
"""
EPILOGUE = "\nif FOUND: sys.exit('unasked: ' + ' | '.join(FOUND))\n"

ANALYZE = """
import time
from mien.cli import main
assert main(["analyze", "--sample", "--quiet"]) == 0
time.sleep(3)
"""
SERVE = """
import threading, time, urllib.request
import uvicorn
from mien.analyze.analyzer import Analyzer
from mien.assets import SAMPLE
from mien.serve.app import create_app
from mien.serve.settings import ServeSettings
settings = ServeSettings(port=0)
server = uvicorn.Server(uvicorn.Config(create_app(settings, Analyzer()), port=0, log_level="warning"))
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    time.sleep(0.05)
port = server.servers[0].sockets[0].getsockname()[1]
address = f"http://127.0.0.1:{port}"
assert b"mien" in urllib.request.urlopen(address + "/").read()
request = urllib.request.Request(address + "/api/analyze", SAMPLE.read_bytes(), {"Content-Type": "image/jpeg"})
assert b"happiness" in urllib.request.urlopen(request).read()
time.sleep(2)
server.should_exit = True
thread.join()
"""
IMPORTS = """
import importlib, pkgutil
import mien
for module in pkgutil.walk_packages(mien.__path__, "mien."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def run(code: str, home: Path, *before: str) -> subprocess.CompletedProcess[str]:
    home.mkdir(exist_ok=True)
    environment = {
        "HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "ALLOWED": str(home / ".cache" / "matplotlib"),
        "MPLCONFIGDIR": str(home / ".cache" / "matplotlib"),
    }  # fmt: skip
    command = [*before, sys.executable, "-c", PRELUDE + code + EPILOGUE]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=home, timeout=300, check=False)


def left_in(home: Path) -> list[str]:
    """Files below a home folder, but for matplotlib's list of fonts."""
    return [str(p.relative_to(home)) for p in home.rglob("*") if p.is_file() and "matplotlib" not in p.parts]


@pytest.mark.parametrize("code", [ANALYZE, SERVE, IMPORTS], ids=["analyze", "serve", "every module"])
def test_no_foreign_socket_and_no_file_unasked(code: str, tmp_path: Path) -> None:
    if code != ANALYZE:
        pytest.importorskip("uvicorn")
        pytest.importorskip("torch")
    done = run(code, tmp_path / "home")
    assert done.returncode == 0, done.stderr[-2000:]
    assert left_in(tmp_path / "home") == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("code", [ANALYZE, SERVE], ids=["analyze", "serve"])
def test_native_code_opens_no_socket_either(code: str, tmp_path: Path) -> None:
    """Python's hook does not see what onnxruntime does in C++; the kernel does."""
    trace = tmp_path / "trace"
    done = run(code, tmp_path / "home", "strace", "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(trace))
    assert done.returncode == 0, done.stderr[-2000:]
    calls = [line for line in trace.read_text().splitlines() if re.search(r"sa_family=AF_INET6?\b", line)]
    assert [line for line in calls if "127.0.0.1" not in line and '"::1"' not in line] == []


def test_telemetry_is_off_before_onnxruntime_is_imported(tmp_path: Path) -> None:
    code = (
        """
import builtins
original = builtins.__import__
def watched(name, *args, **kwargs):
    if name.partition(".")[0] == "onnxruntime" and os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
        sys.exit(f"{name} is imported without ORT_DISABLE_TELEMETRY=1")
    return original(name, *args, **kwargs)
builtins.__import__ = watched
"""
        + IMPORTS
    )
    done = run(code, tmp_path / "home")
    assert done.returncode == 0, done.stderr[-2000:]
