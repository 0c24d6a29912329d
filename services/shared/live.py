"""Live parts of pages: server-sent events for state that is the same for everybody who may see it.

One producer a topic and process reads the state while somebody watches, and what changed goes to all of them; a stream
that cannot be had, or breaks, is polled for by `static/live.js` at the same address. Routes hand in what they would
answer as JSON anyway, so that a stream never tells more than the call. Streams are bounded, so that watchers cannot
crowd out voters; they end with their owner's right to look, and when the process leaves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from weakref import WeakSet

from litestar import Litestar, Request, Response
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from services.shared.errors import CommonReason, Refusal
from services.shared.metrics import live_streams

log = logging.getLogger(__name__)

STREAM_TYPE = "text/event-stream"
# Marks the request for `web.Edge`: how long somebody watched is no response time.
STREAMED = "pingxuan.streamed"
EVERY_S = 1.0
BEAT_S = 15.0
READ_TIMEOUT_S = 10.0
# A read that takes long is repeated more seldom: watching never costs more than a tenth of a connection.
REST_PER_READ = 9
RETRY_AFTER_S = 30
# Compressing or gathering would hold events back, here and in any proxy on the way (nginx reads the second header).
_HEADERS = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}

Read = Callable[[], Awaitable[bytes]]
Remaining = Callable[[], Awaitable[float]]


class Audience(StrEnum):
    PUBLIC = "public"
    STAFF = "staff"


for _audience in Audience:
    live_streams.labels(_audience)


class End(StrEnum):
    """Why a stream ended by itself; the browser opens it again, for `token` with a renewed one."""

    TOKEN = "token"
    LEAVING = "leaving"
    FULL = "full"


@dataclass(eq=False, slots=True)
class _Topic:
    """The newest state; `changed` is set, and replaced, whenever `body` or `stale` changes."""

    read: Read
    body: bytes | None = None
    stale: bool = False
    watchers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    producer: asyncio.Task[None] | None = None

    def tell(self, body: bytes | None, *, stale: bool) -> None:
        """Wake the watchers where this is news."""
        if (body, stale) == (self.body, self.stale):
            return
        self.body, self.stale = body, stale
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def produce(self) -> None:
        while True:
            began = time.monotonic()
            try:
                self.tell(await asyncio.wait_for(self.read(), READ_TIMEOUT_S), stale=False)
            except Exception as error:
                # Watchers keep what they see and are told that it is old.
                log.warning("live state cannot be read", extra={"failure": type(error).__name__})
                self.tell(self.body, stale=True)
            await asyncio.sleep(max(EVERY_S, REST_PER_READ * (time.monotonic() - began)))


class Live:
    """The streams of one process."""

    def __init__(self, streams_max: int) -> None:
        self._max = {Audience.STAFF: streams_max, Audience.PUBLIC: streams_max // 2}
        self._open: Counter[Audience] = Counter()
        self._topics: dict[str, _Topic] = {}
        self._told: dict[str, tuple[float, bytes]] = {}
        self._leaving = asyncio.Event()
        _running.add(self)

    async def answer(
        self, request: Request[Any, Any, Any], topic: str, read: Read, *, remaining: Remaining | None = None
    ) -> Response[Any]:
        """The state as JSON, or as a stream where the request accepts one.

        `topic` names what `read` tells; both are the same for everybody who may ask. `remaining` says how many seconds
        the one who asks may go on watching, and is asked again at every heartbeat; without it the state is public.
        Raises Refusal unavailable where no further stream can be had.
        """
        audience = Audience.PUBLIC if remaining is None else Audience.STAFF
        if not wants_stream(request):
            # Those on duty read what they have just done; a crowd that polls costs one read a second.
            body = await (self._read_for_all(topic, read) if audience is Audience.PUBLIC else read())
            return Response(body, media_type="application/json", headers={"cache-control": "no-store"})
        if self._leaving.is_set() or self._is_full(audience):
            detail = "Many people watch at this moment; ask for the state without a stream."
            raise Refusal(CommonReason.UNAVAILABLE, detail, retry_after_s=RETRY_AFTER_S)
        request.scope[STREAMED] = True  # type: ignore[literal-required]
        return ServerSentEvent(self._events(topic, read, audience, remaining), headers=dict(_HEADERS))

    def _is_full(self, audience: Audience) -> bool:
        """The public has half of the streams at most: a crowd before the screens leaves room for those on duty."""
        total = self._open.total() >= self._max[Audience.STAFF]
        return total or self._open[audience] >= self._max[audience]

    async def _read_for_all(self, name: str, read: Read) -> bytes:
        at, body = self._told.get(name, (-EVERY_S, b""))
        if time.monotonic() - at >= EVERY_S:
            self._told[name] = (time.monotonic(), body := await read())
        return body

    async def _events(
        self, name: str, read: Read, audience: Audience, remaining: Remaining | None
    ) -> AsyncIterator[ServerSentEventMessage]:
        if self._is_full(audience):
            # Others were let in between the answer's head and here.
            yield ServerSentEventMessage(event="end", data=End.FULL)
            return
        topic = self._join(name, read, audience)
        try:
            async for event in self._watch(topic, remaining):
                yield event
        finally:
            self._leave(name, topic, audience)

    async def _watch(self, topic: _Topic, remaining: Remaining | None) -> AsyncIterator[ServerSentEventMessage]:
        """What changed at once, a heartbeat with the server's time otherwise; until the right to look ends."""
        told: tuple[bytes | None, bool] = (None, False)
        beat_at = ends_at = time.monotonic()
        while True:
            now = time.monotonic()
            if self._leaving.is_set():
                yield ServerSentEventMessage(event="end", data=End.LEAVING)
                return
            if now >= min(beat_at, ends_at):
                left_s = await _left_s(remaining)
                if left_s <= 0:
                    yield ServerSentEventMessage(event="end", data=End.TOKEN)
                    return
                beat_at, ends_at = now + BEAT_S, now + left_s
                yield ServerSentEventMessage(event="beat", data=int(time.time() * 1000))
            changed = topic.changed
            if (topic.body, topic.stale) != told:
                before, told = told, (topic.body, topic.stale)
                if topic.body is not None and topic.body != before[0]:
                    yield ServerSentEventMessage(data=topic.body)
                if topic.stale != before[1]:
                    yield ServerSentEventMessage(event="stale", data=int(topic.stale))
            await self._until(changed, min(beat_at, ends_at) - time.monotonic())

    async def _until(self, changed: asyncio.Event, seconds: float) -> None:
        """Wait for news, for the end of the process, or for the time to pass."""
        waits = [asyncio.ensure_future(each.wait()) for each in (changed, self._leaving)]
        try:
            await asyncio.wait(waits, timeout=max(seconds, 0.0), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    def _join(self, name: str, read: Read, audience: Audience) -> _Topic:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _Topic(read)
            topic.producer = asyncio.create_task(topic.produce(), name=f"live {name}")
        topic.watchers += 1
        self._open[audience] += 1
        live_streams.labels(audience.value).inc()
        return topic

    def _leave(self, name: str, topic: _Topic, audience: Audience) -> None:
        topic.watchers -= 1
        self._open[audience] -= 1
        live_streams.labels(audience.value).dec()
        if topic.watchers == 0 and topic.producer is not None:
            topic.producer.cancel()
            self._topics.pop(name, None)

    def end(self) -> None:
        """Tell every watcher to come back elsewhere; no further stream is opened."""
        self._leaving.set()

    @asynccontextmanager
    async def lifespan(self, app: Litestar) -> AsyncIterator[None]:
        """Streams end before what they read from is closed."""
        try:
            yield
        finally:
            self.end()
            producers = [topic.producer for topic in self._topics.values() if topic.producer is not None]
            for producer in producers:
                producer.cancel()
            await asyncio.gather(*producers, return_exceptions=True)


async def _left_s(remaining: Remaining | None) -> float:
    """Seconds until the right to look is to be looked at again, or ends; nothing while it cannot be asked for."""
    if remaining is None:
        return 2 * BEAT_S
    try:
        return await asyncio.wait_for(remaining(), READ_TIMEOUT_S)
    except Exception as error:
        log.warning("a watcher's right cannot be checked", extra={"failure": type(error).__name__})
        return 0.0


_running: WeakSet[Live] = WeakSet()


def end_streams() -> None:
    """End every stream of this process: the server calls it on a signal, for it waits until its connections end."""
    for each in _running:
        each.end()


def wants_stream(request: Request[Any, Any, Any]) -> bool:
    """Whether a browser's EventSource asks."""
    return STREAM_TYPE in request.headers.get("accept", "")


def live_of(request: Request[Any, Any, Any]) -> Live:
    found: Live = request.app.state.live
    return found
