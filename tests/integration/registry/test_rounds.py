"""Rounds: frozen before voting opens, once, with everything that was wrong told at once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.cli.audit import violations
from services.cli.rounds import read_folder
from services.registry.rounds import freezing, store
from services.shared.messages import (
    REGISTRY_ROUNDS,
    VOTING_TALLIES,
    VOTING_WINDOWS,
    Message,
    Party,
    ReopenedMessage,
    RoundEvent,
    RoundMessage,
    TallyMessage,
    WindowMessage,
    encode,
)
from services.shared.outbox import heartbeat_key
from services.shared.ranking.rules import parse_rules
from tests.integration.registry.conftest import Registry, simple_files
from tests.support.waiting import wait_until

SHIPPED = Path(__file__).parents[3] / "deploy" / "rounds"
SEED = "a seed of lots"


def with_lots(files: dict[str, str]) -> dict[str, str]:
    commitment = hashlib.sha256(SEED.encode()).hexdigest()
    lots = f'tie_break = ["votes", "lots"]\nlots_commitment = "{commitment}"\n'
    return {**files, "rules.toml": files["rules.toml"] + lots, "reveal.toml": f'lots_seed = "{SEED}"\n'}


async def rounds_sent(registry: Registry, count: int) -> list[RoundMessage]:
    return [m for m in await registry.sent(REGISTRY_ROUNDS, count) if isinstance(m, RoundMessage)]


async def test_a_loaded_round_is_frozen_under_the_digest_of_its_rules(registry: Registry) -> None:
    files = simple_files()
    loaded = await registry.load(files)
    assert loaded.status_code == 201, loaded.text
    body = loaded.json()
    assert body["digest"] == hashlib.sha256(files["rules.toml"].encode()).hexdigest()
    assert (body["round"], body["version"], body["candidates"]) == ("small", 1, 6)
    [message] = await rounds_sent(registry, 1)
    assert message.candidates[0].parties == [Party("lead", message.candidates[0].unit)]
    assert (message.digest, message.rules, message.lots_seed) == (body["digest"], files["rules.toml"], "")
    assert [event.event for event in message.events] == ["frozen", "numbers_drawn"]


async def test_candidate_numbers_can_be_drawn_again_by_anybody(registry: Registry) -> None:
    await registry.load(simple_files())
    facts = (await registry.call("GET", "/rounds/small", "")).json()
    seed = facts["number_seed"]
    assert {"event": "numbers_drawn", "detail": seed}.items() <= facts["events"][1].items()
    ids = [f"c{k}" for k in range(1, 7)]
    drawn = sorted(ids, key=lambda each: hashlib.sha256(f"{seed}:{each}".encode()).hexdigest())
    assert [card["candidate"] for card in facts["candidates"]] == drawn
    assert [card["number"] for card in facts["candidates"]] == [1, 2, 3, 4, 5, 6]


async def test_the_same_files_again_are_the_same_round(registry: Registry) -> None:
    files = simple_files()
    first, second = await registry.load(files), await registry.load(files)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


async def test_two_loads_at_once_freeze_one_round(registry: Registry) -> None:
    files = simple_files()
    answers = await asyncio.gather(*(registry.load(files) for _ in range(4)))
    assert sorted(each.status_code for each in answers) == [200, 200, 200, 201]
    assert len({each.json()["number_seed"] for each in answers}) == 1


async def test_other_content_under_a_known_id_is_refused(registry: Registry) -> None:
    files = simple_files()
    await registry.load(files)
    changed = {**files, "candidates.csv": files["candidates.csv"].replace("项目1", "别的")}
    for again in (await registry.load(changed), await registry.load(files, open_for_s=60)):
        assert (again.status_code, again.json()["reason"]) == (409, "round_exists")
    assert len(await rounds_sent(registry, 1)) == 1


async def test_a_round_whose_voting_has_begun_cannot_be_frozen(registry: Registry) -> None:
    late = await registry.load(simple_files(opens_in_s=-1))
    assert (late.status_code, late.json()["reason"]) == (409, "too_late")
    assert "--open-for" in late.json()["detail"]
    assert (await registry.call("GET", "/rounds", "")).json() == {"rounds": []}


async def test_open_for_rewrites_the_windows_and_nothing_else(registry: Registry) -> None:
    files = simple_files(opens_in_s=-86_400)
    body = (await registry.load(files, open_for_s=600)).json()
    assert body["digest"] == hashlib.sha256(body["rules"].encode()).hexdigest()
    windows = parse_rules(body["rules"].encode()).windows
    assert windows.voting is not None
    assert windows.voting == windows.scoring
    frozen_at = datetime.fromisoformat((await registry.call("GET", "/rounds/small", "")).json()["frozen_at"])
    assert 1 <= (windows.voting.opens - frozen_at).total_seconds() <= 2
    assert (windows.voting.closes - windows.voting.opens).total_seconds() == 600
    assert windows.voting.opens.microsecond == 0
    assert str(windows.voting.opens.utcoffset()) == "8:00:00"
    kept = [line for line in files["rules.toml"].splitlines() if not line.startswith("voting")]
    assert [line for line in body["rules"].splitlines() if not line.startswith(("voting", "scoring"))] == kept


async def test_every_mistake_is_told_and_nothing_is_stored(registry: Registry) -> None:
    files = read_folder(SHIPPED / "kunming-2021")
    files["applications/K01.toml"] = files["applications/K01.toml"].replace('level = "major"', 'level = "huge"')
    files["applications/K02.toml"] = files["applications/K02.toml"].replace("[sections]", "nonsense = 1\n[sections]")
    files["rules.toml"] += "\n[surprise]\n"
    refused = await registry.load(files, open_for_s=60)
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_round")
    problems: list[dict[str, Any]] = refused.json()["problems"]
    assert {each["file"] for each in problems} == {"rules.toml", "applications/K01.toml", "applications/K02.toml"}
    assert all(each["line"] and each["reason"] for each in problems)
    assert (await registry.call("GET", "/rounds", "")).json() == {"rounds": []}


async def test_verified_ids_need_somebody_who_verifies_them(registry: Registry) -> None:
    files = simple_files()
    files["rules.toml"] = files["rules.toml"].replace("[ballot]", '[ballot]\nidentity = "phone_and_id"')
    refused = await registry.load(files)
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_round")
    [problem] = refused.json()["problems"]
    assert files["rules.toml"].splitlines()[problem["line"] - 1] == 'identity = "phone_and_id"'
    assert (await registry.call("GET", "/rounds", "")).json() == {"rounds": []}


@pytest.mark.parametrize("name", ["kunming-2021", "kunming-2020-pilot", "small"])
async def test_the_shipped_rounds_load(registry: Registry, name: str) -> None:
    loaded = await registry.load(read_folder(SHIPPED / name), open_for_s=60)
    assert loaded.status_code == 201, loaded.text
    [message] = await rounds_sent(registry, 1)
    assert len(message.candidates) == loaded.json()["candidates"]
    if name != "small":
        assert all(card.summary and card.channel_title for card in message.candidates)
        assert len(message.criteria) == 5
        assert message.experts


@pytest.mark.parametrize("actor", ["", "xu", "safe"])
async def test_only_administrators_freeze_and_close(registry: Registry, actor: str) -> None:
    await registry.add_staff("xu", "expert")
    await registry.add_staff("safe", "security_administrator")
    status = 403 if actor else 401
    assert (await registry.load(simple_files(), actor)).status_code == status
    await registry.load(simple_files())
    closed = await registry.call("POST", "/rounds/small/close", actor, json={"reason": "x"})
    assert closed.status_code == status


async def test_closing_early_is_published_with_its_reason(registry: Registry) -> None:
    await registry.load(simple_files())
    early = await registry.call("POST", "/rounds/small/close", json={"reason": "还没开始"})
    assert (early.status_code, early.json()["reason"]) == (409, "not_open")
    registry.pass_time(3700)
    nameless = await registry.call("POST", "/rounds/small/close", json={"reason": " "})
    assert (nameless.status_code, nameless.json()["reason"]) == (422, "reason_missing")
    closed = await registry.call("POST", "/rounds/small/close", json={"reason": "演练结束"})
    assert closed.status_code == 200
    message = (await rounds_sent(registry, 2))[-1]
    assert message.closed_early_at == datetime.fromisoformat(closed.json()["closed_early_at"])
    assert (message.events[-1].event, message.events[-1].detail) == ("closed", "演练结束")
    again = await registry.call("POST", "/rounds/small/close", json={"reason": "x"})
    assert (again.status_code, again.json()["reason"]) == (409, "already_closed")


async def test_closing_takes_effect_only_after_voting_can_know(registry: Registry) -> None:
    """A ballot acknowledged between the click and its arrival at voting must not turn out to be late."""
    await registry.load(simple_files())
    registry.pass_time(3700)
    before = registry.parts.clock.now()
    closed = (await registry.call("POST", "/rounds/small/close", json={"reason": "演练结束"})).json()
    assert 2 <= (datetime.fromisoformat(closed["closed_early_at"]) - before).total_seconds() <= 5
    assert closed["phase"] == "open"


async def test_the_seed_of_lots_stays_secret_until_voting_closed(registry: Registry) -> None:
    assert (await registry.load(with_lots(simple_files()))).status_code == 201
    [first] = await rounds_sent(registry, 1)
    assert SEED not in str(first)
    assert SEED not in (await registry.call("GET", "/rounds/small")).text
    registry.pass_time(3700)
    await registry.call("POST", "/rounds/small/close", json={"reason": "x"})
    assert (await rounds_sent(registry, 2))[-1].lots_seed == ""
    registry.pass_time(10)
    revealed = (await rounds_sent(registry, 3))[-1]
    assert (revealed.lots_seed, revealed.events[-1].event) == (SEED, "lots_revealed")


OUTAGE = '[outage]\nsuccess_below = "0.9"\nfor_minutes = 10\nwithin_last_hours = 1\nextend_minutes = 120\n'


def extendable_files() -> dict[str, str]:
    files = with_lots(simple_files())
    return {**files, "rules.toml": files["rules.toml"] + OUTAGE}


async def test_the_seed_of_lots_waits_for_the_seal_where_an_outage_may_extend_the_vote(registry: Registry) -> None:
    """Voting alone knows of an extension: the rules' closing moment says nothing here, its sealed tally does."""
    assert (await registry.load(extendable_files())).status_code == 201
    registry.pass_time(3 * 3600)
    pool = registry.parts.pool
    assert await freezing.reveal_once(pool, registry.parts.clock.now()) == 0
    assert [each.lots_seed for each in await rounds_sent(registry, 1)] == [""]
    await seal(registry, "small", registry.parts.clock.now())
    revealed = (await rounds_sent(registry, 2))[-1]
    assert (revealed.lots_seed, revealed.events[-1].event) == (SEED, "lots_revealed")
    assert await violations({"registry": registry.database.app_url}) == []


