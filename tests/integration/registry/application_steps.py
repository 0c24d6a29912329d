"""Steps of applicants for the tests of applications: a call, a whole form, files."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from tests.integration.registry.conftest import Registry
from tests.support import sample_files
from tests.support.registry_people import add_applicant, add_unit, credit_code

CALL = "autumn"


async def announce(registry: Registry, call: str = CALL, *, opens_in_s: float = -60, closes_in_s: float = 3600) -> str:
    """An announced call whose application window stands like that (calls have tests of their own)."""
    now = registry.parts.clock.now()
    await registry.parts.pool.execute(
        "INSERT INTO calls (call, title, state, rules, timezone, application_opens_at, application_closes_at,"
        " review_working_days, appeal_working_days, created_by) VALUES ($1, '秋季评选', 'announced', '',"
        " 'Asia/Shanghai', $2, $3, 5, 3, 'platform')",
        call, now + timedelta(seconds=opens_in_s), now + timedelta(seconds=closes_in_s),
    )  # fmt: skip
    return call


def form(**changes: Any) -> dict[str, Any]:
    """A complete form without partners."""
    content: dict[str, Any] = {
        "title": "楼院议事厅",
        "level": "key",
        "category": "resident_autonomy",
        "summary": "居民自己议事，自己定规矩。",
        "sections": {
            "need_analysis": "老旧小区三百户，停车和漏水没人管。",
            "work_plan": "先摸底，再议事，后落实。",
            "innovation_analysis": "议题由抽签的居民提出。",
            "contingencies": "下雨改到社区大厅。",
        },
        "team": [{"name": "张·三", "role": "负责人"}, {"name": "䶮", "role": "联络"}],
        "budget": [
            {"line": "场地", "amount": "12000", "basis": "每月1000元"},
            {"line": "印刷", "amount": "800.50", "basis": "一千份"},
        ],
        "budget_total": "12800.50",
        "targets": [{"target": "议事会", "measure": "十二次", "due": "2199-11-30"}],
    }
    return content | changes


def partner(seed: int, kind: str = "university", **changes: Any) -> dict[str, Any]:
    return {"name": f"合作单位{seed}", "kind": kind, "credit_code": credit_code(seed)} | changes


async def begin(registry: Registry, actor: str, call: str = CALL, **body: Any) -> dict[str, Any]:
    """A draft; a complete one unless `content` says otherwise."""
    made = await registry.call("POST", f"/calls/{call}/applications", actor, json={"content": form()} | body)
    assert made.status_code == 201, made.text
    return dict(made.json())


async def applicant_with_draft(registry: Registry, seed: int = 1, **content: Any) -> tuple[str, dict[str, Any]]:
    """(an applicant of an approved unit, a draft of theirs) in the open call."""
    applicant = await add_applicant(registry, await add_unit(registry, seed))
    return applicant, await begin(registry, applicant, content=form(**content))


async def submit(registry: Registry, actor: str, application: str) -> httpx.Response:
    return await registry.call("POST", f"/applications/{application}/submit", actor)


async def submitted(registry: Registry, actor: str, application: str) -> dict[str, Any]:
    answer = await submit(registry, actor, application)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def attach(
    registry: Registry, actor: str, application: str, purpose: str = "other",
    content: bytes = sample_files.PDF, name: str = "证明.pdf", **fields: str,
) -> httpx.Response:  # fmt: skip
    files = {"file": (name, content)}
    path = f"/applications/{application}/attachments"
    return await registry.call("POST", path, actor, files=files, data={"purpose": purpose, **fields})


async def logged(registry: Registry, application: str) -> list[str]:
    """The actions in the log of one application, in order."""
    rows = await registry.parts.pool.fetch(
        "SELECT action FROM log_entries WHERE kind = 'application' AND object = $1 ORDER BY id", application
    )
    return [row["action"] for row in rows]
