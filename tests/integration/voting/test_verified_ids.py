"""Rounds that ask for a verified ID: the person is the ID, however it is spelled and whichever phone asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from services.cli.audit import violations
from services.cli.people import Citizen
from tests.integration.voting.conftest import Voting
from tests.integration.voting.identity_bureau import KEY_ID, SECRET, Bureau
from tests.support.local_server import Reply, serving
from tests.support.national_ids import made_up_id
from tests.support.rounds import round_message, rules_text
from tests.support.waiting import wait_until

RULE = 'choices_min = 1\nchoices_max = 3\nidentity = "phone_and_id"\n'
CONSENT = "2026-11"


@pytest.fixture
def bureau() -> Bureau:
    return Bureau()


@pytest.fixture
def more_settings() -> dict[str, object]:
    return {}


@pytest.fixture
async def settings_changes(
    bureau: Bureau, tmp_path: Path, more_settings: dict[str, object]
) -> AsyncIterator[dict[str, object]]:
    secret = tmp_path / "three-factor"
    secret.write_bytes(SECRET)
    async with serving(bureau) as server:
        yield {
            "identity_provider": "three_factor",
            "identity_url": f"{server.url}/v1/verify",
            "identity_key_id": KEY_ID,
            "identity_secret_file": str(secret),
            **more_settings,
        }


@pytest.fixture
async def id_round(voting: Voting) -> Voting:
    await voting.add_round(round_message(rules_text(ballot=RULE)))
    return voting


async def attempt(citizen: Citizen, national_id: str, name: str = "王某", **changes: Any) -> httpx.Response:
    """Ask for a code and prove it together with an ID."""
    asked = (await citizen.ask_code()).raise_for_status().json()
    code = await citizen.newest_code()
    form = {"national_id": national_id, "name": name, "consent_id": CONSENT, "adult": True, **changes}
    answer = await citizen.prove(asked["request"], code, **form)
    if answer.status_code == 201:
        citizen.token = answer.json()["token"]
    return answer


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("reason", "")


async def test_a_verified_person_votes_once_whatever_the_spelling(id_round: Voting, bureau: Bureau) -> None:
    citizen, number = id_round.citizen(), made_up_id()
    bureau.know("王某", number, citizen.phone)
    assert (await attempt(citizen, number)).status_code == 201
    assert (await citizen.vote(["c1"])).status_code == 201
    again = id_round.citizen(phone=f"+86 {citizen.phone}")
    again.headers = {"x-forwarded-for": "203.0.113.4"}
    assert (await attempt(again, f" {number[:6]} {number[6:].lower()}", "王 某")).status_code == 201
    assert refused(await again.vote(["c2"])) == (409, "already_voted")
    assert await violations({"voting": id_round.database.app_url}) == []


@pytest.mark.parametrize(
    ("national_id", "changes", "expected"),
    [
        ("11010519491231002", {}, (422, "bad_national_id")),
        ("110105491231002", {}, (422, "bad_national_id")),
        ("110105194912310021", {}, (422, "bad_national_id")),
        ("", {}, (422, "bad_national_id")),
        (made_up_id(), {"consent_id": ""}, (422, "consent_missing")),
        (made_up_id(), {"consent_id": "1999-01"}, (422, "consent_missing")),
        (made_up_id(), {"name": "  "}, (422, "bad_form")),
        (made_up_id(), {"name": "王" * 61}, (422, "bad_form")),
        (made_up_id(), {"adult": False}, (403, "too_young")),
        (made_up_id("20150101"), {}, (403, "too_young")),
    ],
)
async def test_what_cannot_be_is_refused_without_asking_anybody(
    id_round: Voting, bureau: Bureau, national_id: str, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    citizen = id_round.citizen()
    asked = (await citizen.ask_code()).json()
    code = await citizen.newest_code()
    form = {"national_id": national_id, "name": "王某", "consent_id": CONSENT, **changes}
    assert refused(await citizen.prove(asked["request"], code, **form)) == expected
    assert bureau.asked == 0


async def test_a_code_stays_good_after_a_slip_of_the_pen(id_round: Voting, bureau: Bureau) -> None:
    citizen, number = id_round.citizen(), made_up_id()
    bureau.know("王某", number, citizen.phone)
    request = (await citizen.ask_code()).json()["request"]
    code, form = await citizen.newest_code(), {"name": "王某", "consent_id": CONSENT}
    assert refused(await citizen.prove(request, code, national_id=number[:-1], **form))[1] == "bad_national_id"
    assert (await citizen.prove(request, code, national_id=number, **form)).status_code == 201


async def test_what_does_not_belong_together_is_a_conflict(id_round: Voting, bureau: Bureau) -> None:
    number = made_up_id()
    bureau.know("王某", number, "13900000000")
    assert refused(await attempt(id_round.citizen(), number)) == (409, "identity_conflict")
    assert refused(await attempt(id_round.citizen(), made_up_id())) == (409, "identity_conflict")


async def test_a_code_in_hand_is_no_licence_to_guess_ids(id_round: Voting, bureau: Bureau) -> None:
    citizen = id_round.citizen()
    request = (await citizen.ask_code()).json()["request"]
    code = await citizen.newest_code()
    forms = [{"national_id": made_up_id(), "name": "王某", "consent_id": CONSENT} for _ in range(9)]
    answers = await asyncio.gather(*(citizen.prove(request, code, **form) for form in forms))
    assert sorted(answer.status_code for answer in answers) == [409] * 5 + [429] * 4
    assert bureau.asked == 5


async def test_two_phones_that_race_with_one_id_are_one_person(id_round: Voting, bureau: Bureau) -> None:
    number, citizens = made_up_id(), [id_round.citizen() for _ in range(6)]
    bureau.know("王某", number, *(citizen.phone for citizen in citizens))
    answers = await asyncio.gather(*(attempt(citizen, number) for citizen in citizens))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    bound = await id_round.context.pool.fetchval("SELECT count(*) FROM identities")
    assert bound == 1


async def test_as_many_people_share_a_phone_as_the_rules_let(voting: Voting, bureau: Bureau) -> None:
    await voting.add_round(round_message(rules_text(ballot=RULE + "persons_per_phone = 2\n")))
    phone, numbers = voting.citizen().phone, [made_up_id() for _ in range(4)]
    citizens = [voting.citizen(phone=phone) for _ in numbers]
    proofs = []
    for place, (citizen, number) in enumerate(zip(citizens, numbers, strict=True)):
        bureau.know("王某", number, phone)
        # Each asks from elsewhere: one after the other, since the newest code is read back.
        citizen.headers = {"x-forwarded-for": f"203.0.113.{place + 1}"}
        if place < 2:
            request = (await citizen.ask_code()).json()["request"]
            proofs.append((citizen, request, await citizen.newest_code(), number))
    first, second = proofs
    form = {"name": "王某", "consent_id": CONSENT}
    race = [
        first[0].prove(first[1], first[2], national_id=numbers[0], **form),
        second[0].prove(second[1], second[2], national_id=numbers[1], **form),
    ]
    assert [answer.status_code for answer in await asyncio.gather(*race)] == [201, 201]
    assert refused(await attempt(citizens[2], numbers[2])) == (409, "identity_conflict")
    assert await voting.context.pool.fetchval("SELECT array_agg(place ORDER BY place) FROM identities") == [1, 2]


@pytest.mark.parametrize("mishap", [Reply({}, 503), Reply({}, 429, {"retry-after": "0"}), Reply({}, 500)])
async def test_a_stumbling_provider_is_asked_again(id_round: Voting, bureau: Bureau, mishap: Reply) -> None:
    citizen, number = id_round.citizen(), made_up_id()
    bureau.know("王某", number, citizen.phone)
    bureau.mishaps.append(mishap)
    assert (await attempt(citizen, number)).status_code == 201
    assert bureau.asked == 2


@pytest.mark.parametrize("more_settings", [{"identity_retries": 1}])
@pytest.mark.parametrize("mishap", [Reply({}, 503), Reply({}, 403), Reply(b"<html>"), Reply({"result": "perhaps"})])
async def test_a_provider_that_cannot_say_is_unavailable_and_a_try_is_left(
    id_round: Voting, bureau: Bureau, mishap: Reply
) -> None:
    citizen, number = id_round.citizen(), made_up_id()
    bureau.know("王某", number, citizen.phone)
    bureau.mishaps += [mishap, mishap] if mishap.status == 503 else [mishap]
    request = (await citizen.ask_code()).json()["request"]
    code, form = await citizen.newest_code(), {"national_id": number, "name": "王某", "consent_id": CONSENT}
    answer = await citizen.prove(request, code, **form)
    assert refused(answer) == (503, "identity_unavailable")
    assert int(answer.headers["retry-after"]) == answer.json()["retry_after_s"]
    assert (await citizen.prove(request, code, **form)).status_code == 201


@pytest.mark.parametrize("more_settings", [{"identity_timeout_s": 3.0, "pool_max": 2}])
async def test_a_provider_that_hangs_holds_no_connection(id_round: Voting, bureau: Bureau) -> None:
    """Five wait for the provider on a pool of two, and a sixth is told to go on meanwhile."""
    bureau.hanging.clear()
    waiting = [asyncio.create_task(attempt(id_round.citizen(), made_up_id())) for _ in range(5)]
    await wait_until(lambda: bureau.asked == 5, 10, "all five wait for the provider")
    assert (await id_round.citizen().ask_code()).status_code == 202
    assert not any(task.done() for task in waiting)
    answers = await asyncio.gather(*waiting)
    bureau.hanging.set()
    assert {refused(answer) for answer in answers} == {(503, "identity_unavailable")}


async def test_neither_id_nor_name_is_kept(id_round: Voting, bureau: Bureau) -> None:
    citizen, number = id_round.citizen(), made_up_id()
    bureau.know("欧阳某某", number, citizen.phone)
    assert (await attempt(citizen, number, "欧阳某某")).status_code == 201
    await citizen.vote(["c1"])
    connection = await asyncpg.connect(id_round.database.owner_url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in tables:
            rows = str([tuple(row) for row in await connection.fetch(f'SELECT t::text FROM "{table}" AS t')])
            assert not any(word in rows for word in (number, "欧阳某某", citizen.phone)), table
    finally:
        await connection.close()


async def test_a_bond_is_never_changed(id_round: Voting, bureau: Bureau) -> None:
    citizen, number = id_round.citizen(), made_up_id()
    bureau.know("王某", number, citizen.phone)
    await attempt(citizen, number)
    connection = await asyncpg.connect(id_round.database.owner_url)
    try:
        for statement in ("UPDATE identities SET place = 2", "DELETE FROM identities"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("more_settings", [{"identity_provider": ""}])
async def test_without_a_provider_nobody_is_sent_a_code_for_such_a_round(id_round: Voting) -> None:
    citizen = id_round.citizen()
    answer = await citizen.ask_code()
    assert refused(answer) == (503, "identity_unavailable")
    assert "nobody here is set up" in answer.json()["detail"]
