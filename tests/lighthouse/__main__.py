"""`make pages-check`: the citizens' pages of a running platform, as a phone on 4G sees them.

Lighthouse gives its scores, and what it computes as interactive on its own profile of a slow 4G. When a page really
takes a touch is measured beside it (`touch.py`).

Not part of `make test`: it needs Node and takes minutes. Ends with 1 where a page misses a goal, and writes what it
measured into deploy/PAGES.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from services.cli.client import Client, CommandFailed
from services.cli.screenshots import CHROMIUM_ARGUMENTS
from tests.lighthouse.touch import LOADS, touches_ms

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER.parents[1] / "deploy" / "PAGES.md"
BEGIN, END = "<!-- lighthouse -->\n", "<!-- end of lighthouse -->"
NODE_MIN = 18
# Scores; when the page takes a touch has a goal, what Lighthouse computes from a run without throttling has none.
CATEGORIES = {"performance": "performance", "accessibility": "accessibility", "best-practices": "best practices"}
SCORE_MIN, TOUCH_MAX_MS = 95, 1000
# Lighthouse now and then loses the page that it opened itself.
RUNS, TRIES = 3, 3


class CannotCheck(Exception):
    """Something that the check needs is not there; the message says what to do."""


class Measured(msgspec.Struct, frozen=True):
    """Medians over the runs: scores of 100, when the page takes a touch, and what Lighthouse computes for that."""

    page: str
    scores: dict[str, int]
    touch_ms: int
    computed_ms: int

    @property
    def misses(self) -> list[str]:
        low = [f"{name} {score}" for name, score in self.scores.items() if score < SCORE_MIN]
        return low + ([f"takes a touch after {self.touch_ms} ms"] if self.touch_ms > TOUCH_MAX_MS else [])


def main() -> int:
    try:
        client = Client.find()
        pages = _pages(client)
        lighthouse, chromium = _lighthouse(), _chromium()
        origin = client.environment["PUBLIC_ORIGIN"]
        touches = asyncio.run(touches_ms([origin + path for path in pages.values()], chromium))
        measured = []
        for (name, path), touch_ms in zip(pages.items(), touches, strict=True):
            measured.append(_measure(name, origin + path, touch_ms, lighthouse, chromium))
            print(_row(measured[-1]), flush=True)
    except (CannotCheck, CommandFailed) as error:
        print(f"pages-check: {error}", file=sys.stderr)
        return 2
    _tell(measured)
    missed = {each.page: each.misses for each in measured if each.misses}
    for page, misses in missed.items():
        print(f"{page}: {', '.join(misses)}", file=sys.stderr)
    return 1 if missed else 0


def _pages(client: Client) -> dict[str, str]:
    """Pages by name: those of an open round, those of a published one, and those that belong to none."""
    rounds = client.get("/api/registry/v1/rounds").body.get("rounds", [])
    pages = {"First page": "/"}
    opened = next((each["round"] for each in rounds if each.get("phase") == "open"), None)
    if opened is None:
        raise CannotCheck("no round is open on this platform; `make demo` starts one with an open round")
    candidates = client.get(f"/api/voting/v1/rounds/{opened}").body["candidates"]
    pages["A round"] = f"/rounds/{opened}"
    pages["A candidate"] = f"/rounds/{opened}/candidates/{candidates[0]['candidate']}"
    pages["Review, sign-in, receipt"] = f"/rounds/{opened}/vote"
    pages |= {"Look-up of a receipt": "/receipts", "Results": "/results", "Notices": "/notices"}
    published = next((each["round"] for each in rounds if each.get("list_version")), None)
    return pages | ({"A published result": f"/results/{published}"} if published else {})


def _lighthouse() -> Path:
    """Lighthouse as package-lock.json pins it, installed beside it; raises CannotCheck."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise CannotCheck(f"Node {NODE_MIN} or newer with npm is needed for Lighthouse; everything else works without")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_MIN:
        raise CannotCheck(f"Node {NODE_MIN} or newer is needed for Lighthouse; this is {version}")
    script = FOLDER / "node_modules" / "lighthouse" / "cli" / "index.js"
    if not script.exists():
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason told"])[-1]
            raise CannotCheck(f"npm could not install Lighthouse ({reason}); is a package registry reachable?")
    return script


def _chromium() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise CannotCheck("Chromium is missing: run `make browser`, or apt-get install chromium")
    return path


def _measure(name: str, url: str, touch_ms: int, lighthouse: Path, chromium: str) -> Measured:
    reports = [_report(url, lighthouse, chromium) for _ in range(RUNS)]
    scores = {
        title: round(statistics.median(report["categories"][key]["score"] or 0 for report in reports) * 100)
        for key, title in CATEGORIES.items()
    }
    computed_ms = statistics.median(float(report["audits"]["interactive"]["numericValue"]) for report in reports)
    return Measured(page=name, scores=scores, touch_ms=touch_ms, computed_ms=round(computed_ms))


def _report(url: str, lighthouse: Path, chromium: str) -> dict[str, Any]:
    """One run on Lighthouse's own profile of a phone: round trips of 150 ms, 1.6 Mbit/s, a fourth of the processor."""
    command = [
        "node", str(lighthouse), url, "--quiet", "--output=json", "--output-path=stdout", "--form-factor=mobile",
        "--throttling-method=simulate", f"--only-categories={','.join(CATEGORIES)}",
        f"--chrome-flags=--headless=new {' '.join(CHROMIUM_ARGUMENTS)}",
    ]  # fmt: skip
    environment = {**os.environ, "CHROME_PATH": chromium}
    for _ in range(TRIES):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=180)
        if not done.returncode:
            break
    else:
        raise CannotCheck(f"Lighthouse failed on {url}: {(done.stderr.strip().splitlines() or ['no reason told'])[-1]}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _row(each: Measured) -> str:
    cells = [each.page, *map(str, each.scores.values()), str(each.touch_ms), str(each.computed_ms)]
    return f"| {' | '.join(cells)} |"


def _tell(measured: list[Measured]) -> None:
    """The table in deploy/PAGES.md, with the day."""
    head, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    day = datetime.now(UTC).date().isoformat()
    title = " | ".join(["page", *CATEGORIES.values(), "takes a touch, ms", "computed, ms"])
    told = f"Measured on {day}, medians of {RUNS} runs of Lighthouse and of {LOADS} loads."
    lines = [told, "", f"| {title} |"]
    lines += ["|---|---|---|---|---|---|", *(_row(each) for each in measured)]
    DOCUMENT.write_text(head + BEGIN + "\n".join(lines) + "\n" + END + tail, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
