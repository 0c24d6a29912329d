"""A round whose list a meeting confirmed, with whole applications behind it, and the people who manage its projects."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg

from services.shared.messages import SCORING_RANKINGS, RankingMessage, encode
from services.shared.outbox import heartbeat_key
from tests.support.registry_people import add_unit, credit_code, unit_body
from tests.support.waiting import wait_until

if TYPE_CHECKING:  # the fixture's module belongs to one folder of tests
    from tests.integration.registry.conftest import Registry

ROUND = "small"
CHANNELS = "\n".join(
    f'[[channels]]\nid = "{channel}"\nname = "{name}"\nkind = "district"\n'
    for channel, name in (("wuhua", "五华区"), ("guandu", "官渡区"))
)
SELECTION = "\n[selection]\nplaces = { all = 2 }\n"
HEADER = "group,place,candidate,total,vote_points,expert_points,tie_break,outcome\n"
RANKING = HEADER + "all,1,c1,9,9,,,selected\nall,2,c2,8,8,,,selected\nall,3,c3,7,7,,,\n"
OPENING = {"starts_on": "2021-01-01", "ends_on": "2021-12-31", "accept_before": "2021-12-01"}
_BOOKED = (
    "INSERT INTO project_bookings SELECT gen_random_uuid(), round, candidate, kind, line, {amount}, spent_on, purpose,"
    " voucher, voucher_sha256, 7, {reverses}, '', booked_by, booked_at FROM project_bookings WHERE reverses IS NULL"
    " LIMIT 1"
)
_NEW_PROPOSAL = (
    "INSERT INTO project_proposals VALUES ('{id}', 'small', 'c1', '{kind}', '{{}}', '', 'ann', now());"
    " INSERT INTO project_amounts VALUES ('{id}', 'small', 'c1', 1, 5000)"
)
_ID = "00000000-0000-4000-8000-000000000001"
# What a bug or an attacker with the owner's rights would leave behind in a settled project, and which invariant speaks.
PROJECT_DAMAGE = {
    "projects_rest_on_confirmed_lists": "INSERT INTO projects VALUES ('small', 'c3', 1, 'u', 'wuhua', '2021-01-01',"
    " '2021-12-31', '2021-12-01', 'ann', now())",
    "every_project_act_took_two_people": _NEW_PROPOSAL.format(id=_ID, kind="grant"),
    "vouchers_count_once": _BOOKED.format(amount="1", reverses="NULL") + " OFFSET 1",
    "vouchers_belong_to_their_project": "UPDATE attachments SET object = 'small/c2'",
    "reversals_are_opposites": "UPDATE project_bookings SET amount = amount - 1 WHERE reverses IS NOT NULL",
    "instalments_come_to_the_grant": "UPDATE project_instalments SET amount = amount + 1",
    "changes_of_budget_only_move_money": _NEW_PROPOSAL.format(id=_ID, kind="budget_change"),
    "no_line_was_granted_more_than_it_asked_for": _NEW_PROPOSAL.format(id=_ID, kind="grant"),
    "settled_projects_are_covered": "UPDATE project_bookings SET amount = amount + 5000 WHERE reverses IS NULL",
    "accepted_projects_answered_every_target": "DELETE FROM project_target_outcomes WHERE target = 2",
}


def local_day(registry: Registry) -> str:
    """Today in the round's own time zone."""
    return registry.parts.clock.now().astimezone(ZoneInfo("Asia/Shanghai")).date().isoformat()


def application(number: int, channel: str) -> str:
    """applications/cN.toml: two lines of 1000.00 and 500.50, two targets."""
    name = unit_body(number)["name"]
    return f"""candidate = "c{number}"
title = "楼栋十人组{number}"
level = "major"
category = "resident_autonomy"
channel = "{channel}"
summary = "每栋楼十个人。"

[lead]
name = "{name}"
kind = "community"
credit_code = "{credit_code(number)}"

[sections]
need_analysis = "需要。"
work_plan = "计划。"
innovation_analysis = "创新。"
contingencies = "预案。"

[[team]]
name = "常宁"
role = "负责人"

[[budget]]
line = "组长培训"
amount = "1000.00"
basis = "100元×10人"

[[budget]]
line = "志愿者保险"
amount = "500.50"
basis = "50.05元×10人"

[[targets]]
target = "十人组全部组建"
measure = "名册"
due = 2021-06-30

[[targets]]
target = "到岗率达到90%"
measure = "计时记录"
due = 2021-11-30
"""


def files(rules: str) -> dict[str, str]:
    """A round of three candidates: c1 and c3 of 五华区, c2 of 官渡区."""
    channel_of = {1: "wuhua", 2: "guandu", 3: "wuhua"}
    applications = {f"applications/c{k}.toml": application(k, channel) for k, channel in channel_of.items()}
    return {"rules.toml": rules, "channels.toml": CHANNELS, **applications}


