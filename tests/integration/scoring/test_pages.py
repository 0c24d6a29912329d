"""The experts' and results pages as a browser without script meets them."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta
from html import unescape

import httpx
import pytest

from services.shared.messages import REGISTRY_STAFF, RoundEvent
from services.shared.staff import TOKEN_COOKIE
from tests.integration.scoring.conftest import CRITERIA, Scoring, account, scored_rules

SHEET = "/expert/rounds/small/candidates/c1"
HTML = {"accept": "text/html"}


@pytest.fixture
async def panel(office: Scoring) -> Scoring:
    await office.add_round(scored_rules(), experts=["xu", "li"])
    return office


def sign_in(office: Scoring, username: str) -> None:
    token = office.headers(username)["authorization"].removeprefix("Bearer ")
    office.http.cookies.set(TOKEN_COOKIE, token)


def sign_out(office: Scoring) -> None:
    office.http.cookies.delete(TOKEN_COOKIE)


def form_fields(page: httpx.Response) -> dict[str, str]:
    """Hidden fields of the sheet's form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in found}


def marks(*values: str) -> dict[str, str]:
    return {f"mark.{name}": value for name, value in zip(CRITERIA, values, strict=True)}


async def test_without_a_sign_in_the_page_leads_to_renewal(panel: Scoring) -> None:
    for path in ("/expert", SHEET):
        answer = await panel.http.get(path, headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in/renew?next={path}")


async def test_an_account_unknown_here_is_told_so_instead_of_sent_in_circles(panel: Scoring) -> None:
    sign_in(panel, "ghost")
    unknown = await panel.http.get("/expert", headers=HTML)
    assert (unknown.status_code, "/waiting." in unknown.text) == (503, True), "it looks again by itself"


async def test_the_queue_lists_every_candidate_with_its_state(panel: Scoring) -> None:
    await panel.score("xu", "c2", "90", "80")
    sign_in(panel, "xu")
    page = await panel.http.get("/expert", headers=HTML)
    assert page.status_code == 200
    assert page.text.count("/expert/rounds/small/candidates/") == 4
    assert "1 / 3" in page.text
    sign_in(panel, "ann")
    assert (await panel.http.get("/expert", headers=HTML)).status_code == 403


async def test_a_sheet_is_saved_and_submitted_as_a_plain_form(panel: Scoring) -> None:
    sign_in(panel, "xu")
    page = await panel.http.get(SHEET, headers=HTML)
    assert "怎样评innovation" in page.text
    saved = await panel.http.post(
        SHEET, data={**form_fields(page), **marks("87.5", ""), "comment": "好", "action": "save"}
    )
    assert (saved.status_code, saved.headers["location"]) == (303, f"{SHEET}?done=saved")
    page = await panel.http.get(SHEET, headers=HTML)
    assert 'value="87.5"' in page.text
    missing = await panel.http.post(
        SHEET, data={**form_fields(page), **marks("87.5", ""), "action": "submit"}, headers=HTML
    )
    assert missing.status_code == 422
    assert "Effect" in missing.text.split("notice__title")[1]
    done = await panel.http.post(SHEET, data={**form_fields(missing), **marks("87.5", "60"), "action": "submit"})
    assert done.headers["location"] == f"{SHEET}?done=submitted"
    assert (await panel.call("GET", "/rounds/small/sheets/c1", "xu")).json()["state"] == "submitted"


async def test_a_wrong_mark_comes_back_beside_what_was_written(panel: Scoring) -> None:
    sign_in(panel, "xu")
    page = await panel.http.get(SHEET, headers=HTML)
    answer = await panel.http.post(
        SHEET, data={**form_fields(page), **marks("870", "60"), "action": "save"}, headers=HTML
    )
    assert answer.status_code == 422
    assert 'value="870"' in answer.text
    assert "field--invalid" in answer.text


async def test_a_conflict_is_declared_in_two_taps(panel: Scoring) -> None:
    sign_in(panel, "xu")
    page = await panel.http.get(SHEET, headers=HTML)
    answer = await panel.http.post(
        SHEET,
        data={"_csrf_token": form_fields(page)["_csrf_token"], "usual_reason": "参与过这个项目", "action": "recuse"},
    )
    assert answer.headers["location"] == f"{SHEET}?done=recused"
    reason = await panel.desk.pool.fetchval("SELECT reason FROM sheet_versions WHERE act = 'recused'")
    assert reason == "参与过这个项目"


async def test_a_form_without_its_token_is_refused(panel: Scoring) -> None:
    sign_in(panel, "xu")
    await panel.http.get(SHEET, headers=HTML)
    answer = await panel.http.post(SHEET, data={**marks("1", "1"), "action": "submit"}, headers=HTML)
    assert answer.status_code == 403
    assert await panel.desk.pool.fetchval("SELECT count(*) FROM sheets") == 0


async def test_marks_survive_an_expired_sign_in(panel: Scoring) -> None:
    sign_in(panel, "xu")
    page = await panel.http.get(SHEET, headers=HTML)
    sign_out(panel)
    kept = await panel.http.post(
        SHEET, data={**form_fields(page), **marks("87.5", "60"), "action": "submit"}, headers=HTML
    )
    assert kept.status_code == 401
    again = form_fields(kept)
    assert again["mark.innovation"] == "87.5"
    sign_in(panel, "xu")
    assert (await panel.http.post(SHEET, data=again)).headers["location"] == f"{SHEET}?done=submitted"


async def score_all(panel: Scoring) -> None:
    for expert in ("xu", "li"):
        for candidate in ("c1", "c2", "c3"):
            await panel.score(expert, candidate, "90", "80")


async def test_the_result_page_shows_votes_beside_points_and_the_digest(panel: Scoring) -> None:
    await panel.add_tally({"c1": 8613, "c2": 7771, "c3": 3009})
    await score_all(panel)
    await panel.call("POST", "/rounds/small/rankings", "ann")
    waiting = await panel.http.get("/results/small", headers=HTML)
    assert "8,613" not in waiting.text
    await panel.call("POST", "/rounds/small/rankings/1/confirmations", "bob")
    message = (await panel.desk.round("small")).message
    for language, word in (("zh", "专家得分"), ("en", "Expert points")):
        page = await panel.http.get(f"/results/small?lang={language}", headers=HTML)
        assert page.status_code == 200
        for text in ("8,613", "100.00", message.digest, "bundle.zip", "pingxuan rank", word, "同一地址集中投票"):
            assert text in page.text, text
    listed = await panel.http.get("/results?lang=zh", headers=HTML)
    assert "已公布" in listed.text
    assert (await panel.http.get("/results/none", headers=HTML)).status_code == 404


async def test_the_result_page_tells_voting_s_events_among_the_registry_s(panel: Scoring) -> None:
    """An extension is only voting's to decide; people and the bundle read it between freezing and publication."""
    known = await panel.desk.round("small")
    at = known.message.frozen_at
    texts = [("frozen", "甲" * 5), ("extension", "乙" * 5), ("lots_revealed", "丙" * 5)]
    frozen, extended, revealed = (RoundEvent(at + timedelta(hours=k), *each) for k, each in enumerate(texts))
    await panel.add_tally({"c1": 3, "c2": 2, "c3": 1}, events=[extended])
    await panel.add_round(known.message.rules, experts=known.message.experts, events=[revealed, frozen])
    await score_all(panel)
    await panel.call("POST", "/rounds/small/rankings", "ann")
    await panel.call("POST", "/rounds/small/rankings/1/confirmations", "bob")
    page = (await panel.http.get("/results/small", headers=HTML)).text
    bundle = await panel.call("GET", "/rounds/small/bundle.zip")
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        csv = archive.read("events.csv").decode()
    for text in (page, csv):
        places = [text.index(detail) for _, detail in texts]
        assert places == sorted(places)


async def test_pages_have_no_inline_script_or_style(panel: Scoring) -> None:
    sign_in(panel, "xu")
    for path in ("/expert", SHEET, "/results", "/results/small"):
        text = (await panel.http.get(path, headers=HTML)).text
        assert not re.search(r"<script(?![^>]*src=)|style=|onclick=", text), path


async def test_a_mark_at_an_end_is_ticked_before_the_page_submits_it(panel: Scoring) -> None:
    sign_in(panel, "xu")
    page = await panel.http.get(SHEET, headers=HTML)
    written = {**marks("100", "80"), "action": "submit"}
    doubted = await panel.http.post(SHEET, data={**form_fields(page), **written}, headers=HTML)
    assert doubted.status_code == 409
    assert re.findall(r'name="meant\.(\w+)" value="yes">', doubted.text) == ["innovation"]
    ticked = {**form_fields(doubted), **written, "meant.innovation": "yes"}
    done = await panel.http.post(SHEET, data=ticked)
    assert (done.status_code, done.headers["location"]) == (303, f"{SHEET}?done=submitted")


async def test_a_drawn_panels_member_signs_the_letter_on_the_page(office: Scoring) -> None:
    await office.add_round(scored_rules(), count=1)
    names = [f"p{k}" for k in range(5)]
    await office.send(REGISTRY_STAFF, *(account(name, "expert") for name in names))
    pool = {"experts": [{"expert": name} for name in names]}
    assert (await office.call("POST", "/rounds/small/pool", "ann", json=pool)).status_code == 200
    plan = {"needs": [{"group": "level=major", "seats": 3, "reserves": 2}]}
    assert (await office.call("POST", "/rounds/small/draws", "ann", json=plan)).status_code == 201
    drawn = await office.call("POST", "/rounds/small/draws/1/reveals", "bob", json={"word": "x"})
    sign_in(office, drawn.json()["panels"][0]["members"][0])
    page = await office.http.get(SHEET, headers=HTML)
    assert "评审专家承诺书" in page.text
    early = await office.http.post(
        SHEET, data={**form_fields(page), **marks("50", "60"), "action": "save"}, headers=HTML
    )
    assert early.status_code == 403
    assert "请先阅读并签署承诺书" in early.text
    signed = await office.http.post(SHEET, data={**form_fields(page), "action": "sign"})
    assert signed.headers["location"] == f"{SHEET}?done=signed"
    page = await office.http.get(SHEET, headers=HTML)
    assert "评审专家承诺书" not in page.text
    saved = await office.http.post(SHEET, data={**form_fields(page), **marks("50", "60"), "action": "save"})
    assert saved.status_code == 303
