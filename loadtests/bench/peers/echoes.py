"""Limits: what a ballot's request costs when nothing is done with it, on bare ASGI and through Litestar."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Litestar, get, post
from litestar.params import FromPath, JSONBody

_READY = "/ready"


class BallotIn(msgspec.Struct):
    ballot_id: UUID
    choices: list[str]


async def raw_app(scope: Any, receive: Any, send: Any) -> None:
    """The body goes back as it came."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    status = 200 if scope["path"] == _READY else 201
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@get(_READY)
async def ready() -> dict[str, bool]:
    return {"ready": True}


@post("/api/voting/v1/rounds/{round_id:str}/ballots")
async def echo(round_id: FromPath[str], data: JSONBody[BallotIn]) -> BallotIn:
    return data


litestar_app = Litestar([ready, echo], openapi_config=None)
