"""Pages of staff: the form works without script, and nobody is led elsewhere or shown what is not theirs."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.integration.registry.conftest import Registry, simple_files
from tests.integration.registry.test_lists import SELECTION, publish

HTML = {"accept": "text/html"}
HAN = r"[\u4e00-\u9fff]+"


async def fill_in(registry: Registry, username: str, password: str, path: str = "/sign-in") -> httpx.Response:
    """Load the form as a browser does and send it back."""
    page = await registry.http.get(path, headers=HTML)
    token = re.search(r'name="_csrf_token" value="([^"]+)"', page.text)
    following = re.search(r'name="next" value="([^"]*)"', page.text)
    assert token
    assert following
    form = {"username": username, "password": password, "next": following[1], "_csrf_token": token[1]}
    return await registry.http.post("/sign-in", data=form, headers=HTML)


@pytest.mark.parametrize(
    ("roles", "home"), [(["expert"], "/expert"), (["administrator"], "/admin"), (["expert", "administrator"], "/admin")]
)
async def test_signing_in_leads_to_the_page_of_the_role(registry: Registry, roles: list[str], home: str) -> None:
    made = await registry.add_staff("wang", *roles)
    answer = await fill_in(registry, "wang", made["password"])
    assert (answer.status_code, answer.headers["location"]) == (303, home)
    assert {"px_session", "px_staff"} <= set(registry.http.cookies)


@pytest.mark.parametrize("evil", ["//evil.example/x", "https://evil.example", "/\\evil.example", "/sign-in"])
async def test_signing_in_never_leads_to_another_site(registry: Registry, evil: str) -> None:
    made = await registry.add_staff("wang", "expert")
    answer = await fill_in(registry, "wang", made["password"], f"/sign-in?next={evil}")
    assert answer.headers["location"] == "/expert"


async def test_a_wrong_password_is_told_on_the_form(registry: Registry) -> None:
    await registry.add_staff("wang", "expert")
    answer = await fill_in(registry, "wang", "wrong password")
    assert answer.status_code == 401
    assert "用户名或密码不对" in answer.text
    assert 'value="wang"' in answer.text
    assert "wrong password" not in answer.text


async def test_a_form_without_its_token_is_refused(registry: Registry) -> None:
    answer = await registry.http.post("/sign-in", data={"username": "a", "password": "b"}, headers=HTML)
    assert answer.status_code == 403


async def test_a_page_whose_token_ran_out_renews_it_on_the_way(registry: Registry) -> None:
    made = await registry.add_staff("wang", "administrator")
    await fill_in(registry, "wang", made["password"], "/sign-in?next=/admin")
    registry.http.cookies.delete("px_staff")
    away = await registry.http.get("/admin", headers=HTML)
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in/renew?next=/admin")
    back = await registry.http.get(away.headers["location"], headers=HTML)
    assert (back.status_code, back.headers["location"]) == (303, "/admin")
    assert (await registry.http.get("/admin", headers=HTML)).status_code == 200


async def test_without_a_session_the_renewal_leads_to_the_form(registry: Registry) -> None:
    answer = await registry.http.get("/sign-in/renew?next=/admin/rounds/small", headers=HTML)
    assert answer.headers["location"] == "/sign-in?next=/admin/rounds/small"


@pytest.mark.parametrize("path", ["/sign-out", "/sign-in/out"])
async def test_signing_out_by_the_page_ends_the_session(registry: Registry, path: str) -> None:
    """Also from the page of another service, whose form has a token of its own; never from another site."""
    made = await registry.add_staff("wang", "administrator")
    await fill_in(registry, "wang", made["password"])
    evil = await registry.http.post(path, headers={**HTML, "origin": "https://evil.example"})
    assert evil.status_code == 403
    assert (await registry.http.get("/admin", headers=HTML)).status_code == 200
    out = await registry.http.post(path, data={"_csrf_token": "of voting"}, headers=HTML)
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    away = await registry.http.get("/admin", headers=HTML)
    assert away.headers["location"].startswith("/sign-in/renew")


async def test_administrators_see_the_rounds_and_one_round_with_its_timeline(registry: Registry) -> None:
    made = await registry.add_staff("wang", "administrator", name="王敏")
    assert "pingxuan rounds load" in (await _as(registry, made["password"], "/admin")).text
    digest = (await registry.load(simple_files())).json()["digest"]
    rounds = await _as(registry, made["password"], "/admin")
    assert "/admin/rounds/small" in rounds.text
    page = await _as(registry, made["password"], "/admin/rounds/small")
    assert page.status_code == 200
    assert all(
        text in page.text for text in (digest, "规则冻结", "抽签编号", "王敏", 'data-act="seal"', "admin/round.js")
    )
    assert " style=" not in page.text
    assert (await _as(registry, made["password"], "/admin/rounds/none")).status_code == 404


async def _as(registry: Registry, password: str, path: str) -> httpx.Response:
    if "px_staff" not in registry.http.cookies:
        await fill_in(registry, "wang", password)
    return await registry.http.get(path, headers=HTML)


async def test_an_auditor_watches_and_cannot_act(registry: Registry) -> None:
    made = await registry.add_staff("wang", "auditor")
    await registry.load(simple_files())
    page = await _as(registry, made["password"], "/admin/rounds/small")
    assert page.status_code == 200
    assert "data-act" not in page.text


async def test_experts_do_not_see_the_administrators_page(registry: Registry) -> None:
    made = await registry.add_staff("wang", "expert")
    assert (await _as(registry, made["password"], "/admin")).status_code == 403


@pytest.mark.parametrize(
    "path",
    ["/sign-in", "/notices", "/notices/small", "/admin", "/admin/rounds/small", "/admin/rounds/small/candidates",
     "/admin/rounds/small/lists", "/admin/calendar", "/admin/log?actor=wang", "/admin/calls/new"],
)  # fmt: skip
async def test_every_text_has_its_english(registry: Registry, path: str) -> None:
    made = await registry.add_staff("wang", "administrator", name="Wang")
    files = simple_files(more=SELECTION)
    files["rules.toml"] = files["rules.toml"].replace("小评选", "Small").replace("# 投票时间", "")
    files["candidates.csv"] = re.sub(HAN, "x", files["candidates.csv"])
    await publish(registry, (await registry.load(files)).json()["digest"])
    page = await _as(registry, made["password"], f"{path}{'&' if '?' in path else '?'}lang=en")
    assert page.status_code == 200
    own = re.findall(r"(?s)<title>.*?</title>|<main.*</main>", page.text)
    assert len(own) == 2
    assert not re.findall(HAN, "".join(own))
