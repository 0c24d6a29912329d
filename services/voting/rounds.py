"""The rounds as this process knows them: frozen rules, cached bytes of the public answers, phases.

Filled from this service's own copy of `registry.rounds`; every worker looks for changes a few times a second, so that
no request waits for the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from services.shared.messages import CandidateCard, RoundEvent, RoundMessage, decode, encode
from services.shared.messages import Message as StreamMessage
from services.shared.postgres import Connection, Pool
from services.shared.ranking.candidates import Candidate, group_of
from services.shared.ranking.model import Rules
from services.shared.ranking.rules import parse_rules
from services.shared.vocabulary import Translate
from services.voting import outage_store
from services.voting.ballot import BallotRule, Choice
from services.voting.kept_pages import KeptPages
from services.voting.orders import balanced_orders
from services.voting.outage import SETTLE, Extension


class Phase(StrEnum):
    SCHEDULED = "scheduled"
    OPEN = "open"
    CLOSED = "closed"
    SEALED = "sealed"
    PUBLISHED = "published"


class FrozenRound:
    """One round; everything derived from its message is made once."""

    def __init__(
        self, number: int, message: RoundMessage, sealed_at: datetime | None, forgotten: bool,
        extensions: tuple[Extension, ...] = (), watched_from: datetime | None = None,
    ) -> None:  # fmt: skip
        self.number, self.message, self.sealed_at, self.forgotten = number, message, sealed_at, forgotten
        self.extensions, self.watched_from = extensions, watched_from or message.frozen_at
        self.id = message.round
        self.rules: Rules = parse_rules(message.rules.encode())
        self.title = self.rules.round.title
        self.digest = message.digest
        self.zone = ZoneInfo(self.rules.round.timezone or "Asia/Shanghai")
        self.cards: tuple[CandidateCard, ...] = tuple(sorted(message.candidates, key=lambda card: card.number))
        self.numbers: Mapping[str, int] = {card.candidate: card.number for card in self.cards}
        self.by_number: Mapping[int, CandidateCard] = {card.number: card for card in self.cards}
        self.groups: Mapping[str, str] = {card.candidate: self._group(card) for card in self.cards}
        self.ballot_rule = self._ballot_rule()
        self.orders = balanced_orders(len(self.cards))
        # Hash tag of this round's keys in Valkey; the shard is 0 until a round needs several.
        self.tag = f"{{{self.id}:0}}"
        self.opens = self.rules.windows.voting.opens if self.rules.windows.voting else None
        self.closes = self._closes()
        self._bodies: dict[int | None, tuple[bytes, str]] = {}
        self.pages = KeptPages()
        # Whether people were signed in already: then the round's identity key may be missing, but never be made anew.
        self.has_key = False

    @property
    def version(self) -> tuple[int, datetime | None, bool, int]:
        """Changes when the cached round is no longer true."""
        return (self.message.version, self.sealed_at, self.forgotten, len(self.extensions))

    def _closes(self) -> datetime | None:
        """When voting ends: the rules' moment, later after an outage, or earlier where the round was closed by hand."""
        if self.rules.windows.voting is None:
            return None
        closed_early = self.message.closed_early_at
        closes = self.extensions[-1].closes if self.extensions else self.rules.windows.voting.closes
        return min(closes, closed_early) if closed_early else closes

    @property
    def seal_due(self) -> datetime | None:
        """After this moment no ballot received in time is still on its way, and no minute of the window is unjudged."""
        if self.closes is None:
            return None
        grace = timedelta(seconds=self.rules.windows.commit_grace_s)
        extendable = self.rules.outage is not None and self.message.closed_early_at is None
        return self.closes + (max(grace, SETTLE) if extendable else grace)

    def extension_events(self, translate: Translate = str) -> list[RoundEvent]:
        """The extensions as they are published."""
        return [self.extension_event(each, translate) for each in self.extensions]

    def events(self, translate: Translate = str) -> list[RoundEvent]:
        """Everything that happened to the round after it was frozen, in order."""
        return sorted([*self.message.events, *self.extension_events(translate)], key=lambda event: event.at)

    def extension_event(self, extension: Extension, translate: Translate = str) -> RoundEvent:
        """One extension as it is published: in Chinese, or in a page's language."""
        before, closes, since, until = (
            moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")
            for moment in (extension.closed_before, extension.closes, extension.failed_from, extension.failed_until)
        )
        detail = translate("投票截止由 {before} 延长至 {closes}：{since} 至 {until} 投票服务未能正常受理").format(
            before=before, closes=closes, since=since, until=until
        )
        return RoundEvent(extension.decided_at, "extension", detail)

    @property
    def published(self) -> bool:
        return self.message.ranking_version > 0

    def is_open(self, at: datetime) -> bool:
        opens, closes = self.opens, self.closes
        return opens is not None and closes is not None and opens <= at < closes

    def phase(self, at: datetime) -> Phase:
        if self.published:
            return Phase.PUBLISHED
        if self.sealed_at is not None:
            return Phase.SEALED
        if self.opens is None or at < self.opens:
            return Phase.SCHEDULED
        return Phase.OPEN if self.is_open(at) else Phase.CLOSED

    def period(self, at: datetime) -> int:
        """0, or the day as yyyymmdd in the round's zone where it votes by day."""
        if self.rules.ballot.per == "round":
            return 0
        day = at.astimezone(self.zone)
        return day.year * 10_000 + day.month * 100 + day.day

    def ordered_cards(self, order: int | None) -> tuple[CandidateCard, ...]:
        if order is None:
            return self.cards
        return tuple(self.cards[place] for place in self.orders[order])

    def public_json(self, order: int | None) -> tuple[bytes, str]:
        """(body, ETag) of `GET /rounds/{round}`: cacheable, without anything about a voter."""
        if order not in self._bodies:
            body = msgspec.json.encode(self._public(order))
            self._bodies[order] = (body, f'"{sha256(body).hexdigest()[:24]}"')
        return self._bodies[order]

    def _public(self, order: int | None) -> dict[str, Any]:
        ballot, message = self.rules.ballot, self.message
        return {
            "round": self.id,
            "title": self.title,
            "timezone": str(self.zone),
            "rehearsal": message.rehearsal,
            "windows": {
                "voting": {"opens": self._local(self.opens), "closes": self._local(self.closes)},
            },
            "ballot": {
                "choices_min": ballot.choices_min,
                "choices_max": ballot.choices_max,
                "group_max": ballot.group_max,
                "channels_min": ballot.channels_min,
                "per": ballot.per,
                "identity": ballot.identity,
                "stratum": ballot.stratum,
            },
            "groups": {"by": list(self.rules.groups.by)},
            "rules_digest": self.digest,
            "consent": message.consent,
            "order": order,
            "events": [{"at": event.at, "event": event.event, "detail": event.detail} for event in self.events()],
            "candidates": [self._card(card) for card in self.ordered_cards(order)],
        }

    def _card(self, card: CandidateCard) -> dict[str, Any]:
        shown = {name: value for name, value in msgspec.structs.asdict(card).items() if name != "parties"}
        return {**shown, "group": self.groups[card.candidate]}

    def _local(self, moment: datetime | None) -> str | None:
        return None if moment is None else moment.astimezone(self.zone).isoformat()

    def _group(self, card: CandidateCard) -> str:
        candidate = Candidate(card.candidate, card.title, card.unit, card.channel, card.category, card.level)
        return group_of(candidate, self.rules)

    def _ballot_rule(self) -> BallotRule:
        rule = self.rules.ballot
        choices = {
            card.candidate: Choice(card.number, self.groups[card.candidate], card.channel, card.withdrawn_at)
            for card in self.cards
        }
        return BallotRule(rule.choices_min, rule.choices_max, rule.group_max, rule.channels_min, choices)


