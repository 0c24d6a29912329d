"""The voting service with a sampler in it: every few milliseconds *of CPU* a signal notes which Python code runs.

Started by `profile.py` in the place of `services.voting`. A signal is handled between two byte codes, so that time in C
is noted on the Python line that called it or that follows it.
"""

from __future__ import annotations

import os
import runpy
import signal
from collections import Counter
from pathlib import Path
from types import FrameType

import msgspec

EVERY_S = 0.002
FILE_VARIABLE = "VOTING_BENCH_SAMPLES_FILE"
DEPTH_MAX = 60


class Samples(msgspec.Struct):
    """`alone`: samples whose innermost frame is this function; `within`: samples with it anywhere on the stack."""

    total: int
    alone: dict[str, int]
    within: dict[str, int]


class Sampler:
    """Counts functions by `file:name`."""

    def __init__(self) -> None:
        self.total = 0
        self.alone: Counter[str] = Counter()
        self.within: Counter[str] = Counter()

    def __call__(self, _: int, frame: FrameType | None) -> None:
        self.total += 1
        innermost, seen, depth = True, set(), 0
        while frame is not None and depth < DEPTH_MAX:
            name = _name(frame)
            if innermost:
                self.alone[name] += 1
                innermost = False
            seen.add(name)
            frame, depth = frame.f_back, depth + 1
        self.within.update(seen)


def _name(frame: FrameType) -> str:
    """The last two parts of the path are enough to find a function, and tell nothing of the machine."""
    return f"{'/'.join(Path(frame.f_code.co_filename).parts[-2:])}:{frame.f_code.co_qualname}"


def main() -> None:
    file, sampler = Path(os.environ[FILE_VARIABLE]), Sampler()
    signal.signal(signal.SIGPROF, sampler)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        runpy.run_module("services.voting", run_name="__main__")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        found = Samples(sampler.total, dict(sampler.alone), dict(sampler.within))
        file.write_bytes(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
