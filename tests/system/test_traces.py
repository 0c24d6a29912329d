"""What leaks: before publication nobody is told a candidate's count; of people see test_canary.py.

Runs after the faults, so that what crashes and retries wrote is searched too.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.cli.people import REGISTRY, SCORING, VOTING, Member
from tests.support.waiting import wait_until
from tests.system.places import log_files, metric_lines, valkey_values
from tests.system.town import SERVICES, Town

ROUND, PASSWORD = "secret", "a-canary-password-4711"
MANY = 137
PAGES = ("/", "/rounds", f"/rounds/{ROUND}", "/results", f"/results/{ROUND}", "/notices", f"/notices/{ROUND}",
         "/expert", "/sign-in", "/admin")  # fmt: skip
_LINK = re.compile(r'(?:href|src|action)="(/[^"#]*)"')


def tells(text: str, number: int) -> bool:
    """The number as a word of its own, not as part of a digest or a time."""
    return re.search(rf"(?<![\w./+-])(?<!\d:){number}(?:\.0)?(?![\w/+-]|[.:]\d)", text, re.ASCII) is not None


@pytest.mark.parametrize("text", ['{"votes":137}', "<td>137</td>", "137票", "votes 137.0", "c1,137", "137"])
def test_the_search_finds_the_number(text: str) -> None:
    assert tells(text, 137)


@pytest.mark.parametrize("text", ["a137f", "12:00:01.137", "1137", "127.0.0.1:137", "137px", "2026-137", "0.137"])
def test_the_search_takes_no_part_of_another_word_for_it(text: str) -> None:
    assert not tells(text, 137)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def loaded() -> set[str]:
    return set()


@pytest_asyncio.fixture(loop_scope="session")
async def voted(town: Town, loaded: set[str]) -> AsyncIterator[Town]:
    """An open round in which one candidate has a number of votes that stands out."""
    if not loaded:
        await town.load_round(ROUND, open_for_s=600, grace_s=1)
        form = {"username": "watcher", "name": "专家", "roles": ["expert"], "password": PASSWORD}
        assert (await town.operate("POST", f"{REGISTRY}/staff", form)).status_code == 201
        await town.vote(ROUND, ["c1"], MANY)
        await town.vote(ROUND, ["c2"], 20)
        loaded.add(ROUND)
    await turnout(town, 157)
    yield town


async def turnout(town: Town, at_least: int) -> None:
    async def counted() -> bool:
        answer = (await town.http.get(f"{VOTING}/rounds/{ROUND}/results")).json()
        return bool(answer["turnout"] >= at_least)

    await wait_until(counted, 20, "the ballots are counted")


async def public_answers(town: Town, receipt: str) -> AsyncIterator[tuple[str, str]]:
    """(where, text) of every page and of every GET call of the three services, as the public and as an expert."""
    expert = Member(town.http, "watcher", PASSWORD)
    await expert.sign_in()
    for path in await calls(town, receipt):
        yield path, (await town.http.get(path)).text
        yield f"{path} as expert", (await expert.call("GET", path)).text
    waiting, seen = [*PAGES, f"/receipts/{receipt}"], set[str]()
    while waiting and len(seen) < 80:
        path = waiting.pop()
        if path in seen or path.startswith("/static"):
            continue
        seen.add(path)
        answer = await town.http.get(path, headers={"accept": "text/html"})
        yield path, answer.text
        waiting += _LINK.findall(answer.text)


async def calls(town: Town, receipt: str) -> list[str]:
    """Every GET route of the services' own OpenAPI documents, filled in."""
    filled = {"round_id": ROUND, "candidate": "c1", "receipt": receipt, "version": "1", "name": "x"}
    found = []
    for service in SERVICES:
        document = (await town.http.get(f"/api/{service}/v1/schema/openapi.json")).json()
        for template, methods in document["paths"].items():
            if "get" in methods:
                path = re.sub(r"\{(\w+)[^}]*\}", lambda match: filled.get(match[1], "x"), template)
                found += [path, f"{path}?order=1"] if template.endswith("{round_id}") else [path]
    assert len(found) > 15
    return found


