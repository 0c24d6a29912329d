"""Making list versions: from a ranking, or from the same ranking with further changes. Called by the follower and by
`proposals.py`, inside their transaction and with the round locked.

Invariant: list, notice, changes, event and the round's message are one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.registry.calendar import store as calendars
from services.registry.lists import store
from services.registry.lists.changes import Change, Difference, Grounds, applied, difference, require_effect
from services.registry.lists.lists import Entry, ObjectionWindow, entries_of, objection_window
from services.registry.lists.store import Basis, NewList
from services.registry.rounds import store as rounds
from services.registry.rounds.views import Round
from services.shared.postgres import Connection, Pool
from services.shared.ranking.rules import parse_rules


@dataclass(frozen=True, slots=True)
class Outlook:
    """What changes would make of the newest list, before anything is stored."""

    entries: list[Entry]
    differences: list[Difference]

    @property
    def touched(self) -> list[str]:
        return [each.candidate for each in self.differences]


def grounds_of(round_: Round, ranking_csv: str) -> Grounds:
    """The ranking's own list, before any change."""
    rules = parse_rules(round_.rules.encode())
    entries = entries_of(ranking_csv, selects=rules.selection is not None)
    return Grounds(entries, rules, {card.candidate: card.level for card in round_.candidates})


async def publish_ranking(
    connection: Connection, round_: Round, basis: Basis, published_at: datetime, published_by: list[str]
) -> None:
    """The next list version from a new ranking; changes that were confirmed before stand, where they still can."""
    entries, _ = applied(grounds_of(round_, basis.ranking_csv), await store.changes(connection, round_.round))
    version, window = round_.list_version + 1, await _window(connection, round_, published_at)
    new = NewList(basis, version, "ranking", published_at, published_by, entries, window, None)
    await store.insert_list(connection, new)
    detail = f"list {version} of ranking {basis.ranking_version}"
    await rounds.add_event(connection, round_.round, published_at, "published", detail, "scoring")
    await rounds.publish(connection, round_.round)


async def outlook(connection: Connection | Pool, round_: Round, changes: Sequence[Change]) -> Outlook:
    """The newest list with further changes; raises Refusal `change_without_effect`."""
    basis = await store.basis(connection, round_.round, round_.list_version)
    assert basis is not None
    standing = await store.changes(connection, round_.round)
    entries, effects = applied(grounds_of(round_, basis.ranking_csv), [*standing, *changes])
    require_effect(changes, effects[len(standing) :])
    before = await store.entries(connection, round_.round, round_.list_version)
    return Outlook(entries, difference(before, entries, changes))


async def publish_changes(
    connection: Connection, round_: Round, proposal: int, changes: Sequence[Change], now: datetime, by: list[str]
) -> int:
    """The next list version from the same ranking with further changes; returns its number."""
    basis = await store.basis(connection, round_.round, round_.list_version)
    assert basis is not None
    seen = await outlook(connection, round_, changes)
    version = round_.list_version + 1
    await store.insert_changes(connection, round_.round, proposal, version, changes)
    window = await _window(connection, round_, now)
    await store.insert_list(connection, NewList(basis, version, "change", now, by, seen.entries, window, seen.touched))
    detail = f"list {version}: {len(changes)} changes"
    await rounds.add_event(connection, round_.round, now, "list_changed", detail, by[-1])
    await rounds.publish(connection, round_.round)
    return version


async def _window(connection: Connection, round_: Round, published_at: datetime) -> ObjectionWindow:
    days = parse_rules(round_.rules.encode()).windows.objection_working_days
    return objection_window(published_at, days, round_.timezone, await calendars.load(connection))


async def public_difference(pool: Pool, round_: Round, version: int) -> list[Difference]:
    """How a version differs from the one before; the first, from its ranking as it came."""
    after = await store.entries(pool, round_.round, version)
    if version > 1:
        before: Sequence[Entry] = await store.entries(pool, round_.round, version - 1)
    else:
        basis = await store.basis(pool, round_.round, version)
        before = grounds_of(round_, basis.ranking_csv).entries if basis else []
    return difference(before, after, await store.changes_of(pool, round_.round, version))