async def publish(registry: Registry, digest: str) -> None:
    """What scoring's relay would put into its stream."""
    message = RankingMessage(
        round=ROUND, version=1, published_at=datetime(2020, 12, 1, 4, 0, tzinfo=UTC), published_by=["ann", "bob"],
        rules_digest=digest, tally_digest="t" * 64, ranking_csv=RANKING,
    )  # fmt: skip
    await registry.redis.xadd(SCORING_RANKINGS, {"body": encode(message)}, id="1-0")
    at = datetime.now(UTC).isoformat()
    await registry.redis.hset(heartbeat_key(SCORING_RANKINGS), mapping={"n": 1, "at": at})

    async def listed() -> bool:
        return bool(await registry.parts.pool.fetchval("SELECT count(*) FROM lists"))

    await wait_until(listed, 10, "the ranking becomes a list")


async def confirm(registry: Registry) -> None:
    """The meeting's confirmation as its two signatures leave it (tests of lists tell how they come about)."""
    connection = await asyncpg.connect(registry.database.app_url)
    try:
        proposal = await connection.fetchval(
            "INSERT INTO list_proposals (round, act, list_version, content, state, proposed_by, proposed_at,"
            " confirmed_by, confirmed_at, ended_at)"
            " VALUES ($1, 'confirmation', 1, '{}', 'done', 'ann', now(), 'bob', now(), now()) RETURNING proposal",
            ROUND,
        )
        await connection.execute(
            "INSERT INTO list_confirmations (round, version, proposal, meeting_number, held_on, confirmed_at)"
            " VALUES ($1, 1, $2, '2020-12', '2020-12-20', now())",
            ROUND,
            proposal,
        )
    finally:
        await connection.close()


class Office:
    """Two administrators, a reviewer, an auditor, and the units of c1 and c2 with an applicant each."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    async def call(self, actor: str, method: str, path: str, **more: Any) -> Any:
        return await self.registry.call(method, f"/rounds/{ROUND}/projects{path}", actor, **more)

    async def post(self, actor: str, path: str, body: Any, status: int = 201) -> Any:
        """The answer's body; fails the test where the status is another."""
        answer = await self.call(actor, "POST", path, json=body)
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        return answer.json()

    async def project(self, candidate: str = "c1", actor: str = "ann") -> Any:
        answer = await self.call(actor, "GET", f"/{candidate}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def upload(self, actor: str, content: str, candidate: str = "c1", purpose: str = "voucher") -> str:
        """The attachment of a small PDF that holds `content`."""
        pdf = f"%PDF-1.4\n% {content}\n1 0 obj<</Type/Catalog>>endobj\nstartxref\n0\n%%EOF\n".encode()
        answer = await self.call(
            actor, "POST", f"/{candidate}/attachments",
            files={"file": ("票据.pdf", pdf, "application/pdf")}, data={"purpose": purpose},
        )  # fmt: skip
        assert answer.status_code == 201, answer.text
        return str(answer.json()["attachment"])

    async def sign(self, candidate: str, proposal: str, *signers: str, status: int = 201) -> Any:
        for signer in signers:
            path = f"/{candidate}/proposals/{proposal}/decisions"
            answer = await self.post(signer, path, {"decision": "approve"}, status)
        return answer

    async def grant(self, candidate: str = "c1", first: str = "1000", second: str = "500.50") -> None:
        """A grant in one instalment, signed by two."""
        total = str(Decimal(first) + Decimal(second))
        body = {
            "lines": [{"line": 1, "amount": first}, {"line": 2, "amount": second}],
            "instalments": [{"amount": total, "planned_on": "2021-01-15"}], "reason": "按申报预算",
        }  # fmt: skip
        made = await self.post("ann", f"/{candidate}/grants", body)
        assert (await self.sign(candidate, made["proposal"], "bob"))["state"] == "effective"

    def booking(self, voucher: str, amount: str, **changes: Any) -> dict[str, Any]:
        body = {
            "booking": str(uuid4()), "kind": "expenditure", "line": 1, "amount": amount, "spent_on": "2021-03-01",
            "purpose": "培训教材", "voucher": voucher,
        }  # fmt: skip
        return body | changes


async def managed_round(registry: Registry, rules: str, *, confirmed: bool = True) -> Office:
    """The office before any project is open."""
    for channel, seed in (("wuhua", 1), ("guandu", 2)):
        unit = await add_unit(registry, seed, channel)
        await registry.add_staff(f"unit{seed}", "applicant", unit=unit)
        await registry.add_staff(f"officer-{channel}", "channel_officer", channel=channel)
    for name in ("ann", "bob"):
        await registry.add_staff(name, "administrator")
    await registry.add_staff("rita", "reviewer")
    await registry.add_staff("kin", "reviewer", channel="wuhua")
    await registry.add_staff("audit", "auditor")
    loaded = await registry.load(files(rules))
    assert loaded.status_code == 201, json.dumps(loaded.json(), ensure_ascii=False)
    await publish(registry, loaded.json()["digest"])
    if confirmed:
        await confirm(registry)
    return Office(registry)


async def open_office(registry: Registry, rules: str) -> Office:
    """The same with the projects of c1 and c2 open."""
    office = await managed_round(registry, rules)
    opened = await office.post("ann", "", OPENING)
    assert opened["opened"] == ["c1", "c2"]
    return office