async def outbox_rows(town: Town) -> list[tuple[str, str]]:
    return [
        (f"{service} outbox {row['id']}", bytes(row["body"]).decode())
        for service in SERVICES
        for row in await town.ask(service, "SELECT id, body FROM outbox")
    ]


async def told(town: Town, receipt: str, number: int) -> set[str]:
    """Every place outside the ledger and its tallies that tells the number."""
    found = {where async for where, text in public_answers(town, receipt) if tells(text, number)}
    found |= {where async for where, text in valkey_values(town) if tells(text, number)}
    found |= {where for where, text in await outbox_rows(town) if tells(text, number)}
    found |= {where for where, text in log_files(town) if tells(text, number)}
    return found | {name for name, value in (await metric_lines(town)).items() if float(value) == number}


async def add_one(town: Town) -> str:
    (voter,) = await town.vote(ROUND, ["c1"], 1)
    return voter.receipt


@pytest.mark.timeout(240)
async def test_before_publication_nothing_tells_a_candidates_count(voted: Town) -> None:
    """Looked for three times: what counts ballots or batches goes on when somebody else is voted for."""
    receipt = await add_one(voted)
    await turnout(voted, 158)
    found = await told(voted, receipt, MANY + 1)
    await add_one(voted)
    await turnout(voted, 159)
    found &= await told(voted, receipt, MANY + 2)
    await voted.vote(ROUND, ["c2"], 1)
    await turnout(voted, 160)
    assert found & await told(voted, receipt, MANY + 2) == set()


async def test_no_metric_and_no_log_names_a_candidate(voted: Town) -> None:
    names = [f"c{k}" for k in range(1, 5)] + ["项目"]
    for name in await metric_lines(voted):
        assert not any(re.search(rf'"{word}"', name) for word in names), name
    for where, text in log_files(voted):
        assert "项目1" not in text, where


@pytest.mark.timeout(240)
async def test_sealed_and_proposed_the_count_stays_hidden_until_two_people_publish(voted: Town) -> None:
    """Sealing hands the tally to scoring; the public and the experts see nothing of it yet."""
    receipt = await add_one(voted)
    closed = await voted.operate("POST", f"{REGISTRY}/rounds/{ROUND}/close", {"reason": "演练"})
    assert closed.status_code == 200

    async def proposed() -> bool:
        return (await voted.operate("POST", f"{SCORING}/rounds/{ROUND}/rankings", {})).status_code in (200, 201)

    await wait_until(proposed, 30, "the tally is sealed and a ranking can be proposed", 0.3)
    (row,) = await voted.ask(
        "voting", "SELECT votes FROM running_tallies AS t JOIN rounds AS r ON r.number = t.round_number"
        " WHERE r.round = $1 ORDER BY votes DESC LIMIT 1", ROUND,
    )  # fmt: skip

    async def sealed() -> bool:
        return await voted.state(ROUND) == "sealed"

    await wait_until(sealed, 5, "every voting worker knows of the seal")
    where = await told(voted, receipt, int(row["votes"]))
    # A metric may have this value by chance; anything else may not.
    assert {each for each in where if not re.match(r"(registry|voting|scoring): ", each)} == set()
    results = (await voted.http.get(f"{VOTING}/rounds/{ROUND}/results")).json()
    assert "candidates" not in results


async def test_receipts_and_ballots_lead_nowhere_together(voted: Town) -> None:
    """A receipt's answer names no candidate and nothing that could be joined with one."""
    receipt = await add_one(voted) if await voted.state(ROUND) == "open" else (await one_receipt(voted))
    answer = (await voted.http.get(f"{VOTING}/receipts/{receipt}")).json()
    assert set(answer) <= {"state", "recorded_at", "round", "reason"}


async def one_receipt(town: Town) -> str:
    from services.voting.receipts import receipt_text

    (row,) = await town.ask("voting", "SELECT receipt FROM ballots LIMIT 1")
    return receipt_text(row["receipt"])


def test_files_of_the_home_are_private(town: Town) -> None:
    folder = Path(town.platform.home.folder)
    open_ones = [
        str(path.relative_to(folder)) for path in [*folder.glob("*"), *folder.glob("keys/**/*"), *folder.glob("logs/*")]
        if path.stat().st_mode & 0o077
    ]  # fmt: skip
    assert open_ones == []
