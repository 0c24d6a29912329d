"""Takes a code to a phone after its request was committed: provider after provider, each behind a circuit breaker.

No database transaction is open while a provider is asked. The caller waits a short while at most; what takes longer
goes on behind, and every attempt is a row of `code_deliveries`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from services.shared.postgres import Pool
from services.voting import metrics
from services.voting.delivery import store
from services.voting.delivery.provider import Failure, Provider, Taken

log = logging.getLogger(__name__)


class Breaker:
    """Opens after some failures in a row; one trial is let through when its time is over."""

    def __init__(self, failures_max: int, open_s: float) -> None:
        self._failures_max, self._open_s = failures_max, open_s
        self._failures, self._open_until = 0, 0.0

    @property
    def closed(self) -> bool:
        return time.monotonic() >= self._open_until

    def note(self, *, failed: bool) -> None:
        self._failures = self._failures + 1 if failed else 0
        if self._failures >= self._failures_max:
            self._open_until = time.monotonic() + self._open_s


class Told(Protocol):
    """Is told whether a code was sent."""

    def __call__(self, *, sent: bool) -> None: ...


class Courier:
    """Sends codes by the first provider that takes them."""

    def __init__(
        self, pool: Pool, providers: Sequence[Provider], *, timeout_s: float, wait_s: float, under_way_max: int,
        failures_max: int, open_s: float,
    ) -> None:  # fmt: skip
        self._pool, self._timeout_s, self._wait_s, self._under_way_max = pool, timeout_s, wait_s, under_way_max
        self.providers = {provider.name: provider for provider in providers}
        # One for each way of a provider: a broken voice template must not stop its messages.
        self._breakers = {
            (name, route): Breaker(failures_max, open_s)
            for name, provider in self.providers.items()
            for route in provider.routes
        }
        self._under_way: set[asyncio.Task[None]] = set()
        for name in self.providers:
            # From 0 on: a provider that never takes a code must show as one that takes none.
            for word in (metrics.Well.ACCEPTED, *Failure):
                metrics.code_deliveries_total.labels(name, word)

    def ready(self, route: str) -> bool:
        """Whether any provider may be asked now; known before a phone is looked at, so that it tells nothing of it."""
        return len(self._under_way) < self._under_way_max and bool(self._candidates(route))

    def _candidates(self, route: str) -> list[Provider]:
        return [
            provider
            for name, provider in self.providers.items()
            if route in provider.routes and self._breakers[name, route].closed
        ]

    async def hand_over(self, request: UUID, phone: str, code: str, route: str, told: Told) -> None:
        """Send; returns when done or after `wait_s`, whichever comes first.

        `told` is called in the end with `sent`: True where a provider took the code, False where none could; not at all
        where the number was to blame, or whoever asked for it too often.
        """
        task = asyncio.create_task(self._deliver(request, phone, code, route, told), name="deliver a code")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.wait({task}, timeout=self._wait_s)

    async def _deliver(self, request: UUID, phone: str, code: str, route: str, told: Told) -> None:
        blameless = True
        try:
            for provider in self._candidates(route):
                outcome = await self._attempt(provider, request, phone, code, route)
                if isinstance(outcome, Taken):
                    told(sent=True)
                    return
                blameless = blameless and outcome.blames_provider
                if outcome is Failure.BAD_NUMBER:
                    break
        except Exception as error:
            log.warning("delivery failed", extra={"failure": type(error).__name__})
        if blameless:
            told(sent=False)

    async def _attempt(
        self, provider: Provider, request: UUID, phone: str, code: str, route: str
    ) -> Taken | Failure:  # fmt: skip
        number = await store.begin(self._pool, request, provider.name, route)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                outcome = await provider.send(phone, code, route)
        except TimeoutError:
            # It may have been sent all the same: a second message with the same code harms nobody.
            outcome = Failure.PROVIDER_AWAY
        blamed = isinstance(outcome, Failure) and outcome.blames_provider
        self._breakers[provider.name, route].note(failed=blamed)
        metrics.code_delivery_seconds.labels(provider.name).observe(time.perf_counter() - began)
        word = outcome if isinstance(outcome, Failure) else metrics.Well.ACCEPTED
        metrics.code_deliveries_total.labels(provider.name, word).inc()
        await store.settle(self._pool, number, outcome)
        return outcome

    async def close(self, within_s: float = 3.0) -> None:
        """Let deliveries end, then close the providers."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=within_s)
        for task in set(self._under_way):
            task.cancel()
        for provider in self.providers.values():
            await provider.close()