async def test_a_round_closed_by_hand_is_not_extended_and_its_seed_waits_for_nothing(registry: Registry) -> None:
    await registry.load(extendable_files())
    registry.pass_time(3700)
    await registry.call("POST", "/rounds/small/close", json={"reason": "x"})
    registry.pass_time(10)
    assert (await rounds_sent(registry, 3))[-1].lots_seed == SEED


async def test_a_window_that_voting_extended_is_open_here_too_and_may_be_closed_by_hand(registry: Registry) -> None:
    """Told over the stream, in order, again and for a round that is unknown here; the moment in force is the newest."""
    await registry.load(extendable_files())
    round_ = await store.require_round(registry.parts.pool, "small")
    assert round_.voting_closes_at is not None
    ends = [round_.voting_closes_at + timedelta(hours=2 * k) for k in (1, 2)]
    event = RoundEvent(round_.voting_closes_at, "extension", "延长")
    told = [WindowMessage("small", k, at, event) for k, at in enumerate(ends, start=1)]
    await publish(registry, VOTING_WINDOWS, [*told, told[0], WindowMessage("elsewhere", 1, ends[0], event)])

    async def known() -> bool:
        return len((await store.require_round(registry.parts.pool, "small")).extensions) == 2

    await wait_until(known, 10, "the registry knows both extensions")
    registry.pass_time((ends[1] - registry.parts.clock.now()).total_seconds() - 60)
    facts = (await registry.call("GET", "/rounds/small")).json()
    assert facts["phase"] == "open"
    assert [each["event"] for each in facts["events"]].count("extension") == 2
    assert all(each.event != "extension" for each in (await rounds_sent(registry, 1))[-1].events)
    closed = await registry.call("POST", "/rounds/small/close", json={"reason": "x"})
    assert closed.status_code == 200, closed.text
    kept = await registry.parts.pool.fetchval("SELECT count(*) FROM log_entries WHERE action = 'round.extended'")
    assert kept == 2
    assert await violations({"registry": registry.database.app_url}) == []


