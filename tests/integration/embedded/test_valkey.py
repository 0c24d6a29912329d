"""One account per service: its own keys to write, others' to read only where it follows them."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError

from services.cli.embedded.keys import SERVICES, VALKEY_USERS
from services.cli.supervisor import PlatformServers

Open = Callable[[str], redis.Redis]


@pytest_asyncio.fixture(loop_scope="session")
async def open_as(servers: PlatformServers) -> AsyncIterator[Open]:
    """A client for a user; all are closed, and everything written is removed."""
    clients: dict[str, redis.Redis] = {}

    def client(user: str) -> redis.Redis:
        name = "OPERATOR_REDIS_URL" if user == "operator" else f"{user.upper()}_REDIS_URL"
        if user not in clients:
            clients[user] = redis.from_url(servers.environment[name], retry=Retry(NoBackoff(), 0))
        return clients[user]

    yield client
    await client("operator").flushall()
    for opened in clients.values():
        await opened.aclose()


WRITES = {
    "registry": {"registry.rounds", "voting.tallies:replay"},
    "voting": {"voting.tallies", "voting.windows", "{kunming-2021:3}:voter", "registry.rounds:replay"},
    "scoring": {"scoring.rankings", "registry.rounds:replay", "voting.tallies:replay"},
}
READS = {
    "registry": {"scoring.rankings", "voting.tallies", "voting.windows"},
    "voting": {"registry.rounds"},
    "scoring": {"registry.rounds", "voting.tallies"},
}
KEYS = sorted({"other", *(key for keys in (*WRITES.values(), *READS.values()) for key in keys)})


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("user", SERVICES)
async def test_who_may_write_and_read_what(open_as: Open, user: str, key: str) -> None:
    writes = key in WRITES[user] or key.endswith(":replay")
    client = open_as(user)
    if writes:
        await client.set(key, "1", ex=60)
        await client.delete(key)
    else:
        with pytest.raises(NoPermissionError):
            await client.set(key, "1")
    if writes or key in READS[user]:
        assert await client.get(key) is None
    else:
        with pytest.raises(NoPermissionError):
            await client.get(key)


@pytest.mark.parametrize("user", SERVICES)
async def test_a_service_has_the_commands_it_needs(open_as: Open, user: str) -> None:
    client, key = open_as(user), f"{user}.work"
    script = await client.script_load("return redis.call('INCR', KEYS[1])")
    assert await client.script_exists(script) == [True]
    assert await client.evalsha(script, 1, f"{key}:count") == 1
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.xadd(key, {"a": "1"}, id="1-0")
        pipeline.hset(f"{key}:hash", mapping={"a": "1"})
        pipeline.expire(f"{key}:hash", 60)
        await pipeline.execute()
    assert await client.xlen(key) == 1
    assert await client.xrange(key)
    assert await client.xrange(key) == await client.xrevrange(key)
    assert (await client.xinfo_stream(key))["length"] == 1
    assert await client.xread({key: "0"}, block=10)
    await client.rename(key, f"{key}:replay")
    assert await client.time()
    assert (await client.info("server"))["server_mode"] == "standalone"
    assert await client.ping()
    assert await client.client_id()


@pytest.mark.parametrize(
    "command",
    [
        "CONFIG GET maxmemory",
        "FLUSHALL",
        "FLUSHDB",
        "KEYS *",
        "SCAN 0",
        "RANDOMKEY",
        "ACL LIST",
        "SHUTDOWN",
        "BGREWRITEAOF",
        "MONITOR",
        "CLIENT KILL TYPE normal",
        "SCRIPT FLUSH",
        "FUNCTION LIST",
        "REPLICAOF NO ONE",
        "SAVE",
        "PUBLISH channel word",
    ],
)
@pytest.mark.parametrize("user", SERVICES)
async def test_a_service_administers_nothing(open_as: Open, user: str, command: str) -> None:
    with pytest.raises(NoPermissionError):
        await open_as(user).execute_command(*command.split())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("user", SERVICES)
async def test_a_script_reaches_no_further_than_its_user(open_as: Open, user: str) -> None:
    with pytest.raises((NoPermissionError, redis.ResponseError), match=r"ACL|permissions|NOPERM"):
        await open_as(user).eval("return redis.call('SET', 'other', '1')", 0)


async def test_nobody_gets_in_without_a_password(servers: PlatformServers) -> None:
    address = servers.operator_redis_url.rpartition("@")[2]
    client = redis.from_url(f"redis://{address}", retry=Retry(NoBackoff(), 0))
    with pytest.raises(AuthenticationError):
        await client.ping()
    await client.aclose()


async def test_the_operator_may_do_everything(open_as: Open) -> None:
    operator = open_as("operator")
    settings = await operator.config_get("append*")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert (await operator.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
    assert {user.split()[1] for user in await operator.acl_list()} == {"default", *VALKEY_USERS}
