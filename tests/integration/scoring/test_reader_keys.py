"""Observers' keys: shown once, kept as a hash, for what is published and nothing else, withdrawn at any time."""

from __future__ import annotations

import httpx
import pytest

from tests.integration.scoring.conftest import Scoring, scored_rules

RANKINGS = "/rounds/small/rankings"


@pytest.fixture
async def guarded(office: Scoring) -> Scoring:
    """The office with a security administrator, and a ranking that is proposed."""
    await office.add_staff("sec", "security_administrator")
    await office.add_round(scored_rules(votes="0", experts="1"), count=1, experts=["xu"])
    await office.score("xu", "c1", "90", "80")
    assert (await office.call("POST", RANKINGS, "ann")).status_code == 201
    return office


async def made(office: Scoring) -> dict[str, str]:
    answer = await office.call("POST", "/keys", "sec", json={"name": " 春城晚报 "})
    assert answer.status_code == 201, answer.text
    return {"authorization": f"Bearer {answer.json()['key']}"}


async def test_a_key_reads_what_is_published_and_nothing_else(guarded: Scoring) -> None:
    key = await made(guarded)
    hidden = await guarded.call("GET", f"{RANKINGS}/1", headers=key)
    assert (hidden.status_code, hidden.json()["reason"]) == (404, "unknown_ranking")
    assert (await guarded.call("POST", f"{RANKINGS}/1/confirmations", "bob")).status_code == 201
    paths = ("", "/1", "/1.csv", "/1.pdf", "/1/rows", "/1/compare/1")
    for path in (*(f"{RANKINGS}{end}" for end in paths), "/rounds/small/bundle.zip"):
        assert (await guarded.call("GET", path, headers=key)).status_code == 200, path
    for path in (
        "/rounds/small/state",
        "/rounds/small/sheets",
        "/rounds/small/pool",
        "/keys",
        f"{RANKINGS}/1/own-sheets",
    ):
        assert (await guarded.call("GET", path, headers=key)).status_code == 401, path


async def test_a_withdrawn_or_mistyped_key_is_told_so(guarded: Scoring) -> None:
    key = await made(guarded)
    assert (await guarded.call("POST", f"{RANKINGS}/1/confirmations", "bob")).status_code == 201
    assert (await guarded.call("GET", RANKINGS, headers=key)).status_code == 200
    withdrawn = await guarded.call("POST", "/keys/1/withdrawals", "sec")
    assert (withdrawn.status_code, withdrawn.json()["state"]) == (201, "withdrawn")
    again = (await guarded.call("POST", "/keys/1/withdrawals", "sec")).json()
    assert again["withdrawn_at"] == withdrawn.json()["withdrawn_at"]
    for token in (key, {"authorization": "Bearer pxr_x"}):
        for path in (RANKINGS, f"{RANKINGS}/1.csv", "/rounds/small/bundle.zip"):
            refused = await guarded.call("GET", path, headers=token)
            assert (refused.status_code, refused.json()["reason"]) == (401, "bad_token"), path
    assert (await guarded.call("GET", RANKINGS)).status_code == 200
    for number in (2, 0, 2**70):
        unknown = await guarded.call("POST", f"/keys/{number}/withdrawals", "sec")
        assert (unknown.status_code, unknown.json()["reason"]) == (404, "unknown_key")


async def test_keys_are_a_security_administrators_and_kept_as_hashes(guarded: Scoring) -> None:
    key = await made(guarded)
    await guarded.call("GET", f"{RANKINGS}/1", headers=key)
    [listed] = (await guarded.call("GET", "/keys", "eve")).json()["items"]
    assert (listed["name"], listed["state"], listed["made_by"], "key" in listed) == (
        "春城晚报",
        "in_force",
        "sec",
        False,
    )
    row = await guarded.desk.pool.fetchrow("SELECT * FROM reader_keys")
    assert row is not None
    assert key["authorization"].split()[1] not in str(dict(row))
    for username, status in (("ann", 403), ("eve", 403), ("xu", 403), ("", 401)):
        assert (await guarded.call("POST", "/keys", username, json={"name": "x"})).status_code == status
        assert (await guarded.call("POST", "/keys/1/withdrawals", username)).status_code == status
    blank = await guarded.call("POST", "/keys", "sec", json={"name": " "})
    assert (blank.status_code, blank.json()["reason"]) == (422, "reason_missing")


async def test_a_page_lists_the_keys_without_what_opens_and_auditors_only_look(guarded: Scoring) -> None:
    key = await made(guarded)
    await guarded.call("POST", "/keys", "sec", json={"name": "云南大学"})
    await guarded.call("POST", "/keys/2/withdrawals", "sec")
    pages = {name: await _keys_page(guarded, name) for name in ("sec", "eve", "ann")}
    assert [pages[name].status_code for name in pages] == [200, 200, 403]
    for name in ("sec", "eve"):
        text = pages[name].text
        assert all(word in text for word in ("春城晚报", "云南大学", "已撤销", "还没有用过")), name
        assert key["authorization"].removeprefix("Bearer ") not in text
        assert pages[name].headers["cache-control"] == "no-store"
    assert ("/keys/1/withdrawals" in pages["sec"].text, "/keys/2/withdrawals" in pages["sec"].text) == (True, False)
    assert "data-call" not in pages["eve"].text


async def _keys_page(office: Scoring, username: str) -> httpx.Response:
    token = office.headers(username)["authorization"].removeprefix("Bearer ")
    return await office.http.get("/results/-/keys", headers={"cookie": f"px_staff={token}", "accept": "text/html"})