async def test_a_sealed_round_without_lots_or_unknown_here_changes_nothing(registry: Registry) -> None:
    await registry.load(simple_files())
    async with registry.parts.pool.acquire() as connection:
        for round_id in ("small", "elsewhere"):
            at = registry.parts.clock.now()
            await freezing.apply_tally(connection, TallyMessage(round_id, 1, "", at, b""))
    assert len(await rounds_sent(registry, 1)) == 1


async def seal(registry: Registry, round_id: str, at: datetime) -> None:
    """What voting tells when it has sealed a round; the content is for scoring only."""
    # What happens to ballots after the seal is told in the same stream and concerns scoring alone.
    sealed: list[Message] = [
        TallyMessage(round_id, 1, "digest", at, b"unreadable"),
        ReopenedMessage(round_id, 1, 1, 0, 0),
    ]
    await publish(registry, VOTING_TALLIES, sealed)


async def publish(registry: Registry, stream: str, messages: Sequence[Message]) -> None:
    """What voting's relay does."""
    at = registry.parts.clock.now().isoformat()
    await registry.redis.hset(heartbeat_key(stream), mapping={"n": len(messages), "at": at})
    for n, message in enumerate(messages, start=1):
        await registry.redis.xadd(stream, {"body": encode(message)}, id=f"{n}-0")


