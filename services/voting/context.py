"""What the service's calls work with, made once by `app.py`."""

from __future__ import annotations

from dataclasses import dataclass, field

from litestar.di import NamedDependency

from services.shared.address import Addresses
from services.shared.clock import Clock
from services.shared.postgres import Pool
from services.shared.staff import StaffDoor
from services.voting.challenges import Challenges
from services.voting.codes import SignIn
from services.voting.delivery.courier import Courier
from services.voting.delivery.outbox import OutboxProvider
from services.voting.devices import Devices
from services.voting.identity import RoundKeys, address_key
from services.voting.identity.oidc import Oidc
from services.voting.identity.wechat import Wechat
from services.voting.pulse import Pulse
from services.voting.rounds import FrozenRound, Phase, RoundBook
from services.voting.settings import VotingSettings
from services.voting.turnstile import Turnstile
from services.voting.voter_token import VoterTokens


@dataclass(slots=True)
class Context:
    """The parts of a running voting service."""

    settings: VotingSettings
    pool: Pool
    clock: Clock
    rounds: RoundBook
    keys: RoundKeys
    tokens: VoterTokens
    challenges: Challenges
    devices: Devices
    addresses: Addresses
    turnstile: Turnstile
    sign_in: SignIn
    courier: Courier
    outbox_provider: OutboxProvider | None
    wechat: Wechat | None
    oidc: Oidc | None
    oidc_verifies_ids: bool
    report_secret: bytes | None
    door: StaffDoor
    tally_key: bytes
    bundle_secret: bytes
    picture_key: bytes
    pictures_under_way: int = 0
    pulse: Pulse = field(default_factory=Pulse)
    results_cache: dict[str, tuple[float, Phase, bytes, str]] = field(default_factory=dict)

    def address_key(self, frozen: FrozenRound, address: str) -> bytes | None:
        """The address as the ledger and the turnstile know it: keyed, so that it leads back to nobody."""
        key = self.keys.get(frozen.id)
        return address_key(key, address) if key else None

    async def note_verified(self, frozen: FrozenRound, address: str) -> None:
        key = self.address_key(frozen, address)
        if key is not None:
            await self.turnstile.note_verified(frozen.tag, key, int(self.clock.timestamp() * 1_000_000))


ContextDependency = NamedDependency[Context]
