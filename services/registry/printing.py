"""Documents made off the event loop, a few at a time, and the answer that hands one out. For every subject's routes."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar
from urllib.parse import quote

from litestar import Response

Given = ParamSpec("Given")
Made = TypeVar("Made")

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Printer:
    """Runs the pure renderers of `documents/` in threads; what comes on top of the limit waits its turn."""

    def __init__(self, parallel: int) -> None:
        self._turn = asyncio.Semaphore(parallel)

    async def make(self, render: Callable[Given, Made], *args: Given.args, **named: Given.kwargs) -> Made:
        """What `render` returns."""
        async with self._turn:
            return await asyncio.to_thread(render, *args, **named)


def document(content: bytes, media_type: str, ascii_name: str, name: str, *, inline: bool = False) -> Response[bytes]:
    """A document as a download, or shown by the browser (`inline`: only what we made ourselves).

    `name` may be Chinese, `ascii_name` is for programs that cannot read it.
    """
    disposition = (
        f"{'inline' if inline else 'attachment'}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
    )
    return Response(
        content,
        media_type=media_type,
        headers={
            "content-disposition": disposition,
            "cache-control": "private, no-store",
            "x-content-type-options": "nosniff",
        },
    )
