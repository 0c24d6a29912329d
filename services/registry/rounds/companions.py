"""The smaller files beside rules.toml: channels, criteria texts, experts, and the secret seed of lots.

Pure: text in, values and problems out. Called by `files.py`.
"""

import hashlib

import msgspec

from services.registry.rounds.reading import Problem, Reader
from services.registry.staff.accounts import canonical
from services.shared.messages import CriterionText
from services.shared.ranking.errors import shown
from services.shared.ranking.model import Rules
from services.shared.vocabulary import CHANNEL_KINDS

_TEXT_MAX = 200
_DESCRIPTION_MAX = 2_000


class Exemption(msgspec.Struct, frozen=True):
    """Places beyond the quota of a channel, or of one unit of a channel whose units apply directly, with its reason."""

    channel: str
    unit: str
    places: int
    reason: str


class Channel(msgspec.Struct, frozen=True):
    """Who recommends: a district, a zone, or the municipal units; quotas go by `kind`."""

    channel: str
    name: str
    kind: str


def parse_channels(text: str, problems: list[Problem]) -> list[Channel]:
    """`[[channels]]` with id, name and kind."""
    root = Reader.of(text, "channels.toml", problems)
    if root is None:
        return []
    root.only("channels")
    found: dict[str, Channel] = {}
    for table in root.tables("channels", 1, 1000):
        table.only("id", "name", "kind")
        channel = Channel(table.text("id", 64), table.text("name", _TEXT_MAX), table.word("kind", CHANNEL_KINDS))
        if channel.channel in found:
            table.blame("id", f"channel {shown(channel.channel)} is there twice; keep one")
        found[channel.channel] = channel
    return list(found.values())


def parse_exemptions(text: str, problems: list[Problem]) -> list[Exemption]:
    """`[[exemptions]]` with channel, unit (its name; only where units apply directly), places and reason."""
    root = Reader.of(text, "exemptions.toml", problems)
    if root is None:
        return []
    root.only("exemptions")
    found = []
    for table in root.tables("exemptions", 1, 1000):
        table.only("channel", "unit", "places", "reason")
        found.append(
            Exemption(
                table.text("channel", 64), table.text("unit", _TEXT_MAX, required=False),
                table.count("places"), table.text("reason", _DESCRIPTION_MAX, lines=True),
            )
        )  # fmt: skip
    return found


def parse_criteria(text: str, rules: Rules | None, problems: list[Problem]) -> list[CriterionText]:
    """A table per criterion of the rules: title, description, anchors."""
    root = Reader.of(text, "criteria.toml", problems)
    if root is None:
        return []
    known = [criterion.id for criterion in rules.criteria] if rules else root.keys()
    root.only(*known)
    texts = []
    for criterion in known:
        table = root.table(criterion)
        if table is not None:
            table.only("title", "description", "anchors")
            table.text("title", _TEXT_MAX, required=False)
            description = table.text("description", _DESCRIPTION_MAX, lines=True)
            texts.append(CriterionText(criterion, description, table.texts("anchors", _DESCRIPTION_MAX)))
    return texts


def parse_experts(text: str, problems: list[Problem]) -> list[str]:
    """Usernames of the panel, in file order."""
    root = Reader.of(text, "experts.toml", problems)
    if root is None:
        return []
    root.only("experts")
    usernames: list[str] = []
    for table in root.tables("experts", 1, 1000):
        table.only("username", "name", "unit")
        username = canonical(table.text("username", 64))
        table.text("name", _TEXT_MAX)
        table.text("unit", _TEXT_MAX, required=False)
        if username in usernames:
            table.blame("username", f"expert {shown(username)} is there twice; keep one")
        elif username:
            usernames.append(username)
    return usernames


def parse_reveal(text: str, rules: Rules | None, problems: list[Problem]) -> str:
    """The seed of lots, checked against the commitment in the rules."""
    root = Reader.of(text, "reveal.toml", problems)
    if root is None:
        return ""
    root.only("lots_seed")
    seed = root.text("lots_seed", _TEXT_MAX)
    if seed and rules and hashlib.sha256(seed.encode()).hexdigest() != rules.combination.lots_commitment:
        root.blame(
            "lots_seed", "lots_seed does not belong to lots_commitment of rules.toml, which is its SHA-256 in hex"
        )
    return seed
