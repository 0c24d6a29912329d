"""A published ranking becomes a list version with its public notice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.shared.messages import REGISTRY_ROUNDS, SCORING_RANKINGS, RankingMessage, RoundMessage, encode
from services.shared.outbox import heartbeat_key
from tests.integration.registry.conftest import Registry, simple_files
from tests.support.waiting import wait_until

SELECTION = "\n[selection]\nplaces = { all = 2 }\nreserve = 1\n"
HEADER = "group,place,candidate,total,vote_points,expert_points,tie_break,outcome\n"
RANKING = (
    HEADER + "all,1,c3,9,9,,,selected\nall,2,c1,8,8,,,selected\nall,3,c2,7,7,,,reserve\n"
    "all,4,c4,6,6,,,\nall,5,c5,5,5,,,\nall,6,c6,4,4,,,\n"
)
CHANGED = RANKING.replace("c3", "cx").replace("c1", "c3").replace("cx", "c1")


async def publish(registry: Registry, digest: str, version: int = 1, text: str = RANKING, **changes: Any) -> None:
    """What scoring's relay would put into its stream."""
    fields: dict[str, Any] = {
        "round": "small",
        "version": version,
        "published_at": datetime(2020, 9, 30, 4, 0, tzinfo=UTC),
        "published_by": ["ann", "bob"],
        "rules_digest": digest,
        "tally_digest": "t" * 64,
        "ranking_csv": text,
    }
    message = RankingMessage(**{**fields, **changes})
    number = await registry.redis.xlen(SCORING_RANKINGS) + 1
    await registry.redis.xadd(SCORING_RANKINGS, {"body": encode(message)}, id=f"{number}-0")
    at = datetime.now(UTC).isoformat()
    await registry.redis.hset(heartbeat_key(SCORING_RANKINGS), mapping={"n": number, "at": at})
    query = "SELECT n FROM stream_checkpoints WHERE stream = $1"

    async def applied() -> bool:
        return bool(await registry.parts.pool.fetchval(query, SCORING_RANKINGS) == number)

    await wait_until(applied, 10, f"ranking message {number} is applied")


async def loaded(registry: Registry, more: str = SELECTION) -> str:
    answer = await registry.load(simple_files(more=more))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["digest"])


async def test_the_list_holds_who_is_selected_and_in_reserve(registry: Registry) -> None:
    digest = await loaded(registry)
    await publish(registry, digest)
    facts = (await registry.call("GET", "/rounds/small", "")).json()
    assert (facts["list_version"], facts["ranking_version"], facts["phase"]) == (1, 1, "published")
    query = "SELECT candidate, outcome FROM list_entries ORDER BY position"
    rows = [tuple(row) for row in await registry.parts.pool.fetch(query)]
    assert rows == [("c3", "selected"), ("c1", "selected"), ("c2", "reserve")]
    messages = [m for m in await registry.sent(REGISTRY_ROUNDS, 2) if isinstance(m, RoundMessage)]
    assert [m.tally_digest for m in messages] == ["", "t" * 64]
    assert (messages[-1].list_version, messages[-1].ranking_version) == (1, 1)
    assert messages[-1].events[-1].event == "published"


async def test_without_selection_the_list_is_the_whole_ranking(registry: Registry) -> None:
    digest = await loaded(registry, more="")
    await publish(registry, digest)
    assert await registry.parts.pool.fetchval("SELECT count(*) FROM list_entries") == 6


async def test_the_notice_names_list_window_contact_and_digest(registry: Registry) -> None:
    digest = await loaded(registry)
    before = await registry.http.get("/notices/small", headers={"accept": "text/html"})
    assert (before.status_code, "还没有公示" in before.text) == (404, True)
    await publish(registry, digest)
    page = (await registry.http.get("/notices/small")).text
    assert all(text in page for text in ("项目3", "项目1", "项目2", digest, "12345", "/results/small"))
    assert "项目5" not in page
    # Published on 2020-09-30: the holiday lasts to 10-08, Saturday 10-10 is worked, so the fifth day is 10-14.
    assert "2020-10-01 00:00" in page
    assert "2020-10-15 00:00" in page
    assert "/notices/small" in (await registry.http.get("/notices")).text


async def test_a_new_ranking_is_a_new_version_and_the_old_one_stays(registry: Registry) -> None:
    digest = await loaded(registry)
    await publish(registry, digest)
    await publish(registry, digest, 2, CHANGED)
    newest = (await registry.http.get("/notices/small")).text
    older = (await registry.http.get("/notices/small?version=1")).text
    assert newest.index("项目1") < newest.index("项目3")
    assert older.index("项目3") < older.index("项目1")
    assert "?version=1" in newest
    assert (await registry.http.get("/notices/small?version=9")).status_code == 404


async def test_a_ranking_is_applied_once(registry: Registry) -> None:
    digest = await loaded(registry)
    await publish(registry, digest)
    await publish(registry, digest)
    assert await registry.parts.pool.fetchval("SELECT count(*) FROM lists") == 1


async def test_a_ranking_by_other_rules_or_of_nobody_makes_no_list(registry: Registry) -> None:
    digest = await loaded(registry)
    await publish(registry, "0" * 64)
    await publish(registry, digest, round="nowhere")
    await publish(registry, digest, text="this is no ranking")
    await publish(registry, digest, text=HEADER + "all,1,stranger,9,9,,,selected\n")
    assert await registry.parts.pool.fetchval("SELECT count(*) FROM lists") == 0
    await publish(registry, digest)
    assert await registry.parts.pool.fetchval("SELECT count(*) FROM lists") == 1
