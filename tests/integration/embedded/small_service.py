"""A service as small as can be, for tests of the supervisor: it uses its database, then tells what it is asked.

`python -m tests.integration.embedded.small_service`: which service it is it learns from its environment, as told to
exactly one. With SMALL_SERVICE_FAILS in its environment it ends with one sentence instead.
"""

import asyncio
import json
import os
import sys

import asyncpg

SERVICE = next(name for name in ("registry", "voting", "scoring") if f"{name.upper()}_PORT" in os.environ)


def own(name: str) -> str:
    return os.environ[f"{SERVICE.upper()}_{name}"]


async def use_database() -> None:
    owner = await asyncpg.connect(own("OWNER_DATABASE_URL"))
    await owner.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz DEFAULT now())")
    await owner.execute(f"GRANT SELECT, INSERT ON starts TO {SERVICE}_app")
    await owner.close()
    application = await asyncpg.connect(own("DATABASE_URL"))
    await application.execute("INSERT INTO starts DEFAULT VALUES")
    await application.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Echo method, path, headers and the body's length; `/environment` in the path adds the variables' names."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    length = len(await reader.readexactly(int(headers.get("content-length", "0"))))
    told = {"service": SERVICE, "method": method, "path": path, "headers": headers, "length": length}
    if path.endswith("/environment"):
        told["environment"] = sorted(os.environ)
    body = json.dumps(told).encode()
    fixed = "Content-Type: application/json\r\nConnection: close"
    writer.write(f"HTTP/1.1 200 OK\r\n{fixed}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()


async def main() -> None:
    await use_database()
    server = await asyncio.start_server(answer, own("HOST"), int(own("PORT")))
    await server.serve_forever()


if os.environ.get("SMALL_SERVICE_FAILS") == SERVICE:
    sys.exit(f"{SERVICE} cannot start: it was told not to.")
asyncio.run(main())
