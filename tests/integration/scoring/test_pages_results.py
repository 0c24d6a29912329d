"""The pages of a ranking: what the public sees of it, what the office sees before, and who sees nothing yet."""

from __future__ import annotations

import re

import httpx
import msgspec
import pytest

from services.shared.messages import REGISTRY_STAFF
from services.shared.staff import TOKEN_COOKIE
from tests.integration.scoring.conftest import Scoring, account, agree, scored_rules
from tests.support.waiting import wait_until

HTML = {"accept": "text/html"}
MORE = """
[experts]
aggregate = "trimmed_mean"
trim_low = 1
trim_high = 1
panel_min = 3
aggregate_decimals = 2
[selection]
places = { major = 1, key = 1, general = 1 }
reserve = 1
"""
EXPERTS = ("xu", "li", "zhao")
VOTES = {"c1": 8613, "c2": 7771, "c3": 3009, "c4": 2950, "c5": 12, "c6": 11}


def sign_in(office: Scoring, username: str) -> None:
    office.http.cookies.set(TOKEN_COOKIE, office.headers(username)["authorization"].removeprefix("Bearer "))


async def page(office: Scoring, path: str, username: str = "", status: int = 200) -> str:
    """A page as `username` sees it, or as nobody in particular."""
    office.http.cookies.clear()
    if username:
        sign_in(office, username)
    answer: httpx.Response = await office.http.get(path, headers=HTML)
    assert answer.status_code == status, f"{path} as {username or 'nobody'}: {answer.status_code}"
    return answer.text


@pytest.fixture
async def scored(office: Scoring) -> Scoring:
    """Six candidates in one round, scored by three experts, the tally in."""
    applicant = msgspec.structs.replace(account("una", "applicant"), unit="单位0")
    await office.send(REGISTRY_STAFF, account("zhao", "expert"), applicant)
    await office.add_round(scored_rules(more=MORE), count=6, experts=list(EXPERTS))
    for k, expert in enumerate(EXPERTS):
        for number in range(1, 7):
            await office.score(expert, f"c{number}", str(95 - 7 * number + k), str(60 + number - 4 * k))
    await office.add_tally(VOTES)
    return office


async def propose(office: Scoring, **body: str) -> int:
    answer = await office.call("POST", "/rounds/small/rankings", "ann", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["version"])


async def publish(office: Scoring, **body: str) -> int:
    version = await propose(office, **body)
    path = f"/rounds/small/rankings/{version}/confirmations"
    assert (await office.call("POST", path, "bob")).status_code == 201
    return version


async def statistics_made(office: Scoring) -> None:
    async def made() -> bool:
        return bool(
            await office.desk.pool.fetchval(
                "SELECT (SELECT count(*) FROM ranking_statistics) = (SELECT count(*) FROM publications)"
            )
        )

    await wait_until(made, 30, "the statistics are made")


async def test_before_publication_nobody_outside_the_office_reads_a_number(scored: Scoring) -> None:
    """A citizen, an applicant and an expert still on the panel get neither counts nor marks nor places."""
    await propose(scored)
    paths = ["", "/statistics", "/exclusions", "/versions", "/versions/1", "/c1", "/versions/1/c1"]
    for username in ("", "una", "xu"):
        for path in paths:
            text = await page(scored, f"/results/small{path}", username)
            assert not re.search("8,?613|<table|<svg", text), (path, username)
    for path in ("", "/1", "/preview", "/1/statistics", "/1/exclusions", "/1/c1"):
        for username in ("una", "xu"):
            assert "8613" not in await page(scored, f"/panels/small/rankings{path}", username, 403)
        asked = f"/panels/small/rankings{path}"
        await page(scored, asked, status=303)
    await page(scored, "/panels/small/rankings/preview", "eve", 403)
    assert "8,613" in await page(scored, "/panels/small/rankings/1", "eve")


async def test_the_office_previews_proposes_and_signs_with_two_people(scored: Scoring) -> None:
    """The proposer finds no form to sign with, the second person does; the acts are the API's own."""
    first = await page(scored, "/panels/small/rankings/preview", "ann")
    assert 'data-call="POST /api/scoring/v1/rounds/small/rankings"' in first
    assert "c1" in first or "8,613" in first
    assert await scored.desk.pool.fetchval("SELECT count(*) FROM rankings") == 0
    await propose(scored)
    own = await page(scored, "/panels/small/rankings/1", "ann")
    other = await page(scored, "/panels/small/rankings/1", "bob")
    call = 'data-call="POST /api/scoring/v1/rounds/small/rankings/1/confirmations"'
    assert (call in own, call in other) == (False, True)
    assert "data-twice" in other
    assert call not in await page(scored, "/panels/small/rankings/1", "eve")
    listed = await page(scored, "/panels/small/rankings", "bob")
    assert "姓名ann" in listed
    assert "等待第二人签署" in listed


async def test_what_a_ranking_still_waits_for_is_said_in_words(office: Scoring) -> None:
    await office.add_round(scored_rules(), experts=["xu"])
    await office.call("PUT", "/rounds/small/sheets/c1", "xu", json={"marks": {"innovation": "50"}})
    text = await page(office, "/panels/small/rankings/preview", "ann")
    assert "还有评分表没有提交" in text
    assert "姓名xu" in text
    assert 'data-call="POST' not in text


