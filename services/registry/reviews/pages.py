"""Pages of the preliminary review: what is due, one application beside its review, and the list of joint checks."""

from collections.abc import Iterable
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from services.registry.applications import access
from services.registry.applications import reading as application_reading
from services.registry.applications import store as applications
from services.registry.applications.records import Application, Version
from services.registry.applications.stages import STAGE_NAMES, Stage
from services.registry.applications.views import file_facts
from services.registry.calendar import store as calendar
from services.registry.calls import recommendation_store as recommendations
from services.registry.documents.listing import Listing
from services.registry.office import entry
from services.registry.office.store import names
from services.registry.parts import parts
from services.registry.reviews import reading, reviewing, store, views
from services.registry.reviews.appeals import OUTCOMES
from services.registry.reviews.checklists import ITEMS, OUTCOME_NAMES, REASON_NAMES
from services.registry.reviews.reviewing import DEPARTMENTS, RESULTS
from services.registry.reviews.store import JointCheckLine
from services.registry.units import channel_store
from services.shared.clock import day_in
from services.shared.pages import AnyRequest
from services.shared.staff import Staff
from services.shared.vocabulary import CATEGORIES, LEAD_KINDS, LEVELS, PARTNER_KINDS, SECTIONS

_REVIEW_STAGES = (Stage.IN_REVIEW, Stage.COMPLETION, Stage.ACCEPTED, Stage.NOT_ACCEPTED, Stage.CANDIDATE)
_COMPARED = ("title", "level", "category", "summary", "partners", "team", "budget", "targets", "files")


@get("/office/reviews")
async def reviews_page(request: AnyRequest) -> Response[Any]:
    """Reviews of a call with their due dates; departments are asked for several at once."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.DESK)
    calls = await entry.announced_calls(request)
    call = entry.chosen_call(request, calls)
    lines: list[dict[str, Any]] = []
    cut = entry.Cut([], "", "")
    if call is not None:
        stage, channel = entry.asked(request, "stage") or None, entry.asked(request, "channel") or None
        found = await store.page(
            own.pool, call.call, entry.asked(request, "after"), entry.size(request), stage, channel
        )
        cut = entry.cut(request, found, lambda each: each[0].application)
        shown = found if entry.is_export(request) else cut.items
        days, now = await calendar.load(own.pool), own.clock.now()
        lines = [views.line(review, days, filled, now) for review, filled in shown]
        if entry.is_export(request):
            chosen = set(entry.picked(request))
            listing = _listing(each for each in lines if not chosen or each["application"] in chosen)
            return await entry.export(request, listing, call.timezone)
    return own.pages.render(
        request, "office_reviews.html", staff=staff, calls=calls, call=call, cut=cut, lines=lines,
        stages={stage: STAGE_NAMES[stage] for stage in _REVIEW_STAGES}, levels=LEVELS, departments=DEPARTMENTS,
        may_act=staff.has(*access.OFFICE), outcomes=OUTCOME_NAMES,
        channels=await channel_store.all_channels(own.pool), days_max=reviewing.COMPLETION_DAYS_MAX,
        own=lambda each: access.has_conflict(staff, each["unit"], each["channel"]),
        asked=lambda name: entry.asked(request, name), address=lambda **changes: entry.address(request, **changes),
    )  # fmt: skip


def _listing(lines: Iterable[dict[str, Any]]) -> Listing:
    rows = [
        (
            each["title"], each["unit_name"], each["channel_name"], LEVELS.get(each["level"], ""), each["stage_name"],
            each["checklists"], each["due_on"], each["days_left"], "是" if each["paused"] else "",
            OUTCOME_NAMES.get(each["outcome"], ""), each["application"],
        )
        for each in lines
    ]  # fmt: skip
    headings = (
        "项目名称", "申报单位", "推荐渠道", "项目级别", "阶段", "已填审查表", "到期日", "剩余工作日", "补正暂停",
        "初审结果", "编号",
    )  # fmt: skip
    return Listing("初审情况", headings, list(rows))


@get("/office/applications/{application:str}")
async def application_page(request: AnyRequest, application: FromPath[str]) -> Response[Any]:
    """The application on one side, its review (or its place in the recommendation) on the other."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.EVERYBODY)
    found = await application_reading.seen(own.pool, application, staff)
    versions = await applications.newest_versions(own.pool, found.application, 2)
    await application_reading.note(own.pool, found, staff, own.clock.now())
    review = await _review(request, found, staff)
    page = own.pages.render(
        request, "office_application.html", staff=staff, application=found, stage_name=STAGE_NAMES[found.stage],
        content=versions[0].content if versions else found.content, version=versions[0] if versions else None,
        changed=_changed(versions) if review and (review["completion"] or {}).get("answered") else set(),
        files=[file_facts(each) for each in await applications.files(own.pool, found.application)],
        review=review, place=await _place(request, found), people=await names(own.pool),
        is_conflict=access.has_conflict(staff, found.unit, found.channel) and staff.has(*access.OFFICE),
        items=ITEMS, reasons=REASON_NAMES, outcomes=OUTCOME_NAMES, appeal_outcomes=OUTCOMES, departments=DEPARTMENTS,
        results=RESULTS, days_max=reviewing.COMPLETION_DAYS_MAX, levels=LEVELS, categories=CATEGORIES,
        sections=SECTIONS, kinds=LEAD_KINDS | PARTNER_KINDS, today=day_in(own.clock.now(), found.timezone),
    )  # fmt: skip
    page.headers["cache-control"] = "no-store"
    return page


