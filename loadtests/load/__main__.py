"""People of all kinds on a platform of their own, in the shape of a day that such votes have; goals decide.

    python -m loadtests.load --shape last_minute
    make load SHAPE=evening

Starts a platform on loopback, plays the people with locust, compares every acknowledged ballot with the ledger, writes
HTML and CSV reports and `verdict.json`, prints which goals were missed, and ends with 1 where any was.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

import httpx

from loadtests.load import goals
from loadtests.load.run import PEOPLE_MAX, SECONDS_MAX, TUNED, run
from loadtests.load.scene import Order
from loadtests.load.shapes import SECONDS, Shape
from loadtests.load.verdict import Verdict, table
from services.cli.embedded.home import PROJECT_FOLDER, PlatformError
from services.cli.supervisor import Platform

RESULTS = PROJECT_FOLDER / "loadtests" / "results" / "load"
PEOPLE = 150


async def measure(order: Order, wanted: goals.Goals, folder: Path) -> Verdict:
    """The order on a platform for this run alone, beside the project: a temporary folder may be memory."""
    place = PROJECT_FOLDER / ".pingxuan"
    place.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="load-", dir=place) as home:
        async with Platform(home, database_url="", redis_url="") as platform:
            await platform.ready()
            return await run(platform, order, wanted, folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="loadtests.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=[shape.value for shape in Shape], default=Shape.EVENING.value)
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"citizens and bots at once (default: {PEOPLE})")
    parser.add_argument("--seconds", type=float, default=0, help="how long (default: as the shape has it)")
    parser.add_argument("--think", type=float, default=1.0, help="pauses of people, times this (default: 1)")
    parser.add_argument("--goals", type=Path, default=goals.GOALS, help="the goals file")
    parser.add_argument("--out", type=Path, help="folder of the reports (default: loadtests/results/load/SHAPE)")
    parser.add_argument("--watch", type=int, default=0, metavar="PORT", help="live charts at http://127.0.0.1:PORT")
    options = parser.parse_args()
    options.seconds = options.seconds or SECONDS[Shape(options.shape)]
    if not 1 <= options.people <= PEOPLE_MAX or not 5 <= options.seconds <= SECONDS_MAX:
        parser.error(f"1 to {PEOPLE_MAX} people over 5 to {SECONDS_MAX:.0f} seconds are possible")
    if not 0.05 <= options.think <= 10 or not 0 <= options.watch <= 65535:
        parser.error("--think is from 0.05 to 10, --watch a port")
    return options


def main() -> int:
    options = _options()
    order = Order(Shape(options.shape), options.people, options.seconds, options.think, options.watch)
    folder = (options.out or RESULTS / options.shape).absolute()
    os.environ.update(TUNED)
    try:
        wanted = goals.read(options.goals)
        result = asyncio.run(measure(order, wanted, folder))
    except (goals.BadGoals, PlatformError) as error:
        print(f"load: {error}", file=sys.stderr)
        return 2
    except httpx.HTTPError as error:
        print(f"load: the platform did not answer while the scene was made ({type(error).__name__})", file=sys.stderr)
        return 2
    print(table(result))
    missed = goals.missed(result.judged)
    for sentence in missed:
        print(f"missed: {sentence}")
    print(f"{'some goals were missed' if missed else 'every goal was met'}; reports: {folder}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
