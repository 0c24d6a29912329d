"""The pages of one application: where it stands, its form step by step, the check, the preview.

The server renders what is stored; `static/apply/wizard.js` saves what is typed through the interface. Whoever may see
an application sees where it stands and its preview; the form is for those who may change it.
"""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from services.registry.applications import access, consent_store, drafting, reading, rules, steps, store, views
from services.registry.applications.content import FIELD_TITLES, read
from services.registry.applications.problems import Problem, Word
from services.registry.applications.problems import facts as problem_facts
from services.registry.applications.records import Application
from services.registry.applications.snapshot import printable
from services.registry.applications.stages import Stage
from services.registry.applications.views import partner_lines
from services.registry.attachments.records import PURPOSE_NAMES
from services.registry.calendar import store as calendar
from services.registry.calls import store as calls
from services.registry.documents.pdf import application_form_pdf
from services.registry.parts import PREFIX, parts
from services.registry.printing import PDF, document
from services.registry.reviews import store as reviews
from services.registry.reviews import views as review_views
from services.registry.rounds import store as rounds
from services.shared.clock import day_in
from services.shared.errors import CommonReason, Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Staff
from services.shared.vocabulary import CATEGORIES, LEAD_KINDS, LEVELS, PARTNER_KINDS, SECTIONS

PATH = "/apply/applications/{application:str}"
_VOCABULARY: dict[str, Any] = {
    "levels": LEVELS, "categories": CATEGORIES, "lead_kinds": LEAD_KINDS, "partner_kinds": PARTNER_KINDS,
    "sections": SECTIONS, "purposes": PURPOSE_NAMES, "prefix": PREFIX,
}  # fmt: skip


async def _reader(request: AnyRequest) -> Staff:
    """Who reads; None where nobody is signed in; raises Refusal 403 for other roles."""
    return await parts(request).door.visitor(request, *access.READERS)


@get(PATH)
async def application_page(request: AnyRequest, application: FromPath[str]) -> Response[Any]:
    """Where the application stands, what happens next, and everything that can be done now."""
    own = parts(request)
    staff = await _reader(request)
    now = own.clock.now()
    found = await reading.seen(own.pool, application, staff)
    await reading.note(own.pool, found, staff, now)
    facts = await reading.whole(own.pool, found, staff, now)
    problems, files = await drafting.problems(own.pool, found, now), await store.files(own.pool, application)
    candidate, round_ = await _candidate(request, found)
    page = own.pages.render(
        request, "apply_application.html", staff=staff, application=found, facts=facts, now=now,
        call=await calls.load(own.pool, found.call), review=await _review(request, found, staff),
        states=steps.states(found.content, files, problems),
        missing=len(problems), scans=[each for each in files if each.purpose == "stamped_form"],
        may_change=access.may_change(staff, found), titles=FIELD_TITLES, candidate=candidate, round=round_,
        bytes_max=own.settings.attachment_max_bytes, **_VOCABULARY,
    )  # fmt: skip
    return _private(page)


async def _review(request: AnyRequest, found: Application, staff: Staff) -> dict[str, Any] | None:
    """Decision, completion and appeal, once a review was opened."""
    own = parts(request)
    review = await reviews.load(own.pool, found.application)
    if review is None:
        return None
    return review_views.whole(review, await calendar.load(own.pool), [], [], staff, own.clock.now())


async def _candidate(request: AnyRequest, found: Application) -> tuple[Any, Any]:
    """(card, round) once the call was frozen and this is one of its candidates."""
    if found.stage is not Stage.CANDIDATE:
        return None, None
    round_ = await rounds.load_round(parts(request).pool, found.call)
    cards = {each.candidate: each for each in round_.candidates} if round_ else {}
    return cards.get(found.application), round_


