"""A published list and the people who act on it, for tests of lists and objections."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from altcha.v2 import Challenge, Payload, solve_challenge

if TYPE_CHECKING:  # the fixture's module belongs to one folder of tests
    from tests.integration.registry.conftest import Registry

DAY_S = 24 * 3600
REMOVAL = {"kind": "remove", "candidate": "c3", "reason": "untrue", "text": "经核查，服务人数与实际不符。"}
PROMOTION = {"kind": "promote_reserve", "candidate": "c2", "reason": "vacancy", "text": "按名次递补。"}
OBJECTION = {
    "kind": "named", "ground": "untrue", "candidate": "c3", "name": "王一·阿依", "phone": "138-0000-0000",
    "text": "申报书写明服务三千人，社区台账只有三百人。",
}  # fmt: skip


async def office(registry: Registry) -> None:
    """Two administrators, a reviewer, an auditor."""
    for name, role in (("ann", "administrator"), ("bob", "administrator"), ("rev", "reviewer"), ("aud", "auditor")):
        await registry.add_staff(name, role)


def now() -> datetime:
    return datetime.now(UTC)


async def into_window(registry: Registry, round_id: str = "small") -> None:
    """Let time pass until a moment after the newest notice's window opened."""
    lists = (await registry.call("GET", f"/rounds/{round_id}/lists", "")).json()["items"]
    opens = datetime.fromisoformat(lists[0]["objections_open_at"])
    registry.pass_time((opens - registry.parts.clock.now()).total_seconds() + 60)


async def past_window(registry: Registry, round_id: str = "small", by_s: float = 1) -> None:
    """Let time pass until `by_s` after the newest notice's window closed; negative: before."""
    lists = (await registry.call("GET", f"/rounds/{round_id}/lists", "")).json()["items"]
    closes = datetime.fromisoformat(lists[0]["objections_close_at"])
    registry.pass_time((closes - registry.parts.clock.now()).total_seconds() + by_s)


async def solved(challenge: dict[str, Any]) -> str:
    """What the page's solver makes of a challenge."""
    asked = Challenge.from_dict(challenge)
    solution = await asyncio.to_thread(solve_challenge, asked)
    assert solution is not None
    return base64.b64encode(json.dumps(Payload(asked, solution).to_dict()).encode()).decode()


async def object_to(registry: Registry, **changes: Any) -> Any:
    """File an objection as a citizen does; the answer as it came."""
    challenge = (await registry.call("GET", "/rounds/small/objections/challenge", "")).json()
    body = {**OBJECTION, "altcha": await solved(challenge), **changes}
    return await registry.call("POST", "/rounds/small/objections", "", json=body)


async def propose(registry: Registry, by: str, version: int, *changes: dict[str, Any], **more: Any) -> Any:
    body = {"version": version, "changes": list(changes), **more}
    return await registry.call("POST", "/rounds/small/lists/proposals", by, json=body)


async def confirm(registry: Registry, by: str, proposal: int) -> Any:
    return await registry.call("POST", f"/rounds/small/lists/proposals/{proposal}/confirmation", by)


async def change(registry: Registry, version: int, *changes: dict[str, Any], **more: Any) -> Any:
    """A change that ann proposes and bob confirms."""
    proposed = await propose(registry, "ann", version, *changes, **more)
    assert proposed.status_code == 201, proposed.text
    confirmed = await confirm(registry, "bob", proposed.json()["proposal"])
    assert confirmed.status_code == 200, confirmed.text
    return confirmed.json()


async def handle(registry: Registry, by: str, receipt: str, act: str, **body: Any) -> Any:
    """An act of the office on an objection at its present version."""
    version = await registry.parts.pool.fetchval("SELECT version FROM objections WHERE receipt = $1", receipt)
    return await registry.call("POST", f"/objections/{receipt}/{act}", by, json={"version": version, **body})


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]
