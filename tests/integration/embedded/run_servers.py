"""PostgreSQL and Valkey of the home named, until this process ends: the victim of tests that kill a supervisor."""

import asyncio
import sys

from services.cli.supervisor import PlatformServers


async def main() -> None:
    async with PlatformServers(sys.argv[1], database_url="", redis_url=""):
        print("ready", flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
