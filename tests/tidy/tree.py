"""The project's own files, as Git tracks them; beside a checkout without Git, as they lie there."""

from __future__ import annotations

import ast
import subprocess
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]


@lru_cache(maxsize=1)
def _all() -> tuple[Path, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    names = [name for name in listed if name] or [
        str(path.relative_to(PROJECT)) for path in PROJECT.rglob("*") if path.is_file() and ".venv" not in path.parts
    ]
    return tuple(sorted(path for path in map(Path, names) if (PROJECT / path).is_file()))


def tracked(pattern: str) -> list[Path]:
    """Tracked files whose path matches, relative to the project's folder."""
    return [path for path in _all() if fnmatch(str(path), pattern)]


def parsed(path: Path) -> ast.Module:
    return ast.parse((PROJECT / path).read_text(encoding="utf-8"))