async def test_a_seed_that_does_not_belong_to_the_commitment_is_refused(registry: Registry) -> None:
    files = with_lots(simple_files())
    refused = await registry.load({**files, "reveal.toml": 'lots_seed = "another"\n'})
    assert refused.status_code == 422
    [problem] = refused.json()["problems"]
    assert (problem["file"], problem["line"]) == ("reveal.toml", 1)


async def test_nobody_changes_a_frozen_round_not_even_the_owner(registry: Registry) -> None:
    await registry.load(with_lots(simple_files()))
    owner = await asyncpg.connect(registry.database.owner_url)
    try:
        for table in ("rounds", "round_secrets", "round_files", "candidates", "round_events"):
            for statement in (f"UPDATE {table} SET round = 'x'", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
                with pytest.raises(asyncpg.RestrictViolationError):
                    await owner.execute(statement)
    finally:
        await owner.close()


async def test_the_whole_application_is_for_those_who_judge_it(registry: Registry) -> None:
    await registry.load(read_folder(SHIPPED / "kunming-2021"), open_for_s=60)
    for username, role, more in (
        ("expert1", "expert", {}),
        ("stranger", "expert", {}),
        ("eve", "auditor", {}),
        ("near", "channel_officer", {"channel": "wuhua"}),
        ("far", "channel_officer", {"channel": "panlong"}),
        ("keys", "security_administrator", {}),
    ):
        await registry.add_staff(username, role, **more)
    path = "/rounds/kunming-2021/applications/K01"
    seen = {
        who: "application" in (await registry.call("GET", path, who)).json()
        for who in ("", "expert1", "stranger", "eve", "near", "far", "keys")
    }
    assert seen == {
        "": False, "expert1": True, "stranger": False, "eve": True, "near": True, "far": False, "keys": False,
    }  # fmt: skip
    whole = (await registry.call("GET", path, "expert1")).json()
    assert whole["number"] > 0
    assert set(whole["application"]["sections"]) == {
        "need_analysis", "work_plan", "innovation_analysis", "contingencies",
    }  # fmt: skip
    assert whole["application"]["budget"][0]["amount"].count(".") == 1
    [message] = await rounds_sent(registry, 1)
    [card] = [each for each in message.candidates if each.candidate == "K01"]
    assert [(each.role, each.name) for each in card.parties] == [
        ("lead", "五华区翠屏街道办事处"), ("partner", "滇中社区治理研究院"), ("partner", "昆明同心物业服务促进会"),
    ]  # fmt: skip
    assert "parties" not in (await registry.call("GET", path, "")).json()


@pytest.mark.parametrize("path", ["/rounds/nothing", "/rounds/a%00b", "/rounds/small/applications/none"])
async def test_what_is_unknown_is_said_to_be_unknown(registry: Registry, path: str) -> None:
    await registry.load(simple_files())
    answer = await registry.call("GET", path, "")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["reason"] in ("unknown_round", "unknown_candidate")


async def test_a_wiped_stream_is_filled_again(registry: Registry) -> None:
    await registry.load(simple_files())
    await rounds_sent(registry, 1)
    await registry.redis.flushall()
    await wait_until(lambda: _filled(registry), 10, "the stream is written anew")


async def _filled(registry: Registry) -> bool:
    return bool(await registry.redis.xlen(REGISTRY_ROUNDS) == 1)
