"""Channels (推荐渠道): districts, zones and the municipal units' office, as they stand from round to round."""

from datetime import datetime

import msgspec

from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.ranking.csv_files import is_identifier
from services.shared.vocabulary import CHANNEL_KINDS

_TEXT_MAX = 200


class NewChannel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /channels`; `kind` decides the quota."""

    channel: str
    name: str
    kind: str


class ChannelLine(msgspec.Struct, frozen=True):
    """A channel in a list; a closed one takes no new units."""

    channel: str
    name: str
    kind: str
    closed_at: datetime | None


def checked(wanted: NewChannel) -> NewChannel:
    """The channel as it is to be stored; raises Refusal `bad_channel`."""
    plain = NewChannel(wanted.channel.strip(), wanted.name.strip(), wanted.kind)
    if mistake := _mistake(plain):
        raise Refusal(RegistryReason.BAD_CHANNEL, mistake)
    return plain


def _mistake(wanted: NewChannel) -> str:
    if not is_identifier(wanted.channel):
        return "channel must be 1 to 64 characters without spaces and commas."
    if not wanted.name or len(wanted.name) > _TEXT_MAX or not wanted.name.isprintable():
        return f"name must have 1 to {_TEXT_MAX} characters on one line."
    return "" if wanted.kind in CHANNEL_KINDS else f"kind must be any of: {', '.join(CHANNEL_KINDS)}."


def unknown(channel: str) -> Refusal:
    return Refusal(RegistryReason.UNKNOWN_CHANNEL, f"There is no open channel {channel[:64]!r}.")
