"""Panels of a round: the pool, the promise of a draw, the draw by a second person, reserves, letters.

A draw takes two people and two steps: one has a seed promised (its digest is public), another gives a word that nobody
could know then. Everything needed to draw again stays on record. Called by `api.py`; `sheets.py` calls reserves.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

import msgspec

from services.scoring import metrics
from services.scoring.desk import Desk
from services.scoring.panels import letter, store
from services.scoring.panels.assignment import Duties, Unassignable, balanced, everybody
from services.scoring.panels.conflicts import conflicts
from services.scoring.panels.drawing import (
    Need,
    Panel,
    PoolExpert,
    Undrawable,
    commitment,
    draw,
    final_seed,
    pool_digest,
)
from services.scoring.panels.reserves import first_free, group_of
from services.scoring.reasons import Reason
from services.scoring.rounds import Round
from services.shared.errors import Refusal
from services.shared.postgres import Connection, transaction
from services.shared.staff import Staff

POOL_MAX = 2000
SEATS_MAX = 100
MARKS_MIN = 3
_WORD_LENGTH_MAX = 200


class Assignment(StrEnum):
    """Who of a panel scores what."""

    EVERYBODY = "everybody"
    BALANCED = "balanced"


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a draw is to give; `marks_each` experts score each candidate where the assignment is balanced."""

    needs: list[Need]
    assignment: Assignment = Assignment.EVERYBODY
    marks_each: int = 0


async def put_pool(desk: Desk, round_id: str, experts: Sequence[tuple[PoolExpert, bool]]) -> int:
    """Add, change or take off experts; returns how many are listed. Raises Refusal once a draw is promised."""
    found = await desk.round(round_id)
    names = [each.expert for each, _ in experts]
    if len(set(names)) != len(names) or not all(names):
        raise Refusal(Reason.BAD_POOL, "Name each expert once, by user name.")
    async with transaction(desk.pool) as connection:
        await store.hold_panel(connection, found.id)
        if await store.draws(connection, found.id):
            raise Refusal(Reason.POOL_FROZEN, "A draw from this pool is promised; the pool stays as it is.")
        await store.put_pool(connection, found.id, experts)
        listed = len(await store.pool(connection, found.id))
        if listed > POOL_MAX:
            raise Refusal(Reason.BAD_POOL, f"A pool holds at most {POOL_MAX} experts.")
    return listed


async def promise(desk: Desk, round_id: str, plan: Plan, administrator: Staff) -> store.Draw:
    """Make a seed, promise it by its digest together with pool and plan; nothing is drawn yet.

    Every promise is numbered and stays on record, so that promising again until one likes the outcome would be seen;
    and no outcome can be known, because the second person's word is missing.
    """
    found = await desk.round(round_id)
    _require_plan(found, plan)
    async with transaction(desk.pool) as connection:
        await store.hold_panel(connection, found.id)
        known = await _undrawn(connection, found)
        pool = await store.pool(connection, found.id)
        seed = secrets.token_hex(32)
        new = store.Draw(
            found.id, len(known) + 1, commitment(seed), seed, pool_digest(pool), msgspec.to_builtins(plan),
            administrator.username, desk.clock.now(),
        )  # fmt: skip
        # Tried with an empty word: a pool that is too small is found now, not before the assembled committee.
        _drawn(found, pool, plan, final_seed(seed, ""))
        await store.put_draw(connection, new)
    metrics.scoring_office_acts_total.labels(metrics.OfficeAct.DRAW_PROMISED).inc()
    return new


async def reveal(desk: Desk, round_id: str, number: int, word: str, administrator: Staff) -> store.Draw:
    """Draw with the newest promised seed and a word said by a different person; the seats hold from then on."""
    await desk.door.require_fresh()
    found = await desk.round(round_id)
    word = word.strip()
    if not word or len(word) > _WORD_LENGTH_MAX:
        raise Refusal(Reason.REASON_MISSING, "Give the word of the draw: something nobody could know at the promise.")
    async with transaction(desk.pool) as connection:
        await store.hold_panel(connection, found.id)
        known = await _undrawn(connection, found)
        if not known or known[-1].draw != number:
            raise Refusal(Reason.UNKNOWN_DRAW, "Only the newest promised draw can be drawn; list them.")
        promised = known[-1]
        if promised.committed_by == administrator.username:
            raise Refusal(Reason.SAME_PERSON, "You promised this draw; a different administrator must give the word.")
        pool = await store.pool(connection, found.id)
        if pool_digest(pool) != promised.pool_digest:
            raise Refusal(Reason.POOL_CHANGED, "The pool differs from the promised one; promise a new draw.")
        plan, now = msgspec.convert(promised.plan, Plan), desk.clock.now()
        panels, duties = _drawn(found, pool, plan, final_seed(promised.seed, word))
        drawn = replace(promised, word=word, panels=tuple(panels), drawn_by=administrator.username, drawn_at=now)
        await store.put_panels(connection, drawn)
        seated = ((candidate, expert) for candidate, experts in duties.items() for expert in experts)
        await store.put_seats(connection, found.id, seated, now)
    metrics.scoring_office_acts_total.labels(metrics.OfficeAct.PANEL_DRAWN).inc()
    return drawn


async def _undrawn(connection: Connection, round_: Round) -> list[store.Draw]:
    known = await store.draws(connection, round_.id)
    if any(each.drawn_at for each in known):
        raise Refusal(Reason.PANEL_DRAWN, "The panels of this round are drawn; vacancies are filled by reserves.")
    return known


