"""A PostgreSQL with a synchronous standby on loopback, from the same wheel: streaming replication and promotion.

For `loadtests.growth` and tests/system/test_growth.py. Leaving the context leaves no process. Nothing here brings a
killed primary back: in a deployment that is the operator's work, and fencing it is the operator's first duty.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import asyncpg

from services.cli.embedded import postgres
from services.cli.embedded.child import Child
from services.cli.embedded.home import Home
from services.cli.embedded.processes import end_server, servers_working_in
from tests.support.waiting import wait_until

READY_WITHIN_S = 40.0
_STANDBY = "standby"


class PostgresPair:
    """`url` names both servers: whoever opens it gets the one that takes writes."""

    def __init__(self, folder: Path) -> None:
        self._password = secrets.token_urlsafe(24)
        self._homes = [Home.at(folder / name) for name in ("primary", _STANDBY)]
        self._children: list[Child] = []
        self._line = "''"

    async def __aenter__(self) -> Self:
        try:
            await self._start_primary()
            await self._start_standby()
            await self._make_synchronous()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in reversed(self._children):
            await child.stop()

    @property
    def url(self) -> str:
        sockets = ",".join(quote(str(home.socket_folder())) for home in self._homes)
        account = f"{postgres.SUPERUSER}:{self._password}"
        return f"postgresql://{account}@/postgres?host={sockets}&target_session_attrs=read-write"

    async def _start_primary(self) -> None:
        home = self._homes[0]
        home.create()
        identity = await postgres.choose_identity(home)
        await postgres.ensure_cluster(home, identity, self._password)
        await self._run(home, identity)

    async def _start_standby(self) -> None:
        home, source = self._homes[1], self._homes[0].socket_folder()
        home.create()
        identity = await postgres.choose_identity(home)
        # --write-recovery-conf leaves `standby.signal` and how to reach the primary.
        command = [postgres.binary("pg_basebackup"), f"--pgdata={home.postgres_data}", "--checkpoint=fast"]
        command += ["--write-recovery-conf", f"--dbname=host={source} user={postgres.SUPERUSER}"]
        command[-1] += f" application_name={_STANDBY}"
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PGPASSWORD": self._password}
        process = await asyncio.create_subprocess_exec(*command, env=environment)
        assert await asyncio.wait_for(process.wait(), READY_WITHIN_S) == 0, "the base backup failed"
        await self._run(home, identity)

    async def _run(self, home: Home, identity: str) -> None:
        child = Child(postgres.postgres_child(home, identity, self._password), lambda: None)
        self._children.append(child)
        await child.start()
        await child.ready(READY_WITHIN_S)

    async def _make_synchronous(self) -> None:
        await self.ask(0, f"ALTER SYSTEM SET synchronous_standby_names = '{_STANDBY}'")
        await self.ask(0, "SELECT pg_reload_conf()")
        await self._wait_until_synchronous()

    async def _wait_until_synchronous(self) -> None:
        async def synchronous() -> bool:
            return bool(await self.ask(0, "SELECT sync_state FROM pg_stat_replication") == "sync")

        await wait_until(synchronous, READY_WITHIN_S, "the standby is synchronous", 0.05)

    async def ask(self, place: int, query: str) -> Any:
        """One value from one of the two (0 the first primary, 1 the standby), as the superuser."""
        url = postgres.admin_url(self._password, self._homes[place].socket_folder())
        connection = await asyncpg.connect(url, timeout=10, command_timeout=20)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def part(self) -> None:
        """The line between the two is cut: the primary commits nothing more that anybody may be told of."""
        self._line = await self.ask(1, "SELECT quote_literal(current_setting('primary_conninfo'))")
        await self._connect("''")

        async def alone() -> bool:
            return bool(await self.ask(0, "SELECT count(*) = 0 FROM pg_stat_replication"))

        await wait_until(alone, READY_WITHIN_S, "the standby is cut off", 0.05)

    async def join(self) -> None:
        """The line is mended."""
        await self._connect(self._line)
        await self._wait_until_synchronous()

    async def _connect(self, line: str) -> None:
        await self.ask(1, f"ALTER SYSTEM SET primary_conninfo = {line}")
        await self.ask(1, "SELECT pg_reload_conf()")

    async def fail_over(self) -> None:
        """The primary is lost for good, as with its machine, and the standby takes over."""
        home, primary = self._homes[0], self._children[0]
        primary.kill(signal.SIGKILL)
        await primary.stop()
        if left := servers_working_in(home.postgres_data):
            await end_server(left, signal.SIGKILL)
        await self.ask(1, "SELECT pg_promote(wait => true)")
