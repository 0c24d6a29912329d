"""The office's pages: what waits for whom, lists with filters and exports, a case beside its forms, who sees what."""

from __future__ import annotations

import csv
import io
from collections import Counter

import httpx
from openpyxl import load_workbook

from services.registry.office import store as office_store
from services.registry.office.tasks import TaskKind
from services.shared.staff import Staff
from tests.integration.registry.application_steps import submitted
from tests.integration.registry.call_steps import DAY_S, announced, applied, checklist, decided, post
from tests.integration.registry.conftest import Registry, simple_files
from tests.integration.registry.test_applications import watched
from tests.integration.registry.test_lists import loaded, publish
from tests.integration.registry.test_reviews import in_review
from tests.support.project_rounds import ROUND, SELECTION, local_day, open_office
from tests.support.registry_lists import OBJECTION, handle, into_window, now, object_to, office
from tests.support.registry_people import add_officer, unit_body


async def answer(registry: Registry, path: str, actor: str) -> httpx.Response:
    registry.http.cookies.clear()
    return await registry.http.get(path, headers=registry.headers(actor))


async def page(registry: Registry, path: str, actor: str) -> str:
    found = await answer(registry, path, actor)
    assert found.status_code == 200, f"{path}: {found.status_code}: {found.text[:600]}"
    return found.text


async def waiting(registry: Registry, username: str) -> dict[TaskKind, list[str]]:
    """What waits for somebody: kind → objects, sorted (tasks come in no order)."""
    row = await registry.parts.pool.fetchrow("SELECT * FROM staff WHERE staff = $1", username)
    assert row is not None
    staff = Staff(username, username, username, frozenset(row["roles"]), row["unit"], row["channel"])
    found: dict[TaskKind, list[str]] = {}
    rows = await office_store.tasks(registry.parts.pool, staff, registry.parts.clock.now())
    for each in sorted(rows, key=lambda each: each.object):
        found.setdefault(each.kind, []).append(each.object)
    return found


async def test_an_officer_finds_units_and_the_recommendation_of_their_channel_only(registry: Registry) -> None:
    await announced(registry)
    [(_, applicant)] = await applied(registry, 1)
    await add_officer(registry)
    await add_officer(registry, "city")
    made = await registry.call("POST", "/units", "", json=unit_body(7))
    unit = await registry.parts.pool.fetchval("SELECT unit FROM staff WHERE staff = $1", applicant)
    version = (await registry.call("GET", f"/units/{unit}", applicant)).json()["version"]
    asked = await registry.call("PATCH", f"/units/{unit}", applicant, json={"version": version, "name": "新名字"})
    assert asked.status_code == 200, asked.text
    assert await waiting(registry, "officer-wuhua") == {
        TaskKind.UNIT_REGISTRATION: [made.json()["unit"]],
        TaskKind.UNIT_CHANGE: [unit],
        TaskKind.RECOMMENDATION: ["wuhua"],
    }
    assert await waiting(registry, "officer-city") == {}
    assert await waiting(registry, "rev1") == {}
    beside = await page(registry, f"/office/units/{unit}", "officer-wuhua")
    assert 'is-different"><th scope="row">单位名称</th><td>第1社区居委会</td><td><strong>新名字</strong>' in beside
    assert (await answer(registry, f"/office/units/{unit}", "officer-city")).status_code == 404


async def test_the_inbox_counts_kinds_and_puts_what_is_due_first(registry: Registry) -> None:
    """Departments have one working day, reviews five: first by what is due, and after a month all of it is late."""
    [(application, _), _] = await in_review(registry, 2)
    asked = {"departments": ["petitions", "civil_affairs"], "working_days": 1}
    assert (await post(registry, f"/applications/{application}/review/joint-checks", "rev1", **asked)).is_success
    first = await page(registry, "/office", "rev1")
    assert "共 4 项" in first
    assert first.index("department=petitions") < first.index(f"/office/applications/{application}")
    assert '审查表待填写 <strong class="number">2</strong>' in first
    assert "?late=1" not in first
    only = await page(registry, "/office?kind=joint_check", "rev1")
    assert f"/office/applications/{application}" not in only
    assert "共 2 项" in await page(registry, "/office?page=99999&kind=joint_check", "rev1")
    assert "这一类没有待办" in await page(registry, "/office?late=1", "rev1")
    registry.pass_time(30 * DAY_S)
    late = await page(registry, "/office?late=1", "rev1")
    assert '已逾期 <strong class="number">4</strong>' in late
    assert "共 4 项" in late


