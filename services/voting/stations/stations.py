"""Stations of a round: registered by an administrator, used by helpers, reported apart and never by candidate.

A station of a unit that is itself a candidate is allowed and flagged: whoever reads the report should look twice.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime

import asyncpg
import msgspec

from services.shared.errors import Refusal
from services.shared.postgres import Pool, transaction
from services.shared.staff import Staff
from services.voting.reasons import Reason
from services.voting.rounds import FrozenRound
from services.voting.settings import VotingSettings
from services.voting.stations import store
from services.voting.stations.assistance import Assistance

_TEXT_MAX = 80


class StationForm(msgspec.Struct):
    """`unit` is who runs the station."""

    name: str
    unit: str


class Station(msgspec.Struct, frozen=True):
    """A station as staff see it; `ballots` recorded there, `sessions` people signed in there."""

    station: int
    name: str
    unit: str
    candidate_unit: bool
    ballots: int = 0
    sessions: int = 0
    closed_at: datetime | None = None


class StationHour(msgspec.Struct, frozen=True):
    """People signed in and ballots recorded at a station within one hour of the round's own zone."""

    station: int
    hour: datetime
    ballots: int
    sessions: int


async def register(pool: Pool, frozen: FrozenRound, staff: Staff, form: StationForm) -> Station:
    """A new station; raises Refusal bad_station or already_sealed."""
    name, unit = _text(form.name, "name"), _text(form.unit, "unit")
    if frozen.sealed_at is not None:
        raise Refusal(Reason.ALREADY_SEALED, "The tally is sealed; nobody votes in this round any more.")
    async with transaction(pool) as connection:
        number = await store.add(connection, frozen.number, name, unit, staff.username)
    if number is None:
        raise Refusal(Reason.BAD_STATION, "This round has a station of this name; choose another name.")
    return Station(number, name, unit, is_candidate_unit(frozen, unit))


async def find(pool: Pool, frozen: FrozenRound, number: int) -> Station:
    """The station, without its counts; raises Refusal unknown_station."""
    row = await store.find(pool, frozen.number, number)
    if row is None:
        raise Refusal(Reason.UNKNOWN_STATION, "This round has no such station; choose one from the list.")
    return _station(frozen, row)


async def find_open(pool: Pool, frozen: FrozenRound, number: int) -> Station:
    """The same where people may still be signed in; raises Refusal unknown_station or station_closed."""
    station = await find(pool, frozen, number)
    if station.closed_at is not None:
        raise Refusal(Reason.STATION_CLOSED, "This station was closed; another station or a phone can go on.")
    return station


async def close(pool: Pool, frozen: FrozenRound, staff: Staff, number: int) -> Station:
    """Let nobody in any more; raises Refusal unknown_station or station_closed."""
    station = await find(pool, frozen, number)
    async with transaction(pool) as connection:
        closed_at = await store.close(connection, number, staff.username)
    if closed_at is None:
        raise Refusal(Reason.STATION_CLOSED, "This station was closed before.")
    return msgspec.structs.replace(station, closed_at=closed_at)


async def report(pool: Pool, frozen: FrozenRound) -> list[Station]:
    """Every station of the round with its ballots and sessions."""
    return [_station(frozen, row) for row in await store.reported(pool, frozen.number)]


async def hours(pool: Pool, frozen: FrozenRound) -> list[StationHour]:
    """When stations were used, hour by hour, newest first; never a candidate."""
    return [StationHour(*row.values()) for row in await store.by_hour(pool, frozen.number, str(frozen.zone))]


def _station(frozen: FrozenRound, row: asyncpg.Record) -> Station:
    return Station(**dict(row), candidate_unit=is_candidate_unit(frozen, row["unit"]))


def assistance(settings: VotingSettings, station: Station, helper: Staff) -> Assistance:
    """The helper's work at a station, with the limits of the settings."""
    return Assistance(
        station.station, helper.username, settings.station_ballots_per_hour, settings.station_token_lifetime_s
    )


def is_candidate_unit(frozen: FrozenRound, unit: str) -> bool:
    """Whether a unit has a candidate of its own in the round, whatever its spaces and letter widths."""
    plain = _plain(unit)
    return any(_plain(card.unit) == plain for card in frozen.cards)


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def _text(text: str, field: str) -> str:
    plain = " ".join(text.split())
    if not 1 <= len(plain) <= _TEXT_MAX:
        raise Refusal(Reason.BAD_STATION, f"{field} has between 1 and {_TEXT_MAX} characters.")
    return plain
