"""What the handlers of this process share, put together once by `app.py` and found through the application's state."""

from dataclasses import dataclass

from redis.asyncio import Redis

from services.registry.attachments import Files
from services.registry.objections.intake import Intake
from services.registry.printing import Printer
from services.registry.settings import RegistrySettings
from services.registry.staff.sessions import Sessions
from services.registry.units.admission import Admission
from services.shared.address import Addresses, bucket
from services.shared.clock import Clock
from services.shared.pages import AnyRequest, Pages
from services.shared.postgres import Pool
from services.shared.staff import StaffDoor

PREFIX = "/api/registry/v1"


@dataclass(frozen=True, slots=True)
class Parts:
    """The registry's parts; `door` checks tokens against the accounts themselves, which live in this database."""

    settings: RegistrySettings
    pool: Pool
    redis: Redis
    clock: Clock
    door: StaffDoor
    sessions: Sessions
    addresses: Addresses
    pages: Pages
    admission: Admission
    files: Files
    printer: Printer
    intake: Intake

    def address(self, request: AnyRequest) -> str:
        """What one allowance belongs to: the client's IPv4 address or IPv6 /64."""
        peer = request.client.host if request.client else ""
        return bucket(self.addresses.client(peer, request.scope["headers"]))


def parts(request: AnyRequest) -> Parts:
    found: Parts = request.app.state.parts
    return found
