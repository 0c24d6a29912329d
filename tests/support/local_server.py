"""Small HTTP servers on loopback: somebody else's API played in a test, or an application of ours for a browser."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import uvicorn

from tests.support.waiting import wait_until


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw_query: str

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass
class Reply:
    """What the server answers."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Asked], Awaitable[Reply]]


class LocalServer:
    """Answers by `handler`; `asked` lists the requests in order."""

    def __init__(self, handler: Handler) -> None:
        self.handler, self.asked, self.url = handler, list[Asked](), ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        raw = scope["query_string"].decode()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = dict(parse_qsl(raw, keep_blank_values=True))
        asked = Asked(scope["method"], scope["path"], query, headers, body, raw)
        self.asked.append(asked)
        reply = await self.handler(asked)
        pairs = [(b"content-type", b"application/json")]
        pairs += [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
        content = reply.body if isinstance(reply.body, bytes) else msgspec.json.encode(reply.body)
        await send({"type": "http.response.body", "body": content})


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[LocalServer]:
    """A `LocalServer` that listens while the block runs."""
    local = LocalServer(handler)
    async with listening(local) as url:
        local.url = url
        yield local


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """The address at which an ASGI application answers while the block runs; its lifespan is the caller's business."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = _no_signals  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await wait_until(lambda: server.started, 5, "the local server listens", every_s=0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


class _no_signals:  # noqa: N801 - stands in for a context manager function
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...
