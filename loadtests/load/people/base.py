"""What all people have in common: an address, a browser with cookies, pauses to think, a note of what they are told.

Invariant: nothing leaves for any other host than the scene's origin, and no redirect is followed. Runs in locust's
process only, where gevent has replaced the blocking calls.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import gevent
from locust import constant_pacing
from locust.contrib.fasthttp import FastHttpUser

from loadtests.load.loopback import NotLoopback, require_loopback
from loadtests.load.people.addresses import Browser, citizen_address
from loadtests.load.record import NO_ANSWER, OK, Record, Step
from loadtests.load.scene import SCENE_VARIABLE, Scene

# One person after the other takes a place in the crowd, at a fixed pace, whether the service is quick or slow.
CYCLE_S = 12.0
SCENE_WITHIN_S = 180.0
_STATIC = re.compile(r'(?:href|src)="(/static/[^"]+)"')


def _scene() -> Scene:
    """The scene, which is still being made while this process starts."""
    named = os.environ.get(SCENE_VARIABLE, "")
    if not named:
        raise SystemExit(f"{SCENE_VARIABLE} names no scene: start this with python -m loadtests.load")
    until = time.monotonic() + SCENE_WITHIN_S
    while not (path := Path(named)).exists():
        if time.monotonic() > until:
            raise SystemExit("the scene did not come: start this with python -m loadtests.load")
        time.sleep(0.05)
    scene = Scene.read(path)
    try:
        require_loopback(scene.origin)
    except NotLoopback as error:
        raise SystemExit(str(error)) from None
    return scene


SCENE = _scene()
RECORD = Record(SCENE.opens_at, SCENE.closes_at)


class Reply:
    """An answer: `word` is `ok`, a refusal's reason, or `no_answer`; `body` or `listed` the JSON document, if any."""

    def __init__(self, status: int, text: str, sent_at: float) -> None:
        self.status, self.text, self.sent_at, self.answered_at = status, text, sent_at, time.time()
        document = json.loads(text) if text[:1] in ("{", "[") else None
        self.body: dict[str, Any] = document if isinstance(document, dict) else {}
        self.listed: list[Any] = document if isinstance(document, list) else []
        told = f"http_{status}" if status else NO_ANSWER
        self.word = OK if 200 <= status < 400 else str(self.body.get("reason", told))

    @property
    def ok(self) -> bool:
        return self.word == OK

    @property
    def asks_for_work(self) -> bool:
        """More work is no wall: whoever does it goes on."""
        return not self.ok and "challenge" in self.body

    @property
    def is_unknown(self) -> bool:
        """Whether the same request must be sent again: nobody knows, or the service said so."""
        return self.status == 0 or self.status >= 500


class Person(FastHttpUser):
    """Somebody with a browser; `title` stands in reports, and that of bots begins with `bot`."""

    abstract = True
    title: ClassVar[str] = ""
    wait_time = constant_pacing(CYCLE_S * SCENE.order.think)
    host = SCENE.origin

    def __init__(self, environment: Any) -> None:
        # The page with the live charts lets people type another host.
        require_loopback(self.host or "")
        if environment.host:
            require_loopback(environment.host)
        super().__init__(environment)
        self.chance = random.Random()
        self.address = ""
        self.seen: set[str] = set()
        self.browser = Browser("")

    def become(self, address: str = "") -> None:
        """A new person in this place of the crowd: another address, an empty browser."""
        self.browser.close()
        self.address = address or citizen_address(self.chance)
        self.client.client = self.browser = Browser(self.address)
        self.seen = set()

    def think(self, low_s: float, high_s: float) -> None:
        gevent.sleep(self.chance.uniform(low_s, high_s) * SCENE.order.think)

    @property
    def is_bot(self) -> bool:
        return self.title.startswith("bot")

    def call(
        self, step: Step, method: str, path: str, body: Any = None, *, token: str = "", expected: Collection[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Reply:  # fmt: skip
        """One request; `expected` are the refusals that this person has earned. Counted by what was told."""
        sent_at, given = time.time(), dict(headers or {})
        if token:
            given["Authorization"] = f"Bearer {token}"
        name = f"bot: {step}" if self.is_bot else step.value
        with self.client.request(method, path, name=name, json=body, headers=given, catch_response=True) as answer:
            reply = Reply(answer.status_code or 0, answer.text or "", sent_at)
            wanted = reply.ok or reply.word in expected or self._is_earned(reply)
            RECORD.tell(self.title, step, reply.word, wanted=wanted)
            RECORD.challenged += reply.asks_for_work and not self.is_bot
            if wanted:
                answer.success()
            else:
                answer.failure(reply.word)
        return reply

    def _is_earned(self, reply: Reply) -> bool:
        """A refusal that is right whoever hears it."""
        if reply.word == "window_closed":
            return RECORD.closed_rightly(reply.sent_at, reply.answered_at)
        return reply.asks_for_work or (self.is_bot and not reply.is_unknown)

    def open_page(self, step: Step, path: str, expected: Collection[str] = ()) -> Reply:
        """A page and, the first time, what it is made of."""
        page = self.call(step, "GET", path, headers={"Accept": "text/html"}, expected=expected)
        if page.ok:
            for part in _STATIC.findall(page.text):
                if part not in self.seen:
                    self.seen.add(part)
                    self.call(Step.STATIC, "GET", part)
        return page

    def cookies(self) -> str:
        """The Cookie header of this browser."""
        return "; ".join(f"{each.name}={each.value}" for each in self.browser.cookiejar or ())

    def origin(self) -> tuple[str, int]:
        parts = urlsplit(SCENE.origin)
        return parts.hostname or "", parts.port or 80
