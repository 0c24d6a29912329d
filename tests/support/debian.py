"""Debian's programs that the tests of deployment files run, as deploy/install-servers unpacks them, or installed."""

from __future__ import annotations

import shutil
from pathlib import Path

_UNPACKED = Path(__file__).parents[2] / ".venv" / "debian" / "usr"


def program(folder: str, name: str) -> str | None:
    """Path of a program of `bin` or `sbin`; None where it is not here, and its tests are skipped."""
    unpacked = _UNPACKED / folder / name
    return str(unpacked) if unpacked.is_file() else shutil.which(name)