async def test_a_review_waits_for_whoever_may_take_its_next_step(registry: Registry) -> None:
    """Two checklists by two people; what agrees is decided by the office, what differs by an administrator."""
    [(application, applicant)] = await in_review(registry)
    path = f"/applications/{application}/review/checklists"
    assert await waiting(registry, "rev1") == {TaskKind.REVIEW_CHECKLIST: [application]}
    said = checklist("not_accepted", reason="untrue", comment="只有审查员一看到的话")
    assert (await post(registry, path, "rev1", **said)).is_success
    assert await waiting(registry, "rev1") == {}
    assert "只有审查员一看到的话" not in await page(registry, f"/office/applications/{application}", "rev2")
    assert (await post(registry, path, "rev2", **checklist())).is_success
    assert "只有审查员一看到的话" in await page(registry, f"/office/applications/{application}", "rev2")
    assert await waiting(registry, "rev3") == {}
    assert await waiting(registry, "admin1") == {TaskKind.REVIEW_DECISION: [application]}
    asked = await post(registry, f"/applications/{application}/completion", "rev1", text="补正", working_days=3)
    assert asked.is_success
    assert await waiting(registry, "admin1") == {}
    await submitted(registry, applicant, application)
    await decided(registry, application, "not_accepted", "untrue", "不实")
    assert (await post(registry, f"/applications/{application}/appeal", applicant, text="请复议")).is_success
    assert await waiting(registry, "rev1") == {}
    assert await waiting(registry, "rev3") == {TaskKind.APPEAL: [application]}
    await registry.add_staff("near", "reviewer", channel="wuhua")
    assert await waiting(registry, "near") == {}


async def queries_of(registry: Registry, path: str, actor: str) -> int:
    """Statements about applications, calls and staff that a page sends, without those of the service's own loops:
    what it sent each time out of four."""
    always: Counter[str] | None = None
    for _ in range(4):
        queries: list[str] = []
        async with watched(registry, queries):
            assert len(await page(registry, path, actor)) < 120_000
        always = Counter(queries) if always is None else always & Counter(queries)
    return sum((always or Counter()).values())


async def test_thousands_of_reviews_take_four_queries(registry: Registry) -> None:
    [(application, _)] = await in_review(registry)
    await registry.parts.pool.execute(
        "INSERT INTO applications (application, call, unit, channel, title, created_by, stage, submitted_at)"
        " SELECT lpad(n::text, 30, '0'), call, unit, channel, '项目' || n, created_by, 'in_review', now()"
        " FROM applications, generate_series(2, 5000) n WHERE application = $1",
        application,
    )
    await registry.parts.pool.execute(
        "INSERT INTO reviews (application, call, opened_at, started_on, working_days)"
        " SELECT a.application, r.call, r.opened_at, r.started_on, 5 FROM applications a, reviews r"
        " WHERE r.application = $1 AND a.application <> $1",
        application,
    )
    for path, actor in (
        ("/office", "rev1"), ("/office?page=7&kind=review_checklist", "rev1"), ("/office/reviews", "rev1"),
        ("/office/applications?q=项目", "rev1"), ("/office/joint-checks", "rev1"),
    ):  # fmt: skip
        assert await queries_of(registry, path, actor) <= 4, path
    assert '<strong class="number">5000</strong>' in await page(registry, "/office", "rev1")
    whole = (await answer(registry, "/office?as=csv&page=7", "rev1")).text
    assert whole.count("\r\n") == 5001


async def test_lists_leave_as_files_whole_or_as_chosen(registry: Registry) -> None:
    """A title that would be a formula is a text in both."""
    found = await in_review(registry, 2)
    await registry.parts.pool.execute("UPDATE applications SET title = '=1+1' WHERE application = $1", found[0][0])
    told = await answer(registry, f"/office/reviews?as=xlsx&pick={found[0][0]}", "rev1")
    assert "attachment" in told.headers["content-disposition"]
    rows = list(load_workbook(io.BytesIO(told.content)).worksheets[0].iter_rows(values_only=True))
    assert [row[0] for row in rows] == ["项目名称", "=1+1"]
    plain = (await answer(registry, "/office/applications?as=csv", "rev1")).content
    assert plain.startswith(b"\xef\xbb\xbf")
    lines = list(csv.DictReader(io.StringIO(plain.decode("utf-8-sig"))))
    assert {line["项目名称"] for line in lines} == {"'=1+1", "楼院议事厅"}
    for path in ("/office", "/office/units?state=", "/office/joint-checks", "/office/recommendations"):
        assert (await answer(registry, f"{path}{'&' if '?' in path else '?'}as=xlsx", "rev1")).content[:2] == b"PK"