async def _review(request: AnyRequest, found: Application, staff: Staff) -> dict[str, Any] | None:
    """The review once it has opened; officers learn of decision and completion, as the interface tells them."""
    own = parts(request)
    if await store.load(own.pool, found.application) is None:
        return None
    return await reading.read(own.pool, found.application, staff, own.clock.now())


async def _place(request: AnyRequest, found: Application) -> dict[str, Any]:
    """Where the channel ranked it, with its opinion, or why it is left out."""
    sheet = await recommendations.find(parts(request).pool, found.call, found.channel)
    ranked = found.application in sheet.ranked
    return {
        "rank": sheet.ranked.index(found.application) + 1 if ranked else None,
        "of": len(sheet.ranked),
        "opinion": sheet.opinions.get(found.application, ""),
        "reason": sheet.not_recommended.get(found.application, ""),
        "sent_at": sheet.sent_at,
    }


def _changed(versions: list[Version]) -> set[str]:
    """Parts of the form that differ between the newest version and the one before it."""
    if len(versions) < 2:
        return set()
    after, before = versions[0].content, versions[1].content
    parts_changed = {name for name in _COMPARED if after.get(name) != before.get(name)}
    sections = {name for name in SECTIONS if after["sections"].get(name) != before["sections"].get(name)}
    return parts_changed | sections


@get("/office/joint-checks")
async def joint_checks_page(request: AnyRequest) -> Response[Any]:
    """What departments were asked, by department and answer, with the answers to enter."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.DESK)
    calls = await entry.announced_calls(request)
    call = entry.chosen_call(request, calls)
    department, answer, after = (entry.asked(request, name) for name in ("department", "answer", "after"))
    size = entry.size(request)
    found = await store.joint_check_lines(own.pool, call.call, department, answer, after, size) if call else []
    if call is not None and entry.is_export(request):
        return await entry.export(request, _joint_listing(found, department), call.timezone)
    days, today = await calendar.load(own.pool), day_in(own.clock.now(), call.timezone if call else "Asia/Shanghai")
    return own.pages.render(
        request, "office_joint_checks.html", staff=staff, calls=calls, call=call,
        cut=entry.cut(request, found, lambda each: f"{each.application}/{each.department}"), departments=DEPARTMENTS,
        results=RESULTS, may_act=staff.has(*access.OFFICE), left=lambda due_on: days.working_days_left(today, due_on),
        own=lambda each: access.has_conflict(staff, each.unit, each.channel), today=today,
        asked=lambda name: entry.asked(request, name), address=lambda **changes: entry.address(request, **changes),
    )  # fmt: skip


def _joint_listing(found: list[JointCheckLine], department: str) -> Listing:
    """What is sent to a department, with room for its answer."""
    rows = [
        (
            DEPARTMENTS[each.department], each.unit_name, each.credit_code, each.title, each.channel_name, each.due_on,
            RESULTS.get(each.result or "", ""), each.text,
        )
        for each in found
    ]  # fmt: skip
    name = f"联审名单-{DEPARTMENTS[department]}" if department in DEPARTMENTS else "联审名单"
    headings = ("部门", "申报单位", "统一社会信用代码", "项目名称", "推荐渠道", "回复期限", "结果", "说明")
    return Listing(name, headings, list(rows))


ROUTES = [reviews_page, application_page, joint_checks_page]
