"""An async context manager that lives in a task of its own.

pytest-asyncio sets a fixture up and tears it down in different tasks, which cancel scopes forbid.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any


@asynccontextmanager
async def in_own_task(manager: AbstractAsyncContextManager[Any]) -> AsyncIterator[None]:
    """Enter and leave `manager` in one and the same task."""
    entered, leave = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with manager:
            entered.set()
            await leave.wait()

    task = asyncio.create_task(hold())
    waiter = asyncio.create_task(entered.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiter.cancel()
        await task
    try:
        yield
    finally:
        leave.set()
        await task