async def test_projects_wait_for_their_next_person(registry: Registry) -> None:
    works = await open_office(registry, simple_files(ROUND, more=SELECTION)["rules.toml"])
    assert await waiting(registry, "ann") == {TaskKind.PROJECT_GRANT: ["c1", "c2"]}
    body = {
        "lines": [{"line": 1, "amount": "1000"}, {"line": 2, "amount": "0"}],
        "instalments": [{"amount": "1000", "planned_on": "2021-01-15"}], "reason": "按申报预算",
    }  # fmt: skip
    made = await works.post("ann", "/c1/grants", body)
    assert await waiting(registry, "ann") == {TaskKind.PROJECT_GRANT: ["c2"]}
    assert (await waiting(registry, "bob"))[TaskKind.PROJECT_PROPOSAL] == ["c1"]
    # A reviewer of the channel has nothing to do with its project.
    assert await waiting(registry, "kin") == {TaskKind.PROJECT_GRANT: ["c2"]}
    await works.sign("c1", made["proposal"], "bob")
    voucher = await works.upload("unit1", "one")
    await works.post("unit1", "/c1/bookings", works.booking(voucher, "1100"))
    plan = {"planned_on": local_day(registry), "topic": "资金使用"}
    await works.post("ann", "/c1/inspections", plan)
    found = await waiting(registry, "ann")
    assert found[TaskKind.PROJECT_BOOKING] == found[TaskKind.PROJECT_INSPECTION] == ["c1"]
    # The acceptance of a project of 2021 is due, and that is told once.
    assert found[TaskKind.PROJECT_ACCEPTANCE] == ["c1"]
    shown = await page(registry, f"/office/projects/{ROUND}/c1", "ann")
    assert "超支" in shown
    assert "核对这一笔" in shown
    assert "核对这一笔" not in await page(registry, f"/office/projects/{ROUND}/c1", "officer-wuhua")
    registry.pass_time(DAY_S)
    assert (await answer(registry, f"/office/projects/{ROUND}/c2", "officer-wuhua")).status_code == 404


async def test_an_objection_is_shown_without_its_objector(registry: Registry) -> None:
    """The text to the office, and that it was read into the log; a second signature is not asked of the first."""
    await office(registry)
    await publish(registry, await loaded(registry), published_at=now())
    await into_window(registry)
    receipt = (await object_to(registry)).json()["receipt"]
    path = f"/office/objections/{receipt}"
    shown = await page(registry, path, "ann")
    assert OBJECTION["text"] in shown
    assert OBJECTION["name"] not in shown
    assert 'id="owner-form"' in shown
    assert "/owner" not in await page(registry, path, "aud")
    reads = "SELECT count(*) FROM log_entries WHERE action = 'objection.read'"
    assert await registry.parts.pool.fetchval(reads) == 2
    upheld = {"decision": "upheld", "reply": "经核查，异议属实。", "remedy": "list_change"}
    assert (await handle(registry, "ann", receipt, "decision", **upheld)).is_success
    assert "等另一位同事确认" in await page(registry, path, "ann")
    assert 'id="second"' in await page(registry, path, "bob")
    assert receipt in await page(registry, "/office/objections", "bob")
    assert await waiting(registry, "bob") == {TaskKind.OBJECTION_SECOND: [receipt]}
    assert TaskKind.OBJECTION_SECOND not in await waiting(registry, "ann")


async def test_what_an_address_may_hold_never_breaks_a_page(registry: Registry) -> None:
    await announced(registry)
    for path in (
        "/office?page=-1&kind=%00", "/office/units?state=none&after=%00", "/office/applications?call=none&stage=x",
        "/office/reviews?after=%00&stage=%00", "/office/joint-checks?after=//&answer=x", "/office/projects?round=none",
        "/office/objections?state=none&round=none", "/office/recommendations?call=none",
    ):  # fmt: skip
        await page(registry, path, "admin1")
    for path in (
        "/office/units/%00",
        "/office/applications/%00",
        "/office/recommendations/%00/%00",
        "/office/objections/%00",
        "/office/projects/%00/%00",
        "/office/objections/new/%00",
    ):
        assert (await answer(registry, path, "admin1")).status_code == 404, path
