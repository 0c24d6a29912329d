"""What locust runs: the people of a scene, in the numbers of its shape, and their report at the end.

Started by `python -m loadtests.load`, which names the scene in the environment; it refuses any host but this machine.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
from locust import LoadTestShape, events

from loadtests.load.loopback import NotLoopback, require_loopback
from loadtests.load.people.base import RECORD, SCENE
from loadtests.load.people.bots import Bot
from loadtests.load.people.citizens import FirstTime, Flaky, Hesitant, Impatient
from loadtests.load.people.staff import Administrator, Expert
from loadtests.load.record import Latency
from loadtests.load.shapes import people_at

__all__ = ["Administrator", "Bot", "Curve", "Expert", "FirstTime", "Flaky", "Hesitant", "Impatient"]


class Curve(LoadTestShape):
    """The scene's shape over its seconds; people come and go as fast as it asks for."""

    def tick(self) -> tuple[int, float] | None:
        order = SCENE.order
        progress = max(0.0, (time.time() - SCENE.starts_at) / order.seconds)
        if progress >= 1:
            return None
        staff = len(SCENE.experts) + len(SCENE.administrators)
        return staff + people_at(order.shape, progress, order.people_max), max(1.0, order.people_max / 2)


def check_host(environment: Any, **_: Any) -> None:
    """Before anybody is there; whoever types another host into the page of live charts meets the same check."""
    try:
        require_loopback(environment.host or SCENE.origin)
    except NotLoopback as error:
        raise SystemExit(str(error)) from None


def write_report(environment: Any, **_: Any) -> None:
    """Hand over what was told. The verdict is not locust's: a refusal that was earned is no failure."""
    latencies = {
        name: Latency(
            entry.num_requests, entry.get_response_time_percentile(0.5), entry.get_response_time_percentile(0.95),
            entry.get_response_time_percentile(0.99), entry.max_response_time,
        )
        for (name, _method), entry in environment.stats.entries.items()
        if entry.num_requests and not name.startswith("bot: ")
    }  # fmt: skip
    exceptions = [str(each["traceback"]) for each in environment.runner.exceptions.values()]
    report = RECORD.report(latencies, exceptions, breathless=environment.runner.cpu_warning_emitted)
    path = Path(SCENE.record_file)
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.encode(report))
    environment.process_exit_code = 0


events.init.add_listener(check_host)  # type: ignore[no-untyped-call]
events.quitting.add_listener(write_report)  # type: ignore[no-untyped-call]
