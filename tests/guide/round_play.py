"""What a whole round remembers between its steps: who applied with what, and who is who in the office."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.cli.people import REGISTRY
from tests.guide.kunming import ROUND, application
from tests.guide.town import Town

WANG, LI, ZHAO, QIAN, SUN, SHEN = "wang", "li", "zhao", "qian", "sun", "shen"
OFFICE = {
    WANG: "administrator", LI: "administrator", ZHAO: "reviewer", QIAN: "reviewer", SUN: "reviewer", SHEN: "auditor",
}  # fmt: skip
CALL = f"{REGISTRY}/calls/{ROUND}"
ROUNDS = f"{REGISTRY}/rounds/{ROUND}"
APPLICATIONS = f"{REGISTRY}/applications"


@dataclass
class Play:
    """The town and what happened in it so far; applications go by their names in the round's folder (K01 …)."""

    town: Town
    units: dict[str, str] = field(default_factory=dict)
    applications: dict[str, str] = field(default_factory=dict)
    commitment: str = ""
    objection: str = ""
    removed: str = ""
    winner: str = ""

    def path(self, name: str) -> str:
        """An application's address."""
        return f"{APPLICATIONS}/{self.applications[name]}"

    def applicant(self, name: str) -> str:
        """Who acts for the unit of an application."""
        return f"unit-{lead_of(name).lower()}"

    def applicant_of(self, candidate: str) -> str:
        """The same by the application's identifier."""
        return self.applicant(next(name for name, known in self.applications.items() if known == candidate))

    def in_channel(self, channel: str, *names: str) -> list[str]:
        """Identifiers of the named applications that go through a channel, best first."""
        through = (name for name in names if application(lead_of(name))["channel"] == channel)
        return [self.applications[name] for name in through]


def lead_of(name: str) -> str:
    """The application whose unit hands this one in: K15's text comes from the unit of K02, as its second project."""
    return "K02" if name == "K15" else name


def officer(channel: str) -> str:
    return f"officer-{channel}"
