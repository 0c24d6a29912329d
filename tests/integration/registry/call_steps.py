"""Steps of the office for the tests of calls, recommendations, reviews and candidates, by HTTP as people take them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from services.registry.reviews.checklists import ITEMS
from tests.integration.registry.application_steps import begin, submitted
from tests.integration.registry.conftest import Registry
from tests.support.registry_people import add_applicant, add_officer, add_unit

CALL = "spring-2027"
CHANNELS = """[[channels]]
id = "wuhua"
name = "五华区"
kind = "district"

[[channels]]
id = "city"
name = "市级单位"
kind = "municipal_unit"
"""
HOUR_S = 3600
DAY_S = 24 * HOUR_S


def call_files(quota: int = 2, call: str = CALL) -> dict[str, str]:
    """A call that takes applications for an hour from now, recommendations for the next, and votes in sixty days."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)

    def window(first_s: float, last_s: float) -> str:
        opens, closes = start + timedelta(seconds=first_s), start + timedelta(seconds=last_s)
        return f"{{ opens = {opens.isoformat()}, closes = {closes.isoformat()} }}"

    rules = (
        f'schema = 1\n\n[round]\nid = "{call}"\ntitle = "春季评选"\ntimezone = "Asia/Shanghai"\n\n[windows]\n'
        f"# 申报时间\napplication = {window(0, HOUR_S)}\nrecommendation = {window(HOUR_S, 2 * HOUR_S)}\n"
        f"voting = {window(60 * DAY_S, 61 * DAY_S)}\nreview_working_days = 5\nappeal_working_days = 3\n\n"
        f"[quotas]\ndistrict = {quota}\nmunicipal_unit = 1\n\n[ballot]\nchoices_max = 3\n\n"
        '[combination]\nvotes = "1"\nexperts = "0"\n'
    )
    return {"rules.toml": rules, "channels.toml": CHANNELS}


async def post(registry: Registry, path: str, actor: str, **body: Any) -> httpx.Response:
    return await registry.call("POST", path, actor, json=body)


async def office(registry: Registry) -> None:
    """Two administrators and three reviewers of the committee office."""
    for name in ("admin1", "admin2"):
        await registry.add_staff(name, "administrator")
    for name in ("rev1", "rev2", "rev3"):
        await registry.add_staff(name, "reviewer")


async def announced(registry: Registry, quota: int = 2, **more: Any) -> dict[str, Any]:
    """An announced call, with the office around it."""
    await office(registry)
    made = await post(registry, "/calls", "admin1", files=call_files(quota), **more)
    assert made.status_code == 201, made.text
    done = await post(registry, f"/calls/{CALL}/announce", "admin1", version=made.json()["version"])
    assert done.status_code == 200, done.text
    return dict(done.json())


async def applied(registry: Registry, count: int, channel: str = "wuhua", first: int = 1) -> list[tuple[str, str]]:
    """(application, applicant) of so many units that handed one in."""
    found = []
    for seed in range(first, first + count):
        applicant = await add_applicant(registry, await add_unit(registry, seed, channel))
        draft = await begin(registry, applicant, CALL)
        await submitted(registry, applicant, draft["application"])
        found.append((draft["application"], applicant))
    return found


async def recommended(registry: Registry, ranked: list[str], channel: str = "wuhua") -> None:
    """The channel's officer ranks and sends, an hour later."""
    officer = await add_officer(registry, channel)
    path = f"/calls/{CALL}/channels/{channel}/recommendations"
    registry.pass_time(HOUR_S)
    saved = await registry.call("PUT", path, officer, json={"ranked": ranked, "version": 0})
    assert saved.status_code == 200, saved.text
    sent = await post(registry, f"{path}/send", officer, version=saved.json()["version"])
    assert sent.status_code == 200, sent.text


async def stage_of(registry: Registry, application: str) -> str:
    stage: str = await registry.parts.pool.fetchval(
        "SELECT stage FROM applications WHERE application = $1", application
    )
    return stage


def checklist(verdict: str = "accepted", **more: Any) -> dict[str, Any]:
    return {"items": dict.fromkeys(ITEMS, "met"), "verdict": verdict, **more}


async def decided(
    registry: Registry, application: str, verdict: str = "accepted", reason: str = "", text: str = ""
) -> None:
    """Both checklists say so, and the decision follows them."""
    for reviewer in ("rev1", "rev2"):
        body = checklist(verdict, reason=reason, comment=text)
        filled = await post(registry, f"/applications/{application}/review/checklists", reviewer, **body)
        assert filled.status_code == 201, filled.text
    path = f"/applications/{application}/review/decision"
    done = await post(registry, path, "rev1", outcome=verdict, reason=reason, text=text)
    assert done.status_code == 201, done.text
