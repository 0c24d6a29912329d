"""Applications from the first draft to their submission: autosave, limits, deadline, reopening, withdrawal."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg
import pytest

from services.registry.applications import drafting
from services.registry.applications.drafting import APPLICATIONS_MAX
from services.registry.audit import INVARIANTS
from services.shared.errors import Refusal
from services.shared.staff import Staff
from tests.integration.registry.application_steps import (
    announce,
    applicant_with_draft,
    begin,
    form,
    logged,
    submit,
    submitted,
)
from tests.integration.registry.conftest import Registry
from tests.support.registry_people import add_applicant, add_channel, add_officer, add_unit


async def test_a_form_is_filled_bit_by_bit_and_handed_in(registry: Registry) -> None:
    await announce(registry)
    applicant = await add_applicant(registry, await add_unit(registry))
    draft = await begin(registry, applicant, content={"title": "楼院"})
    identifier = draft["application"]
    assert (draft["stage"], draft["version"], draft["lead"]["name"]) == ("draft", 1, "第1社区居委会")
    assert set(draft["actions"]) == {"edit", "attach", "consents", "submit", "withdraw"}

    incomplete = await submit(registry, applicant, identifier)
    assert (incomplete.status_code, incomplete.json()["reason"]) == (422, "application_incomplete")
    checked = (await registry.call("GET", f"/applications/{identifier}/check", applicant)).json()
    assert not checked["complete"]
    assert checked["problems"] == incomplete.json()["problems"]
    missing = {each["field"] for each in checked["problems"]}
    assert missing == {
        "level", "category", "summary", "sections.need_analysis", "sections.work_plan",
        "sections.innovation_analysis", "sections.contingencies", "team", "budget", "targets",
    }  # fmt: skip
    assert {"field": "level", "title": "项目级别", "word": "missing", "text": "还没有填写"} in checked["problems"]

    rest = form()
    sections = rest.pop("sections")
    first = {"sections": {"work_plan": sections.pop("work_plan")}}
    saved = await registry.call("PUT", f"/applications/{identifier}", applicant, json={"version": 1, "content": first})
    assert (saved.status_code, saved.json()["version"]) == (200, 2)
    body = {"version": 2, "content": {**rest, "sections": sections}}
    await registry.call("PUT", f"/applications/{identifier}", applicant, json=body)
    stored = (await registry.call("GET", f"/applications/{identifier}", applicant)).json()
    assert stored["content"] == {**form(), "picture_alt": "", "partners": []}
    assert (stored["title"], stored["level"], stored["category"]) == ("楼院议事厅", "key", "resident_autonomy")

    done = await submitted(registry, applicant, identifier)
    assert (done["stage"], done["stage_name"]) == ("submitted", "已提交")
    [version] = done["versions"]
    assert version["number"] == 1
    assert version["version_code"] == done["version_code"]
    assert len(version["version_code"]) == 14
    assert "edit" not in done["actions"]
    assert await logged(registry, identifier) == [
        "application.begun", "application.saved", "application.saved", "application.submitted"
    ]  # fmt: skip


async def test_what_was_handed_in_is_kept_under_its_hash_and_never_changes(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    done = await submitted(registry, applicant, draft["application"])
    row = await registry.parts.pool.fetchrow("SELECT content, sha256 FROM application_versions")
    assert row is not None
    assert hashlib.sha256(row["content"].encode()).digest() == bytes(row["sha256"])
    assert done["versions"][0]["sha256"] == row["sha256"].hex()
    assert '"amount":"12000.00"' in row["content"]
    with pytest.raises(Exception, match=r"append-only|permission denied"):
        await registry.parts.pool.execute("UPDATE application_versions SET version_code = ''")
    for name, query in INVARIANTS.items():
        assert await registry.parts.pool.fetch(query) == [], name


async def test_one_second_after_the_deadline_is_too_late(registry: Registry) -> None:
    await announce(registry, closes_in_s=1800)
    applicant, draft = await applicant_with_draft(registry)
    other = await begin(registry, applicant)
    await submitted(registry, applicant, draft["application"])
    closes_at = datetime.fromisoformat(other["application_closes_at"])
    registry.pass_time((closes_at - registry.parts.clock.now()).total_seconds() + 1)
    late = await submit(registry, applicant, other["application"])
    assert (late.status_code, late.json()["reason"]) == (403, "deadline_passed")
    assert late.json()["closed_at"]
    body = {"version": 1, "content": {"title": "改"}}
    for answer in (
        await registry.call("PUT", f"/applications/{other['application']}", applicant, json=body),
        await registry.call("POST", "/calls/autumn/applications", applicant, json={}),
        await registry.call(
            "POST", f"/applications/{draft['application']}/reopen-requests", applicant, json={"reason": "改"}
        ),
    ):
        assert (answer.status_code, answer.json()["reason"]) == (403, "deadline_passed")
    kept = (await registry.call("GET", f"/applications/{other['application']}", applicant)).json()
    assert (kept["stage"], kept["version"], kept["actions"]) == ("draft", 1, ["withdraw"])


async def test_before_the_window_and_without_a_call_nothing_begins(registry: Registry) -> None:
    await announce(registry, opens_in_s=60)
    applicant = await add_applicant(registry, await add_unit(registry))
    early = await registry.call("POST", "/calls/autumn/applications", applicant, json={})
    assert (early.status_code, early.json()["reason"]) == (409, "not_open")
    unknown = await registry.call("POST", "/calls/spring/applications", applicant, json={})
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "unknown_call")


async def test_a_unit_of_a_partner_kind_leads_nothing(registry: Registry) -> None:
    await announce(registry)
    applicant = await add_applicant(registry, await add_unit(registry, kind="social_organisation"))
    refused = await registry.call("POST", "/calls/autumn/applications", applicant, json={"content": form()})
    assert (refused.status_code, refused.json()["reason"]) == (422, "partner_as_lead")
    assert await registry.parts.pool.fetchval("SELECT count(*) FROM applications") == 0


async def test_a_unit_that_was_closed_meanwhile_hands_nothing_in(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    await registry.parts.pool.execute("UPDATE units SET state = 'closed'")
    refused = await submit(registry, applicant, draft["application"])
    assert (refused.status_code, refused.json()["reason"]) == (409, "unit_not_approved")


async def test_a_budget_that_does_not_add_up_is_refused_with_both_sums(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry, budget_total="12800.00")
    refused = await submit(registry, applicant, draft["application"])
    assert (refused.status_code, refused.json()["reason"]) == (422, "budget_does_not_add_up")
    [problem] = refused.json()["problems"]
    assert (problem["sum"], problem["total"], problem["field"]) == ("12800.50", "12800.00", "budget_total")
    kept = (await registry.call("GET", f"/applications/{draft['application']}", applicant)).json()
    assert (kept["stage"], kept["versions"]) == ("draft", [])


@pytest.mark.parametrize(
    ("content", "field", "word"),
    [
        ({"title": "长" * 201}, "title", "too_long"),
        ({"summary": "长" * 501}, "summary", "too_long"),
        ({"sections": {"work_plan": "长" * 10_001}}, "sections.work_plan", "too_long"),
        ({"title": "两\n行"}, "title", "control_character"),
        ({"level": "huge"}, "level", "no_choice"),
        ({"partners": [{"kind": "enterprise"}]}, "partners[0].kind", "no_choice"),
        ({"team": [{"name": "甲", "role": "乙"}] * 101}, "team", "too_many"),
    ],
)
async def test_a_draft_keeps_to_the_limits(
    registry: Registry, content: dict[str, object], field: str, word: str
) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    body = {"version": 1, "content": content}
    refused = await registry.call("PUT", f"/applications/{draft['application']}", applicant, json=body)
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_application")
    assert [(each["field"], each["word"]) for each in refused.json()["problems"]] == [(field, word)]


@pytest.mark.parametrize(
    "content",
    [{"budget": [{"line": "场地", "amount": 12000, "basis": "x"}]}, {"titel": "x"}, {"title": None}, {"team": "甲"}],
)
async def test_a_draft_is_strictly_typed(registry: Registry, content: dict[str, object]) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    body = {"version": 1, "content": content}
    refused = await registry.call("PUT", f"/applications/{draft['application']}", applicant, json=body)
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_application")


async def test_two_people_who_edit_at_once_do_not_overwrite_each_other(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    path = f"/applications/{draft['application']}"
    answers = await asyncio.gather(
        *(
            registry.call("PUT", path, applicant, json={"version": 1, "content": {"title": title}})
            for title in ("甲写的", "乙写的")
        )
    )
    assert sorted(each.status_code for each in answers) == [200, 409]
    stale = next(each for each in answers if each.status_code == 409).json()
    assert (stale["reason"], stale["version"]) == ("stale_version", 2)


async def test_two_submissions_at_once_make_one_version(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    answers = await asyncio.gather(*(submit(registry, applicant, draft["application"]) for _ in range(3)))
    assert sorted(each.status_code for each in answers) == [200, 409, 409]
    assert await registry.parts.pool.fetchval("SELECT count(*) FROM application_versions") == 1


async def test_a_reopened_application_is_handed_in_anew_and_the_old_version_stays(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    path = f"/applications/{draft['application']}"
    first = await submitted(registry, applicant, draft["application"])
    without = await registry.call("POST", f"{path}/reopen-requests", applicant, json={"reason": " "})
    assert without.json()["reason"] == "reason_missing"
    reopened = await registry.call("POST", f"{path}/reopen-requests", applicant, json={"reason": "预算要改"})
    assert (reopened.status_code, reopened.json()["stage"]) == (201, "draft")
    same = await submitted(registry, applicant, draft["application"])
    assert same["version_code"] == first["version_code"]
    await registry.call("POST", f"{path}/reopen-requests", applicant, json={"reason": "标题要改"})
    version = (await registry.call("GET", path, applicant)).json()["version"]
    await registry.call("PUT", path, applicant, json={"version": version, "content": {"title": "新标题"}})
    third = await submitted(registry, applicant, draft["application"])
    assert [each["number"] for each in third["versions"]] == [1, 2, 3]
    assert third["version_code"] != first["version_code"]
    assert [each["reason"] for each in third["reopenings"]] == ["预算要改", "标题要改"]


async def test_a_completion_is_edited_and_handed_in_after_the_deadline(registry: Registry) -> None:
    await announce(registry, closes_in_s=60)
    applicant, draft = await applicant_with_draft(registry)
    path = f"/applications/{draft['application']}"
    done = await submitted(registry, applicant, draft["application"])
    registry.pass_time(3600)
    refused = await registry.call("PUT", path, applicant, json={"version": done["version"], "content": {"title": "x"}})
    assert refused.json()["reason"] == "wrong_stage"
    await registry.parts.pool.execute("UPDATE applications SET stage = 'completion'")
    body = {"version": done["version"], "content": {"title": "补正后的标题"}}
    assert (await registry.call("PUT", path, applicant, json=body)).status_code == 200
    closes_at = await ask_completion(registry, draft["application"], due_in_s=600)
    owner = Staff(applicant, applicant, "", frozenset({"applicant"}), draft["unit"], "")
    for late in (
        # The loop that ends completions looks at the clock too: here only the receive time is late.
        drafting.save(registry.parts.pool, draft["application"], {"title": "x"}, 0, owner, closes_at),
        drafting.submit(registry.parts.pool, draft["application"], None, owner, closes_at),
    ):
        with pytest.raises(Refusal, match="deadline_passed"):
            await late
    again = await submitted(registry, applicant, draft["application"])
    assert (again["stage"], len(again["versions"])) == ("in_review", 2)


async def ask_completion(registry: Registry, application: str, due_in_s: float) -> datetime:
    """What the office's request leaves in the database (reviews have tests of their own); when it is due."""
    now = registry.parts.clock.now()
    closes_at = now + timedelta(seconds=due_in_s)
    await registry.parts.pool.execute(
        "INSERT INTO reviews (application, call, opened_at, started_on, working_days)"
        " SELECT application, call, $2, $3, 5 FROM applications WHERE application = $1",
        application, now, now.date(),
    )  # fmt: skip
    await registry.parts.pool.execute(
        "INSERT INTO completions (application, text, requested_by, requested_at, requested_on, due_on, closes_at)"
        " VALUES ($1, '请补材料', 'shen', $2, $3, $3, $4)",
        application, now, now.date(), closes_at,
    )  # fmt: skip
    return closes_at