async def test_a_recomputation_names_who_moves_by_how_much_and_why(scored: Scoring) -> None:
    """Preview, version list and public comparison tell the same; cause and reason are public, old versions stay."""
    await publish(scored)
    reopened = await scored.call(
        "POST",
        "/rounds/small/proposals",
        "ann",
        json={"kind": "reopen_sheet", "candidate": "c2", "expert": "xu", "reason": "录入有误"},
    )
    await agree(scored, reopened)
    await scored.score("xu", "c2", "20", "20")
    preview = await page(scored, "/panels/small/rankings/preview", "ann")
    assert "自己的专家评分变了" in preview
    assert 'name="cause"' in preview
    await propose(scored, cause="sheet_reopened", reason="异议成立，评分表退回更正")
    assert "自己的专家评分变了" in await page(scored, "/panels/small/rankings/2", "bob")
    assert (await scored.call("POST", "/rounds/small/rankings/2/confirmations", "bob")).status_code == 201
    text = await page(scored, "/results/small/versions?before=1&after=2")
    for word in ("自己的专家评分变了", "评分表退回后重新提交", "异议成立，评分表退回更正", "项目2"):
        assert word in text, word
    assert "这是旧版本" in await page(scored, "/results/small/versions/1")
    await page(scored, "/results/small/versions/3", status=404)
    await page(scored, "/results/small/versions?before=1&after=9", status=404)
    await page(scored, "/panels/small/rankings?before=9&after=1", "ann", 404)
    assert "看谁动了" in await page(scored, "/panels/small/rankings/2", "ann")


async def test_a_candidates_page_shows_its_total_down_to_the_dropped_marks(scored: Scoring) -> None:
    await publish(scored)
    await statistics_made(scored)
    text = await page(scored, "/results/small/c1")
    assert "8,613" in text
    assert len(re.findall(r"<s>[\d.]+</s>", text)) == 4
    assert not re.search(r"姓名(xu|li|zhao)|>(xu|li|zhao)<", text)
    assert "同一地址集中投票" in text
    assert "名次在" in text
    await page(scored, "/results/small/c9", status=404)
    assert "100.00" in await page(scored, "/panels/small/rankings/1/c1", "eve")


async def test_statistics_are_charts_with_tables_and_a_reading(scored: Scoring) -> None:
    """Every chart has a title, a description and its numbers in a table; every text is in the reader's language."""
    await publish(scored)
    await statistics_made(scored)
    for language in ("zh", "en"):
        text = await page(scored, f"/results/small/statistics?lang={language}")
        charts = re.findall(r'<svg class="chart".*?</svg>', text, re.DOTALL)
        assert len(charts) >= 4
        assert all("<title" in chart and "<desc" in chart for chart in charts)
        assert not re.search(r"<script(?![^>]*src=)|style=|onclick=", text)
        for word in ("ICC(A,k)", "Kendall W", "Krippendorff"):
            assert word in text
    assert "Filled dot: selected" in text
    assert "换一种算法会怎样" not in text


async def test_filters_stand_in_the_address_and_a_large_ranking_comes_in_pages(scored: Scoring) -> None:
    await publish(scored)
    text = await page(scored, "/results/small?group=level%3Dmajor&outcome=selected")
    assert text.count('class="is-selected"') == 1
    assert text.count("/results/small/c") == 1
    assert "项目3" in await page(scored, "/results/small?text=项目3")
    empty = await page(scored, "/results/small?text=nothing-like-it&page=abc")
    assert "没有符合条件的项目" in empty


async def test_a_losing_unit_reads_its_own_sheet_and_nobody_elses(scored: Scoring) -> None:
    """Its own applicants and the office; a foreign unit's sheet is answered like one that is not there."""
    await propose(scored)
    for path in ("/results/small/units", "/results/small/units/c4"):
        await page(scored, path, "una", 404)
        await page(scored, path, status=303)
        await page(scored, path, "xu", 403)
    confirmed = await scored.call("POST", "/rounds/small/rankings/1/confirmations", "bob")
    assert confirmed.status_code == 201
    await statistics_made(scored)
    listed = await page(scored, "/results/small/units", "una")
    assert re.findall(r"/units/(c\d)", listed) == ["c2", "c4", "c6"]
    text = await page(scored, "/results/small/units/c6", "una")
    assert "与入选线相差" in text
    assert "chart-own" in text
    await page(scored, "/results/small/units/c5", "una", 404)
    await page(scored, "/results/small/units/c5", "ann")


async def test_a_large_ranking_opens_page_by_page(office: Scoring) -> None:
    """A page holds at most a hundred rows, however many candidates there are, and stays below 300 kB."""
    rules = scored_rules(votes="1", experts="0", more="[selection]\nplaces = { major = 10, key = 10 }\n")
    await office.add_round(rules, count=1_500)
    await office.add_tally({f"c{k}": 20_000 - k for k in range(1, 1_501)})
    await propose(office)
    base = "/panels/small/rankings/1"
    for path in ("", "?page=15", "?page=999999", "?group=level%3Dkey&page=7", "/exclusions", "/c1499"):
        text = await page(office, f"{base}{path}", "eve")
        assert len(text.encode()) < 300_000, path
        assert text.count(f'href="{base}/c') <= 100, path
    assert "项目1499<" in await page(office, f"{base}?group=level%3Dmajor&page=8", "eve")
