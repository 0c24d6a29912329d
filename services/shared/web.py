"""The edge of every service: request ids, security headers, metrics, and one map from errors to problems.

`create_app` builds the Litestar application of a service; `Edge` wraps it (and any bare ASGI route in front of it).
Nothing inside a service knows HTTP statuses except through the reasons of `errors.py`.
"""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import asyncpg
import msgspec
from litestar import Litestar, Request, Response
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, PermissionDeniedException, ValidationException
from litestar.openapi.config import OpenAPIConfig
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp, ControllerRouterHandler, Message, Receive, Scope, Send

from services.shared import logs, metrics
from services.shared.errors import CommonReason, ReasonWord, Refusal, SignInFirst, problem
from services.shared.live import STREAMED, Live
from services.shared.settings import ServiceSettings

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
PROBLEM_TYPE = "application/problem+json"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9-]{8,64}")
# Static files stand under the digest of all of them (`pages.static_url`); which one is asked for does not matter.
_VERSIONED = re.compile(r"/static/v-[0-9a-f]+/")
_PROCESS, _running = secrets.token_hex(4), itertools.count()
# PostgreSQL is away or going away: the same request is worth repeating.
_DATABASE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.TargetServerAttributeNotMatched,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
# A NUL that somebody sent inside a text: no text of PostgreSQL has one.
_UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
_SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
        b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
]


class Lifespan(Protocol):
    def __call__(self, app: Litestar) -> AbstractAsyncContextManager[None]: ...


def create_app(
    service: str,
    settings: ServiceSettings,
    web_secret: bytes,
    routes: Sequence[ControllerRouterHandler],
    lifespan: Lifespan,
    title: str,
    dependencies: Mapping[str, Provide] | None = None,
) -> Litestar:
    """The service's Litestar application; every API route lives under `/api/<service>/v1`."""
    live = Live(settings.live_streams_max)
    return Litestar(
        route_handlers=[
            *routes,
            create_static_files_router(path="/static", directories=[STATIC], cache_control=None),
        ],
        lifespan=[lifespan, live.lifespan],
        state=State({"live": live}),
        dependencies=dependencies,
        exception_handlers={Exception: answer_error},
        csrf_config=CSRFConfig(
            secret=web_secret.hex(),
            cookie_name=f"csrf_{service}",
            # Calls under /api and /dev carry their token in a header that no other site can set; the form that signs
            # out stands on pages of every service, and the registry looks at its origin.
            exclude=[r"^/api/", r"^/dev/", r"^/sign-out$", r"^/sign-in/out$"],
            cookie_secure=settings.public_origin.startswith("https:"),
            cookie_samesite="lax",
        ),
        openapi_config=OpenAPIConfig(title=title, version="1", path=f"/api/{service}/v1/schema"),
        request_max_body_size=settings.body_max_bytes,
        logging_config=None,
        debug=False,
    )


def refusal_of(error: Exception) -> Refusal:
    """Any exception as the refusal that a client may see."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ValidationException):
        extra = error.extra if isinstance(error.extra, list) else None
        return Refusal(CommonReason.BAD_REQUEST, str(error.detail), errors=extra)
    if isinstance(error, PermissionDeniedException):
        return Refusal(CommonReason.FORBIDDEN, "The form has expired; load the page again and repeat.")
    if isinstance(error, HTTPException):
        return Refusal(_by_status(error.status_code), str(error.detail))
    if isinstance(error, _UNSTORABLE):
        return Refusal(CommonReason.BAD_REQUEST, "A character in the request cannot be stored; leave it out.")
    if isinstance(error, _DATABASE_AWAY):
        return Refusal(CommonReason.UNAVAILABLE, "The database does not answer; repeat in a moment.", retry_after_s=2)
    return Refusal(CommonReason.INTERNAL, "The request was not carried out; try again, or tell us the request id.")


def _by_status(status: int) -> ReasonWord:
    known: dict[int, ReasonWord] = {reason.status: reason for reason in reversed(CommonReason)}
    return known.get(status, CommonReason.BAD_REQUEST if status < 500 else CommonReason.INTERNAL)


def problem_response(refusal: Refusal) -> Response[bytes]:
    """The problem document of a refusal, with `Retry-After` where it applies."""
    document = problem(refusal.reason, refusal.detail, retry_after_s=refusal.retry_after_s, **refusal.extra)
    document["request_id"] = logs.request_id.get()
    headers = {"cache-control": "no-store"}
    if refusal.retry_after_s is not None:
        headers["retry-after"] = str(refusal.retry_after_s)
    return Response(
        msgspec.json.encode(document, enc_hook=str),
        status_code=refusal.reason.status,
        media_type=PROBLEM_TYPE,
        headers=headers,
    )


def sign_in_first(request: Request[Any, Any, Any], back: str) -> Response[bytes]:
    """To the registry, which renews the token by the session or asks to sign in, and leads back to exactly this page.

    A form has no address to come back to but the one that its route names.
    """
    query, path = request.url.query, request.url.path
    asked = (f"{path}?{query}" if query else path) if request.method in ("GET", "HEAD") else ""
    following = f"?next={quote(back or asked, safe='/')}" if back or asked else ""
    headers = {"location": f"/sign-in/renew{following}", "cache-control": "no-store"}
    return Response(b"", status_code=303, media_type="text/plain", headers=headers)


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The one exception map: problem documents for programs, a page for people, the way to sign in for staff."""
    if isinstance(error, SignInFirst):
        return sign_in_first(request, error.back)
    refusal = refusal_of(error)
    metrics.refusals_total.labels(refusal.reason.value).inc()
    if isinstance(error, _DATABASE_AWAY):
        log.warning("database away", extra={"failure": type(error).__name__})
    elif refusal.reason.status >= 500 and not isinstance(error, Refusal):
        log.error("request failed", exc_info=error)
    page = request.app.state.get("error_page")
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if page is not None and wants_page:
        answer: Response[Any] = page(request, refusal)
        return answer
    return problem_response(refusal)


class Edge:
    """Outermost ASGI layer: request id, security headers, metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        method = str(scope["method"])
        if method == "HEAD":
            # Answered as GET: the server leaves the body out, since it keeps the scope it made.
            scope = {**scope, "method": "GET"}
        if scope["path"].startswith("/static/"):
            scope = {**scope, "path": _VERSIONED.sub("/static/", scope["path"], count=1)}
        identity = request_identity(scope)
        token = logs.request_id.set(identity)
        started = time.perf_counter()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", []))
                present = {name.lower() for name, _ in headers}
                headers += [pair for pair in _SECURITY_HEADERS if pair[0] not in present]
                headers.append((b"x-request-id", identity.encode()))
                message["headers"] = headers
            await send(message)

        metrics.http_in_flight.inc()
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            metrics.http_in_flight.dec()
            # Litestar leaves the template of the route it matched; what matched nothing is one label.
            route = scope.get("path_template") or "unmatched"
            metrics.http_requests_total.labels(method, route, status).inc()
            if STREAMED not in scope:
                metrics.http_request_seconds.labels(method, route).observe(time.perf_counter() - started)
            logs.request_id.reset(token)


def request_identity(scope: Scope) -> str:
    """The caller's X-Request-ID where it is well-formed, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return identity_of(value)
    return identity_of(b"")


def identity_of(given: bytes) -> str:
    """The value of X-Request-ID where it is well-formed, else a new identity: this process and a running number."""
    if given and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return f"{_PROCESS}{next(_running):08x}"