def _require_plan(round_: Round, plan: Plan) -> None:
    groups = [need.group for need in plan.needs]
    wanted = {group_of(round_, card) for card in round_.standing}
    if set(groups) != wanted or len(groups) != len(wanted):
        raise Refusal(Reason.BAD_PLAN, f"Plan one panel for each of the groups {', '.join(sorted(wanted))}.")
    for need in plan.needs:
        if not MARKS_MIN <= need.seats <= SEATS_MAX or not 0 <= need.reserves <= SEATS_MAX:
            detail = f"{need.group}: give {MARKS_MIN} to {SEATS_MAX} seats, and up to {SEATS_MAX} reserves."
            raise Refusal(Reason.BAD_PLAN, detail)
        if min([need.unit_max, need.conflicts_max, *need.fields.values()]) < 0:
            raise Refusal(Reason.BAD_PLAN, f"{need.group}: no limit and no number of members may be below 0.")
        if plan.assignment is Assignment.BALANCED and not MARKS_MIN <= plan.marks_each <= need.seats:
            detail = f"{need.group}: marks_each must be from {MARKS_MIN} to the {need.seats} seats."
            raise Refusal(Reason.BAD_PLAN, detail)


def _drawn(round_: Round, pool: Sequence[PoolExpert], plan: Plan, seed: str) -> tuple[list[Panel], Duties]:
    """Panels and who scores what; raises Refusal naming what the pool lacks."""
    cards = {need.group: [c for c in round_.standing if group_of(round_, c) == need.group] for need in plan.needs}
    tied = conflicts([(each.expert, each.facts) for each in pool], round_.standing, frozenset())
    # An account's own unit and channel count as much as what the pool says.
    for expert, candidates in round_.conflicts.items():
        tied[expert] = tied.get(expert, frozenset()) | candidates
    counts = {
        group: {expert: sum(card.candidate in tied_to for card in own) for expert, tied_to in tied.items()}
        for group, own in cards.items()
    }
    panels = draw(pool, plan.needs, seed, counts)
    if isinstance(panels, Undrawable):
        raise Refusal(Reason.PANEL_UNFILLED, f"For {panels.group} the pool lacks {panels.lacks}; widen it.")
    duties: Duties = {}
    for panel in panels:
        own_duties = _assigned(panel, [card.candidate for card in cards[panel.group]], plan, seed, tied)
        thin = sorted(candidate for candidate, experts in own_duties.items() if len(experts) < MARKS_MIN)
        if thin:
            detail = f"Conflicts leave {thin[0]} fewer than {MARKS_MIN} experts; widen the pool or lower conflicts_max."
            raise Refusal(Reason.PANEL_UNFILLED, detail)
        duties |= own_duties
    return panels, duties


def _assigned(panel: Panel, own: list[str], plan: Plan, seed: str, tied: dict[str, frozenset[str]]) -> Duties:
    if plan.assignment is Assignment.EVERYBODY:
        return everybody(panel.members, own, tied)
    duties = balanced(panel.members, own, plan.marks_each, seed, tied)
    if isinstance(duties, Unassignable):
        raise Refusal(Reason.PANEL_UNFILLED, f"{panel.group}: {duties.why}; give each candidate more marks.")
    return duties


async def sign_letter(desk: Desk, round_id: str, expert: Staff, version: str) -> datetime:
    """Keep that a panel member signed the letter, and when; signing again changes nothing."""
    found = await desk.round(round_id)
    if not found.is_panellist(expert.username):
        raise Refusal(Reason.NOT_ON_PANEL, "This round's panel does not name you; ask the office if it should.")
    if version != letter.VERSION:
        raise Refusal(Reason.LETTER_CHANGED, "Load the letter again, read it, and sign that version.")
    await store.sign_letter(desk.pool, found.id, expert.username, letter.VERSION, desk.clock.now())
    signed_at = await store.letter_signed_at(desk.pool, found.id, expert.username, letter.VERSION)
    assert signed_at is not None
    return signed_at


async def unsigned_letter(desk: Desk, round_: Round, expert: Staff) -> tuple[str, str] | None:
    """(version, text) of the letter where a drawn panel's member has yet to sign it."""
    if not round_.seats or await store.letter_signed_at(desk.pool, round_.id, expert.username, letter.VERSION):
        return None
    return letter.VERSION, letter.TEXT


async def call_reserve(connection: Connection, desk: Desk, round_: Round, candidate: str, left: str) -> str:
    """Seat the first reserve without a conflict when fewer than three marks would remain; "" where none was needed.

    Called inside the transaction that took `left`'s sheet out. A round without a drawn panel has no reserves.
    """
    if not round_.seats:
        return ""
    await store.hold_panel(connection, round_.id)
    seated = (await store.seats(connection, round_.id)).get(candidate, frozenset())
    out = await store.recused(connection, round_.id, candidate)
    remaining = [each for each in seated if each not in out and not round_.is_tied(each, candidate)]
    card = round_.card(candidate)
    if len(remaining) >= MARKS_MIN or card is None:
        return ""
    reserve = await first_free(connection, round_, card)
    if not reserve:
        # The board shows candidates that are short of marks; no reserve is left to call.
        return ""
    await store.put_seats(connection, round_.id, [(candidate, reserve)], desk.clock.now(), left)
    metrics.scoring_office_acts_total.labels(metrics.OfficeAct.RESERVE_CALLED).inc()
    return reserve
