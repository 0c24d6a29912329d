"""What the figures were measured on: enough to judge them by, nothing that names the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from loadtests.bench.processes import parse_status_kb
from services.cli.embedded.home import PROJECT_FOLDER
from services.cli.embedded.postgres import binary
from services.cli.embedded.valkey import binary as valkey_binary


def machine() -> dict[str, str]:
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{_memory_gb():.0f} GB",
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "python": platform.python_version(),
        "postgresql": _said(binary("postgres"), "--version"),
        "valkey": _said(valkey_binary(), "--version").partition(" sha=")[0],
    }


def commit() -> str:
    """The commit the tree is at, with `+changes` where tracked files differ; `unknown` outside a repository."""
    found = _said("git", "rev-parse", "--short=12", "HEAD")
    return f"{found}+changes" if found and _said("git", "status", "--porcelain", "-uno") else found or "unknown"


def load_tool() -> str:
    return " ".join(_said("wrk", "-v").split()[:2])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _memory_gb() -> float:
    try:
        return parse_status_kb(Path("/proc/meminfo").read_text("utf-8"), "MemTotal") / 1024**2
    except OSError:
        return 0.0


def _said(*command: str) -> str:
    """The first line a command prints, whatever its exit code; empty where it cannot run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=PROJECT_FOLDER, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout.strip().splitlines() or [""])[0]
