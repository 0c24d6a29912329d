"""`make test`: the tests in two processes side by side, since either alone leaves half of a two-core machine idle.

What starts whole platforms is one half, what starts single services the other; each writes to a file and is told when
it has ended. Side by side they wait for each other: a test that gave up waiting is asked once more when both are done.
What fails then, failed; what holds then is named as unsteady, and more than a few are not asked again.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HALVES = {
    "platforms": ("tests/browser", "tests/guide", "tests/system", "tests/tidy"),
    "services": ("tests/integration", "tests/unit"),
}
TESTS_FAILED, NO_TESTS_FOUND = 1, 5
ASKED_AGAIN_MAX = 5


async def run(name: str, tests: Sequence[str], options: list[str], folder: Path) -> tuple[int, list[str]]:
    """(exit code, tests that failed) of one process of pytest; its output is printed whole."""
    output, cache = folder / name, folder / f"{name}-cache"
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pytest", *tests, *options, "-o", f"cache_dir={cache}",
            stdout=file, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        code = await process.wait()
    print(f"== {name}: {' '.join(tests)} ==\n{output.read_text('utf-8', 'replace')}", flush=True)
    told = cache / "v/cache/lastfailed"
    failed = list(json.loads(told.read_text("utf-8"))) if told.exists() else []
    return 0 if code == NO_TESTS_FOUND else code, failed


async def main(options: list[str]) -> int:
    """The worse of both exit codes, 0 where all that failed holds when asked again; `options` are pytest's."""
    assert missing() == [], f"tests/halves.py names no half for {missing()}"
    with tempfile.TemporaryDirectory(prefix="pingxuan-tests-") as name:
        folder = Path(name)
        ended = await asyncio.gather(*(run(half, tests, options, folder) for half, tests in HALVES.items()))
        code, failed = max(each for each, _ in ended), [test for _, tests in ended for test in tests]
        if code != TESTS_FAILED or not 0 < len(failed) <= ASKED_AGAIN_MAX:
            return code
        again, still = await run("asked again", failed, [], folder)
    if again in (0, TESTS_FAILED):
        print("".join(f"unsteady: {test}\n" for test in failed if test not in still), flush=True)
    return again


def missing() -> list[str]:
    """Folders with tests that belong to no half."""
    named = {each for half in HALVES.values() for each in half}
    return sorted({f"tests/{each.parts[1]}" for each in Path("tests").glob("**/test_*.py")} - named)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(asyncio.run(main(sys.argv[1:])))