class RoundBook:
    """All rounds by id and by number; `refresh` is the only thing that reads the database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._by_id: dict[str, FrozenRound] = {}
        self._by_number: dict[int, FrozenRound] = {}
        self.refreshed = False

    def get(self, round_id: str) -> FrozenRound | None:
        return self._by_id.get(round_id)

    def by_number(self, number: int) -> FrozenRound | None:
        return self._by_number.get(number)

    def all(self) -> list[FrozenRound]:
        """Newest first."""
        return sorted(self._by_id.values(), key=lambda each: -each.number)

    async def refresh(self) -> int:
        """Take up what changed; returns the number of rounds made anew."""
        changed = 0
        rows = await self._pool.fetch(
            "SELECT number, version, sealed_at, forgotten_at, watched_from,"
            " (SELECT count(*) FROM extensions AS e WHERE e.round_number = r.number) AS extended,"
            " EXISTS (SELECT FROM round_keys AS k WHERE k.round_number = r.number) AS has_key"
            " FROM rounds AS r"
        )
        for row in rows:
            known = self._by_number.get(row["number"])
            forgotten = row["forgotten_at"] is not None
            if known:
                known.has_key = row["has_key"]
            if known and known.version == (row["version"], row["sealed_at"], forgotten, row["extended"]):
                continue
            body = await self._pool.fetchval("SELECT message FROM rounds WHERE number = $1", row["number"])
            message = decode(body)
            assert isinstance(message, RoundMessage)
            extensions = await outage_store.extensions(self._pool, row["number"])
            fresh = FrozenRound(row["number"], message, row["sealed_at"], forgotten, extensions, row["watched_from"])
            fresh.has_key = row["has_key"]
            self._by_id[fresh.id] = self._by_number[fresh.number] = fresh
            changed += 1
        self.refreshed = True
        return changed


async def apply_round(connection: Connection, message: StreamMessage) -> None:
    """Follower of `registry.rounds`: keep the newest version of a round."""
    assert isinstance(message, RoundMessage)
    await connection.execute(
        "INSERT INTO rounds (round, version, digest, message) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (round) DO UPDATE SET version = excluded.version, digest = excluded.digest,"
        " message = excluded.message WHERE rounds.version < excluded.version",
        message.round,
        message.version,
        message.digest,
        encode(message),
    )
