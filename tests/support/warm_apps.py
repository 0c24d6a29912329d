"""Litestar applications used again by the next test: registering a service's routes costs more than most tests.

An application is the same for every test but for its lifespan, which opens the test's own database. It is lent out to
one lifespan at a time; who needs a second one beside it gets a fresh one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.types import ControllerRouterHandler

from services.shared.settings import ServiceSettings
from services.shared.web import Lifespan, create_app


class _Warm:
    """One application and the lifespan that it enters next."""

    def __init__(self, build: Callable[[Lifespan], Litestar]) -> None:
        self.lent = False
        self.next: Lifespan | None = None
        self.app = build(self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, app: Litestar) -> AsyncIterator[None]:
        assert self.next is not None
        assert not self.lent, "an application has one lifespan at a time"
        self.lent = True
        try:
            async with self.next(app):
                yield
        finally:
            self.lent = False


class WarmApps:
    """Stands in for `create_app` of a service whose routes do not depend on its settings."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], _Warm] = {}

    def create(
        self,
        service: str,
        settings: ServiceSettings,
        web_secret: bytes,
        routes: Sequence[ControllerRouterHandler],
        lifespan: Lifespan,
        title: str,
    ) -> Litestar:
        """As `create_app`; an application that was built with the same facts and rests is used again."""
        key = (service, web_secret, settings.public_origin, settings.body_max_bytes, settings.live_streams_max)
        warm = self._known.get(key)
        if warm is None or warm.lent:
            warm = _Warm(lambda inner: create_app(service, settings, web_secret, routes, inner, title))
            self._known.setdefault(key, warm)
        warm.next = lifespan
        return warm.app