async def test_a_withdrawal_of_what_was_handed_in_gives_its_reason_and_is_final(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    path = f"/applications/{draft['application']}"
    await submitted(registry, applicant, draft["application"])
    without = await registry.call("POST", f"{path}/withdraw", applicant)
    assert (without.status_code, without.json()["reason"]) == (422, "reason_missing")
    stale = await registry.call("POST", f"{path}/withdraw", applicant, json={"reason": "x", "version": 1})
    assert stale.json()["reason"] == "stale_version"
    gone = await registry.call("POST", f"{path}/withdraw", applicant, json={"reason": "经费另有来源"})
    assert (gone.json()["stage"], gone.json()["actions"]) == ("withdrawn", [])
    again = await submit(registry, applicant, draft["application"])
    assert (again.status_code, again.json()["reason"]) == (409, "wrong_stage")
    candidate = await begin(registry, applicant)
    await registry.parts.pool.execute(
        "UPDATE applications SET stage = 'candidate' WHERE application = $1", candidate["application"]
    )
    refused = await registry.call(
        "POST", f"/applications/{candidate['application']}/withdraw", applicant, json={"reason": "x"}
    )
    assert refused.json()["reason"] == "wrong_stage"


async def test_everybody_sees_what_is_theirs_and_nothing_foreign(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    identifier = draft["application"]
    foreign = await add_applicant(registry, await add_unit(registry, 2, "panlong"))
    officer, far_officer = await add_officer(registry), await add_officer(registry, "panlong")
    await registry.add_staff("shen", "reviewer")
    await registry.add_staff("audit", "auditor")
    await registry.add_staff("expert", "expert")

    async def status(actor: str) -> int:
        return (await registry.call("GET", f"/applications/{identifier}", actor)).status_code

    people = (applicant, foreign, officer, far_officer, "shen", "audit", "expert", "")
    assert [await status(each) for each in people] == [200, 404, 404, 404, 200, 200, 403, 401]
    await submitted(registry, applicant, identifier)
    assert [await status(each) for each in people] == [200, 404, 200, 404, 200, 200, 403, 401]
    reads = await registry.parts.pool.fetch(
        "SELECT actor, personal FROM log_entries WHERE action = 'application.read' AND object = $1", identifier
    )
    assert [row["actor"] for row in reads] == ["shen", "audit", officer, "shen", "audit"]
    assert all(row["personal"] for row in reads)
    unknown = (await registry.call("GET", "/applications/nothing", foreign)).json()
    hidden = (await registry.call("GET", f"/applications/{identifier}", foreign)).json()
    assert (
        (unknown["reason"], unknown["title"])
        == (hidden["reason"], hidden["title"])
        == ("unknown_application", hidden["title"])
    )


async def test_nobody_but_the_unit_changes_what_it_wrote(registry: Registry) -> None:
    await announce(registry)
    _, draft = await applicant_with_draft(registry)
    path = f"/applications/{draft['application']}"
    foreign = await add_applicant(registry, await add_unit(registry, 2))
    await registry.add_staff("shen", "reviewer")
    await registry.add_staff("audit", "auditor")
    body = {"version": 1, "content": {"title": "别人写的"}}
    answers = [await registry.call("PUT", path, actor, json=body) for actor in (foreign, "shen", "platform", "audit")]
    assert [each.status_code for each in answers] == [404, 403, 403, 403]
    acts = [await registry.call("POST", f"{path}/{act}", "shen", json={"reason": "x"}) for act in ("withdraw",)]
    assert [each.status_code for each in acts] == [403]


async def test_a_clerk_enters_it_for_a_unit_that_only_has_paper(registry: Registry) -> None:
    await announce(registry)
    unit = await add_unit(registry)
    await registry.add_staff("shen", "reviewer")
    officer, far_officer = (
        await add_officer(registry),
        await add_officer(registry, await add_channel(registry, "panlong")),
    )
    for actor in ("shen", officer):
        made = await begin(registry, actor, on_behalf=unit)
        assert (made["on_behalf"], made["unit"], made["created_by"]) == (True, unit, actor)
        assert (await submitted(registry, actor, made["application"]))["stage"] == "submitted"
    entry = await registry.parts.pool.fetchval(
        "SELECT after FROM log_entries WHERE action = 'application.begun' AND actor = 'shen'"
    )
    assert entry["on_behalf"] is True
    far = await registry.call("POST", "/calls/autumn/applications", far_officer, json={"on_behalf": unit})
    assert (far.status_code, far.json()["reason"]) == (404, "unknown_unit")
    nobody = await registry.call("POST", "/calls/autumn/applications", "shen", json={})
    assert nobody.status_code == 403
    await registry.add_staff("kin", "reviewer", unit=unit)
    kin = await registry.call("POST", "/calls/autumn/applications", "kin", json={"on_behalf": unit})
    assert (kin.status_code, kin.json()["reason"]) == (403, "conflict_of_interest")
    mine = await begin(registry, "shen", on_behalf=unit)
    body = {"version": 1, "content": {"title": "x"}}
    refused = await registry.call("PUT", f"/applications/{mine['application']}", "kin", json=body)
    assert (refused.status_code, refused.json()["reason"]) == (403, "conflict_of_interest")


async def test_a_list_pages_by_key_and_filters_within_what_one_may_see(registry: Registry) -> None:
    await announce(registry)
    applicant, first = await applicant_with_draft(registry)
    others = [(await begin(registry, applicant, content=form(title=f"100%_{k}")))["application"] for k in range(4)]
    foreign, their = await applicant_with_draft(registry, 2, level="major")
    officer = await add_officer(registry)
    await submitted(registry, applicant, others[0])

    async def titles(actor: str, query: str = "") -> list[str]:
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            path = f"/calls/autumn/applications?limit=2&after={after}{query}"
            page = (await registry.call("GET", path, actor)).json()
            found += [each["application"] for each in page["items"]]
            assert len(page["items"]) <= 2
            after = page["next"]
        return found

    assert await titles(applicant) == [first["application"], *others]
    assert await titles(foreign) == [their["application"]]
    assert await titles(officer) == [others[0]]
    assert await titles("platform") == [first["application"], *others, their["application"]]
    assert await titles("platform", "&q=100%25_") == others
    assert await titles("platform", "&q=0__") == []
    assert await titles("platform", "&level=major") == [their["application"]]
    assert await titles("platform", "&stage=submitted") == [others[0]]
    assert await titles("platform", "&channel=panlong") == []
    [line] = (await registry.call("GET", "/calls/autumn/applications?stage=submitted")).json()["items"]
    assert (line["unit_name"], line["channel_name"], line["level_name"]) == ("第1社区居委会", "wuhua渠道", "重点项目")
    assert line["version_code"]
    for query in ("limit=0", "limit=201", "stage=nothing", f"q={'x' * 201}"):
        refused = await registry.call("GET", f"/calls/autumn/applications?{query}")
        assert (refused.status_code, refused.json()["reason"]) == (422, "bad_filter")


async def test_the_form_tells_its_fields_and_limits_to_everybody(registry: Registry) -> None:
    await announce(registry, closes_in_s=86_400 * 3 + 5)
    answer = (await registry.call("GET", "/calls/autumn/form", "")).json()
    fields = {each["field"]: each for each in answer["fields"]}
    assert fields["title"]["length_max"] == 200
    assert fields["budget"]["rows_max"] == 100
    assert {"word": "major", "name": "重大项目"} in fields["level"]["choices"]
    assert answer["days_left"] == 3
    assert len(answer["proofs"]) == 6
    english = (await registry.call("GET", "/calls/autumn/form?lang=en", "")).json()
    assert english["fields"][0]["hint"] != answer["fields"][0]["hint"]


async def test_a_unit_does_not_flood_a_call(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    await registry.parts.pool.execute(
        "INSERT INTO applications (application, call, unit, channel, created_by)"
        " SELECT 'more-' || n, call, unit, channel, created_by FROM applications, generate_series(2, $2) n"
        " WHERE application = $1",
        draft["application"], APPLICATIONS_MAX,
    )  # fmt: skip
    refused = await registry.call("POST", "/calls/autumn/applications", applicant, json={"content": form()})
    assert (refused.status_code, refused.json()["reason"]) == (409, "too_many_applications")


async def test_a_page_of_five_thousand_takes_few_queries(registry: Registry) -> None:
    await announce(registry)
    applicant, draft = await applicant_with_draft(registry)
    await registry.parts.pool.execute(
        "INSERT INTO applications (application, call, unit, channel, title, created_by, stage, submitted_at)"
        " SELECT lpad(n::text, 30, '0'), call, unit, channel, '项目' || n, created_by, 'submitted', now()"
        " FROM applications, generate_series(2, 5000) n WHERE application = $1",
        draft["application"],
    )
    officer = await add_officer(registry)
    for actor in ("platform", applicant, officer):
        tries: list[list[str]] = []
        # A background step may ask something meanwhile, but not each time.
        for _ in range(3):
            queries: list[str] = []
            async with watched(registry, queries):
                page = await registry.call("GET", "/calls/autumn/applications?limit=200&q=项目", actor)
            assert len(page.json()["items"]) == 200
            tries.append(queries)
        assert min(map(len, tries)) <= 5, tries


@asynccontextmanager
async def watched(registry: Registry, queries: list[str]) -> AsyncIterator[None]:
    """Notes every statement that this process sends meanwhile."""
    pool = registry.parts.pool
    connections = [await pool.acquire() for _ in range(pool.get_size())]

    def note(query: asyncpg.connection.LoggedQuery) -> None:
        if "applications" in query.query or "staff" in query.query or "calls" in query.query:
            queries.append(query.query)

    for connection in connections:
        connection.add_query_logger(note)
        await pool.release(connection)
    yield
