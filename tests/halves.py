"""`make test`: the tests in two processes side by side, since either alone leaves half of a two-core machine idle.

What starts whole platforms is one half, what starts single services the other; each writes to a file and is told when
it has ended.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

HALVES = {
    "platforms": ("tests/browser", "tests/guide", "tests/system", "tests/tidy"),
    "services": ("tests/integration", "tests/unit"),
}
NO_TESTS_FOUND = 5


async def run(name: str, options: list[str], folder: Path) -> int:
    """The exit code of one half; its output is printed whole."""
    output = folder / name
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pytest", *HALVES[name], *options, stdout=file, stderr=asyncio.subprocess.STDOUT
        )
        code = await process.wait()
    print(f"== {name}: {' '.join(HALVES[name])} ==\n{output.read_text('utf-8', 'replace')}", flush=True)
    return 0 if code == NO_TESTS_FOUND else code


async def main(options: list[str]) -> int:
    """The worse of both exit codes; `options` are pytest's."""
    assert missing() == [], f"tests/halves.py names no half for {missing()}"
    with tempfile.TemporaryDirectory(prefix="pingxuan-tests-") as folder:
        return max(await asyncio.gather(*(run(name, options, Path(folder)) for name in HALVES)))


def missing() -> list[str]:
    """Folders with tests that belong to no half."""
    named = {each for half in HALVES.values() for each in half}
    return sorted({f"tests/{each.parts[1]}" for each in Path("tests").glob("**/test_*.py")} - named)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(asyncio.run(main(sys.argv[1:])))
