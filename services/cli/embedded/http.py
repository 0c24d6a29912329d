"""One GET over a plain socket, for readiness checks: an HTTP client would double the supervisor's memory."""

import asyncio
from contextlib import suppress


async def http_status(host: str, port: int, path: str) -> int | None:
    """The status of one GET, None for no answer in HTTP; raises OSError where nobody listens."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode("ascii"))
        words = (await reader.readline()).split()
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else None
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
