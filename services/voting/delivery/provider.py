"""What every provider of messages can do, and the closed list of how a delivery may fail."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec


class Failure(StrEnum):
    """Why a provider did not take or not deliver a code; the word stands in the table, the metric and the hotline."""

    BAD_NUMBER = "bad_number"  # no other provider will do better
    NUMBER_THROTTLED = "number_throttled"  # this provider sent this number too much
    PROVIDER_THROTTLED = "provider_throttled"
    PROVIDER_REFUSED = "provider_refused"  # credentials, balance, template: somebody must look
    PROVIDER_AWAY = "provider_away"
    NOT_DELIVERED = "not_delivered"  # reported later

    @property
    def blames_provider(self) -> bool:
        """Whether the provider, not the number, is the trouble: such failures open its circuit breaker."""
        return self in (Failure.PROVIDER_THROTTLED, Failure.PROVIDER_REFUSED, Failure.PROVIDER_AWAY)


class Taken(msgspec.Struct, frozen=True):
    """The provider took the code; `delivered` where it is known to have arrived at once."""

    delivery_id: str
    delivered: bool = False


class Report(msgspec.Struct, frozen=True):
    """What a provider tells later about a delivery."""

    delivery_id: str
    delivered: bool


class Provider(Protocol):
    """Delivers a code to a phone."""

    name: str
    routes: frozenset[str]

    async def send(self, phone: str, code: str, route: str) -> Taken | Failure:
        """Hand a code over; `phone` is E.164, `route` one of `routes`. Never raises for what a network may do."""
        ...

    def read_reports(self, body: bytes) -> list[Report]:
        """Reports in the body of a provider's call; raises ValueError where it has another form."""
        ...

    @property
    def report_answer(self) -> dict[str, object]:
        """What the provider wants to hear after its reports were taken."""
        ...

    async def close(self) -> None: ...
