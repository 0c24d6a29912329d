"""Waiting for something to become true: never a bare sleep, always with a name and an end."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def wait_until(
    predicate: Callable[[], bool | Awaitable[bool]], timeout_s: float, description: str, every_s: float = 0.05
) -> None:
    """Return once `predicate` holds; fails with `description` after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while True:
        found = predicate()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s} s: {description}")
        await asyncio.sleep(every_s)
