"""The typed messages of the streams between the services.

A message carries the whole state of its subject (state transfer), so that applying it twice, or only its newest
version, is right. Nothing here may reveal a running result: a tally's counts travel sealed (AES-GCM).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

REGISTRY_ROUNDS = "registry.rounds"
REGISTRY_STAFF = "registry.staff"
VOTING_TALLIES = "voting.tallies"
VOTING_WINDOWS = "voting.windows"
SCORING_RANKINGS = "scoring.rankings"
_ACTS_ON_LISTS = frozenset({"published", "list_changed", "list_confirmed", "list_retracted"})


class Party(msgspec.Struct, frozen=True):
    """A unit behind a candidate, `role` lead or partner; `unit` is its identity in the registry, or ""."""

    role: str
    name: str
    unit: str = ""


class CandidateCard(msgspec.Struct, frozen=True):
    """What the public sees of a candidate; `number` was drawn by lot, `image_text` is read instead of the image.

    `parties` are for the services alone: they tell whose candidate it is, for conflicts of interest.
    """

    candidate: str
    number: int
    title: str
    unit: str
    channel: str
    category: str
    level: str
    summary: str = ""
    image: str = ""
    image_text: str = ""
    channel_title: str = ""
    withdrawn_at: datetime | None = None
    parties: list[Party] = []


class RoundEvent(msgspec.Struct, frozen=True):
    """A public event the rules foresaw: extension, withdrawal, publication."""

    at: datetime
    event: str
    detail: str


class CriterionText(msgspec.Struct, frozen=True):
    """What the expert reads beside a score field."""

    criterion: str
    description: str
    anchors: list[str] = []


class RoundMessage(msgspec.Struct, frozen=True, tag="round"):
    """A frozen round; `rules` is the text of rules.toml whose SHA-256 is `digest`.

    `removed_at` is there once a rehearsal was taken out of view. `tally_digest` names the tally that the newest
    published ranking rests on.
    """

    round: str
    version: int
    digest: str
    rules: str
    frozen_at: datetime
    consent: str
    candidates: list[CandidateCard]
    criteria: list[CriterionText] = []
    experts: list[str] = []
    events: list[RoundEvent] = []
    lots_seed: str = ""
    list_version: int = 0
    ranking_version: int = 0
    rehearsal: bool = False
    closed_early_at: datetime | None = None
    removed_at: datetime | None = None
    tally_digest: str = ""

    @property
    def list_confirmed_at(self) -> datetime | None:
        """When a meeting confirmed the newest list; None before, and after it was changed or retracted."""
        acts = [event for event in self.events if event.event in _ACTS_ON_LISTS]
        return acts[-1].at if acts and acts[-1].event == "list_confirmed" else None


class StaffMessage(msgspec.Struct, frozen=True, tag="staff"):
    """An account as the other services need it; tokens issued before `not_before` count for nothing."""

    staff: str
    username: str
    name: str
    roles: list[str]
    disabled: bool
    not_before: datetime
    version: int
    unit: str = ""
    channel: str = ""


class WindowMessage(msgspec.Struct, frozen=True, tag="window"):
    """A voting window that an outage extended for the `version`th time; `event` is told to the public."""

    round: str
    version: int
    closes_at: datetime
    event: RoundEvent


class TallyMessage(msgspec.Struct, frozen=True, tag="tally"):
    """A sealed tally. `sealed` is a TallyContent, encrypted under the tally key with the round's id as context.

    A higher version takes the place of the one before: ballots were excluded or restored after that was sealed.
    """

    round: str
    version: int
    digest: str
    sealed_at: datetime
    sealed: bytes


class ReopenedMessage(msgspec.Struct, frozen=True, tag="reopened"):
    """What happened to ballots since tally `version` was sealed: holds undecided, ballots excluded or restored since.

    While one of them is not 0, nothing may be ranked: the next version is to be sealed first.
    """

    round: str
    version: int
    undecided: int
    excluded: int
    restored: int


class RankingMessage(msgspec.Struct, frozen=True, tag="ranking"):
    """A published ranking: rows of `ranking.csv` and the digests it rests on."""

    round: str
    version: int
    published_at: datetime
    published_by: list[str]
    rules_digest: str
    tally_digest: str
    ranking_csv: str


class VoteCount(msgspec.Struct, frozen=True):
    candidate: str
    stratum: str
    votes: int


class ExclusionCount(msgspec.Struct, frozen=True):
    reason: str
    candidate: str
    day: str
    ballots: int


class TallyContent(msgspec.Struct, frozen=True):
    """What a tally says: counts of what is not excluded, per candidate and stratum; `strata`: ballots of each.

    `events` are those that only voting decides: extensions of the window after an outage. `version` is here so that no
    two tallies of a round have one digest.
    """

    round: str
    counts: list[VoteCount]
    exclusions: list[ExclusionCount]
    ballots: int
    excluded: int
    turnout: int
    strata: dict[str, int] = {}
    events: list[RoundEvent] = []
    version: int = 1


Message = RoundMessage | StaffMessage | WindowMessage | TallyMessage | ReopenedMessage | RankingMessage

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    return _encoder.encode(message)


def decode(body: bytes) -> Message:
    """The message in `body`; unknown members are ignored so that versions may pass each other."""
    return _decoder.decode(body)
