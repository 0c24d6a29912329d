"""`pingxuan secrets` and `pingxuan databases`: what a deployment on servers of its own needs before its first start.

Each service gets a folder with its own keys and environment and sees no other's. Repeating either command changes no
secret that exists. Used by deploy/compose and deploy/kubernetes; `pingxuan up` does the same for itself.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import click

from services.cli.client import CommandFailed
from services.cli.embedded import databases as names_and_roles
from services.cli.embedded import valkey
from services.cli.embedded.home import Home, PlatformError, environment_text, write_private
from services.cli.embedded.keys import SERVICES, Keys, database_passwords, ensure_keys, password_in

# Where containers find their folder, and the volume of the rounds' keys, which no backup of secrets may hold.
MOUNT = "/run/pingxuan"
ROUND_KEYS = "/var/lib/pingxuan/round-keys"
ATTACHMENTS = "/var/lib/pingxuan/attachments"


@dataclass(frozen=True)
class Place:
    """Where a deployment's parts are: public origin, PostgreSQL and Valkey as `host:port`, trusted proxies.

    Of a Valkey Cluster `valkey` names one node or several, separated by commas.
    """

    origin: str
    postgres: str
    valkey: str
    proxies: str
    is_valkey_cluster: bool = False


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--origin", required=True, help="What people type: https://pingxuan.example.gov.cn")
@click.option("--postgres", default="postgres:5432", show_default=True, help="PostgreSQL as the services reach it.")
@click.option("--valkey", "valkey_place", default="valkey:6379", show_default=True, help="Valkey likewise.")
@click.option("--valkey-cluster", is_flag=True, help="Valkey is a cluster; --valkey names nodes of it: a:6379,b:6379")
@click.option("--proxies", default="", help="Addresses or networks of the proxy (TRUSTED_PROXIES).")
def secrets(folder: Path, origin: str, postgres: str, valkey_place: str, valkey_cluster: bool, proxies: str) -> None:
    """Write keys, passwords and environments for a deployment into FOLDER, a folder for each service.

    \b
    Example:
      pingxuan secrets deploy-secrets --origin https://pingxuan.example.gov.cn --proxies 172.28.0.0/24
    """
    if not origin.startswith(("https://", "http://")):
        raise click.UsageError("--origin starts with https://")
    try:
        place = Place(origin.rstrip("/"), postgres, valkey_place, proxies, valkey_cluster)
        write_secrets(folder.absolute(), place)
    except (OSError, PlatformError) as error:
        raise CommandFailed(f"the secrets cannot be written into {folder}: {error}") from None
    click.echo(f"{folder}: one folder each for registry, voting, scoring; postgres/ and valkey/; compose.env")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def databases(folder: Path) -> None:
    """Create roles and databases on the server of ADMIN_DATABASE_URL with the passwords in FOLDER; harmless to repeat.

    \b
    Example:
      ADMIN_DATABASE_URL=postgresql://postgres@localhost/postgres pingxuan databases deploy-secrets
    """
    url = os.environ.get("ADMIN_DATABASE_URL", "")
    if not url:
        raise click.UsageError("ADMIN_DATABASE_URL must name a role that may create roles and databases")
    try:
        passwords = database_passwords(folder / "keys")
        asyncio.run(names_and_roles.bootstrap_databases(url, passwords))
    except (OSError, PlatformError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise CommandFailed(f"the databases cannot be prepared: {told}") from None
    click.echo("roles and databases are there: " + ", ".join(names_and_roles.Names().database(s) for s in SERVICES))


def write_secrets(folder: Path, place: Place) -> None:
    """Everything under `folder` (0700); existing keys and passwords are kept. Raises OSError or PlatformError."""
    home = Home.at(folder)
    for each in (folder, home.keys, *(folder / name for name in (*SERVICES, "postgres", "valkey"))):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = ensure_keys(home)
    for service, files in _files(keys).items():
        for name, source in files.items():
            shutil.copyfile(source, folder / service / name)
            (folder / service / name).chmod(0o600)
        write_private(folder / service / "service.env", environment_text(container_environment(service, keys, place)))
    write_private(folder / "valkey" / "users.acl", valkey.access_list(keys.valkey_passwords))
    write_private(folder / "postgres" / "admin.password", keys.postgres_admin_password)
    owner = {"PINGXUAN_UID": str(os.getuid()), "PINGXUAN_GID": str(os.getgid()), "PUBLIC_ORIGIN": place.origin}
    owner["GRAFANA_ADMIN_PASSWORD"] = password_in(home.keys / "grafana_admin.password")
    write_private(folder / "compose.env", environment_text(owner))


def _files(keys: Keys) -> dict[str, dict[str, Path]]:
    """The key files that each service may see, by the name they have in its folder."""
    own: dict[str, dict[str, Path]] = {
        "registry": {"staff_signing.key": keys.staff_signing},
        "voting": {"master.key": keys.master, "tally.key": keys.tally},
        "scoring": {"tally.key": keys.tally},
    }
    return {
        service: {"web.key": keys.web[service], "staff_public.key": keys.staff_public, **own[service]}
        for service in SERVICES
    }


def container_environment(service: str, keys: Keys, place: Place) -> Mapping[str, str]:
    """The environment of one service's container; ports and hosts are those of the compose file and the manifests."""
    prefix = service.upper()
    scheme, path = ("redis+cluster", "") if place.is_valkey_cluster else ("redis", "/0")
    made = names_and_roles.service_urls(f"postgresql://{place.postgres}/", service, keys.database_passwords) | {
        f"{prefix}_REDIS_URL": f"{scheme}://{service}:{keys.valkey_passwords[service]}@{place.valkey}{path}",
        f"{prefix}_WEB_SECRET_FILE": f"{MOUNT}/web.key",
        f"{prefix}_STAFF_PUBLIC_KEY_FILE": f"{MOUNT}/staff_public.key",
        f"{prefix}_PUBLIC_ORIGIN": place.origin,
        f"{prefix}_TRUSTED_PROXIES": place.proxies,
        f"{prefix}_HOST": "0.0.0.0",  # noqa: S104 - inside its container's own network
    }
    return made | _of_its_own(service)


def _of_its_own(service: str) -> dict[str, str]:
    if service == "registry":
        return {
            "REGISTRY_STAFF_SIGNING_KEY_FILE": f"{MOUNT}/staff_signing.key",
            "REGISTRY_ATTACHMENTS_FOLDER": ATTACHMENTS,
            "REGISTRY_VOTING_URL": "http://voting:8001",
            "REGISTRY_SCORING_URL": "http://scoring:8003",
        }
    tally = {f"{service.upper()}_TALLY_KEY_FILE": f"{MOUNT}/tally.key"}
    if service == "scoring":
        return tally
    return tally | {
        "VOTING_MASTER_SECRET_FILE": f"{MOUNT}/master.key",
        "VOTING_ROUND_KEYS_DIR": ROUND_KEYS,
    }