@get(f"{PATH}/steps/{{step:str}}")
async def step_page(request: AnyRequest, application: FromPath[str], step: FromPath[str]) -> Response[Any]:
    """One section of the form with its fields as they are stored."""
    own = parts(request)
    staff = await _reader(request)
    found = await reading.seen(own.pool, application, staff)
    access.require_change(staff, found)
    if step not in steps.BY_WORD:
        raise Refusal(CommonReason.NOT_FOUND, f"The form has no step {step[:40]!r}.")
    now = own.clock.now()
    files, problems = await store.files(own.pool, application), await drafting.problems(own.pool, found, now)
    owed = steps.proofs(found.content, files)
    return _private(
        own.pages.render(
            request,
            "apply_step.html",
            staff=staff,
            application=found,
            step=steps.BY_WORD[step],
            now=now,
            content=found.content,
            files=files,
            owed=owed,
            other_files=steps.other_files(files, owed),
            states=steps.states(found.content, files, problems),
            neighbours=steps.neighbours(step),
            number=list(steps.BY_WORD).index(step) + 1,
            errors=_errors(request, problems, step),
            partners=partner_lines(found, await consent_store.of(own.pool, application), files, now),
            fields=_fields(request),
            titles=FIELD_TITLES,
            today=day_in(now, found.timezone),
            editable="edit" in rules.unit_actions(found, now),
            bytes_max=own.settings.attachment_max_bytes,
            **_VOCABULARY,
        )
    )


def _fields(request: AnyRequest) -> dict[str, dict[str, Any]]:
    """Every field of the form as `GET /calls/{call}/form` tells it, by its name."""
    return {each["field"]: each for each in views.fields(parts(request).pages.translate(request))}


def _errors(request: AnyRequest, problems: list[Problem], step: str) -> list[dict[str, Any]]:
    """What is wrong on a step. What is only missing is told to those who asked for the check, not to beginners."""
    told = "check" in request.query_params
    here = [each for each in problems if steps.step_of(each) == step and (told or each.word is not Word.MISSING)]
    return _said(request, here)


def _said(request: AnyRequest, problems: list[Problem]) -> list[dict[str, Any]]:
    facts = problem_facts(problems, FIELD_TITLES, parts(request).pages.translate(request))
    return [
        {**fact, "anchor": steps.anchor(problem), "step": steps.step_of(problem), "row": steps.row_of(problem.field)}
        for fact, problem in zip(facts, problems, strict=True)
    ]


@get(f"{PATH}/check")
async def check_page(request: AnyRequest, application: FromPath[str]) -> Response[Any]:
    """Everything that is missing at once, and the form that hands the application in."""
    own = parts(request)
    staff = await _reader(request)
    found = await reading.seen(own.pool, application, staff)
    access.require_change(staff, found)
    now = own.clock.now()
    problems = await drafting.problems(own.pool, found, now)
    review = await reviews.load(own.pool, application) if found.stage is Stage.COMPLETION else None
    return _private(
        own.pages.render(
            request,
            "apply_check.html",
            staff=staff,
            application=found,
            now=now,
            problems=_said(request, problems),
            states=steps.states(found.content, await store.files(own.pool, application), problems),
            editable="submit" in rules.unit_actions(found, now),
            titles=FIELD_TITLES,
            closes_at=review.completion_closes_at if review else found.application_closes_at,
            **_VOCABULARY,
        )
    )


@get(f"{PATH}/preview")
async def preview_page(request: AnyRequest, application: FromPath[str]) -> Response[Any]:
    """The form as it will be printed: the draft while it is one, else what was handed in last."""
    own = parts(request)
    staff = await _reader(request)
    found = await reading.seen(own.pool, application, staff)
    now = own.clock.now()
    await reading.note(own.pool, found, staff, now)
    newest = await store.newest_version(own.pool, application)
    draft = newest is None or found.stage in rules.EDITABLE
    return _private(
        own.pages.render(
            request,
            "apply_preview.html",
            staff=staff,
            application=found,
            newest=newest,
            draft=draft,
            content=found.content if draft or newest is None else newest.content,
            total=views.total(read(found.content)),
            may_change=access.may_change(staff, found),
            **_VOCABULARY,
        )
    )


@get(f"{PATH}/form.pdf")
async def form_pdf_page(request: AnyRequest, application: FromPath[str]) -> Response[Any]:
    """What was handed in last as PDF, shown by the browser."""
    own = parts(request)
    staff = await _reader(request)
    found = await reading.seen(own.pool, application, staff)
    version = await reading.handed_in(own.pool, found)
    await reading.note(own.pool, found, staff, own.clock.now())
    content = await own.printer.make(application_form_pdf, printable(found, version))
    return document(content, PDF, f"{version.version_code}.pdf", f"申报书-{version.version_code}.pdf", inline=True)


def _private(page: Response[Any]) -> Response[Any]:
    """Forms name people: a shared computer keeps no copy."""
    page.headers["cache-control"] = "no-store"
    return page


ROUTES = [application_page, step_page, check_page, preview_page, form_pdf_page]
