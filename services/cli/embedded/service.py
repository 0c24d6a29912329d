"""One of our three services as a child process, and exactly the environment it may see.

Invariant: a service is given its own secrets and nobody else's; names are those of `services/shared/settings.py`.
"""

import os
import sys
from collections.abc import Mapping

from services.cli.embedded.child import ChildSpec
from services.cli.embedded.home import PROJECT_FOLDER, Home
from services.cli.embedded.http import http_status
from services.cli.embedded.keys import SERVICES

HOST = "127.0.0.1"
SHARED_NAMES = ("STAFF_PUBLIC_KEY_FILE", "PUBLIC_ORIGIN", "TRUSTED_PROXIES", "PINGXUAN_HOME", "PLATFORM_MODE")
OWN_NAMES = {
    "registry": ("STAFF_SIGNING_KEY_FILE",),
    "voting": ("TALLY_KEY_FILE", "SMS_PROVIDER"),
    "scoring": ("TALLY_KEY_FILE",),
}
# Set by us or meant for the supervisor alone: never inherited from whoever typed the command.
WITHHELD_NAMES = frozenset(
    {"DATABASE_URL", "REDIS_URL", "ADMIN_DATABASE_URL", "OPERATOR_REDIS_URL", "STAFF_SIGNING_KEY_FILE"}
    | {"TALLY_KEY_FILE", "SMS_PROVIDER"}
)


def service_environment(
    service: str, platform: Mapping[str, str], surroundings: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of one service: the caller's without other services' names, then the platform's own part."""
    inherited = os.environ if surroundings is None else surroundings
    others = tuple(f"{other.upper()}_" for other in SERVICES if other != service)
    environment = {
        name: value for name, value in inherited.items() if not name.startswith(others) and name not in WITHHELD_NAMES
    }
    own = (*SHARED_NAMES, *OWN_NAMES[service])
    prefix = f"{service.upper()}_"
    environment.update({name: value for name, value in platform.items() if name in own or name.startswith(prefix)})
    environment["PYTHONPATH"] = os.pathsep.join([str(PROJECT_FOLDER), *filter(None, [inherited.get("PYTHONPATH")])])
    return environment


def service_child(home: Home, service: str, platform: Mapping[str, str], module: str) -> ChildSpec:
    """`python -m MODULE`; it is ready when its own `readyz` says so."""
    port = int(platform[f"{service.upper()}_PORT"])

    async def is_ready() -> bool:
        return await http_status(HOST, port, f"/api/{service}/v1/readyz") == 200

    return ChildSpec(
        name=service,
        command=(sys.executable, "-m", module),
        environment=service_environment(service, platform),
        log=home.log(service),
        is_ready=is_ready,
        stop_within_s=6.0,
    )
