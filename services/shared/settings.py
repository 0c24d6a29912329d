"""Settings: frozen structs filled from the environment, then `.env`, then the running platform's file.

A field `pool_max` of the service `voting` is read from `VOTING_POOL_MAX`, then from `POOL_MAX`. Everything is
validated at start; a wrong value is one sentence naming the variable, never a later surprise.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from dotenv import dotenv_values

from services.shared.errors import ConfigurationError

SettingsType = TypeVar("SettingsType", bound=msgspec.Struct)

Doc = msgspec.Meta


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who runs the site, as the foot of every page tells it; the same for all services."""

    public_origin: Annotated[str, Doc(description="The origin people see, without a final slash.")] = (
        "http://127.0.0.1:8000"
    )
    organiser: Annotated[str, Doc(description="Who organises the selections, told at the foot of every page.")] = ""
    hotline: Annotated[str, Doc(description="Telephone number that pages tell people to call.", min_length=3)] = "12345"
    filing_number: Annotated[
        str, Doc(description="ICP filing number (备案号) at the foot of every page, linked as the ministry asks.")
    ] = ""
    police_filing_number: Annotated[
        str, Doc(description="Filing number with the public security bureau (公网安备), likewise.")
    ] = ""


class ServiceSettings(SiteSettings, frozen=True, kw_only=True):
    """What every service needs; each service adds its own fields."""

    host: Annotated[str, Doc(description="Address the service listens on.")] = "127.0.0.1"
    port: Annotated[int, Doc(description="Port the service listens on.", ge=1, le=65535)]
    metrics_port: Annotated[int, Doc(description="Internal port of /metrics, whole over the workers.", ge=1)]
    workers: Annotated[int, Doc(description="Number of worker processes.", ge=1, le=64)] = 1
    database_url: Annotated[str, Doc(description="PostgreSQL of this service, with its least-privilege role.")]
    owner_database_url: Annotated[
        str, Doc(description="The same database with the owner's role, for migrations; empty: no migrating.")
    ] = ""
    redis_url: Annotated[
        str,
        Doc(
            description="Valkey or Redis, with this service's own user; of a cluster"
            " `redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT`."
        ),
    ]
    web_secret_file: Annotated[str, Doc(description="File with the secret of cookies and forms.")]
    staff_public_key_file: Annotated[str, Doc(description="File with the registry's public key (PEM).")]
    trusted_proxies: Annotated[
        str, Doc(description="Addresses or networks whose X-Forwarded-For is believed, comma-separated.")
    ] = ""
    log_level: Annotated[str, Doc(description="debug, info, warning or error.")] = "info"
    pool_max: Annotated[int, Doc(description="Connections to PostgreSQL per worker, at most.", ge=2)] = 8
    statement_timeout_s: Annotated[
        float, Doc(description="A statement that takes longer fails, and its connection is given up.", gt=0)
    ] = 5.0
    body_max_bytes: Annotated[int, Doc(description="Request bodies longer than this are refused.", ge=1024)] = 1 << 20
    live_streams_max: Annotated[
        int, Doc(description="Pages kept fresh by a stream per worker, half of them public; others ask again.", ge=2)
    ] = 400
    staff_lag_max_s: Annotated[
        float, Doc(description="Acts that need two people fail closed when staff records lag more.", gt=0)
    ] = 30.0


def environment(home: Path | None = None) -> dict[str, str]:
    """Variables by rising priority: the platform's file under PINGXUAN_HOME, `.env`, the process environment."""
    merged: dict[str, str | None] = {}
    folder = home or Path(os.environ.get("PINGXUAN_HOME") or ".pingxuan")
    platform_file = folder / "platform.env"
    for source in (platform_file, Path(".env")):
        if source.is_file():
            merged.update(dotenv_values(source, interpolate=False))
    merged.update(os.environ)
    return {name: value for name, value in merged.items() if value is not None}


def load(kind: type[SettingsType], prefix: str, variables: Mapping[str, str] | None = None) -> SettingsType:
    """Build the settings struct of the service `prefix`; raises ConfigurationError with one sentence."""
    known = environment() if variables is None else variables
    values: dict[str, str] = {}
    sources: dict[str, str] = {}
    for field in msgspec.structs.fields(kind):
        specific, general = f"{prefix}_{field.name}".upper(), field.name.upper()
        source = specific if specific in known else general
        value = known.get(source)
        if value is not None and value != "":
            values[field.name], sources[field.name] = value, source
        elif field.required:
            raise ConfigurationError(f"{specific} is not set; start with `pingxuan up` or see deploy/README.md")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(_wrong_value(str(error), sources)) from None


def _wrong_value(message: str, sources: Mapping[str, str]) -> str:
    """Name the variable instead of the field; the value itself is not repeated, for it may be a secret."""
    what, _, path = message.partition(" - at `$.")
    field = path.removesuffix("`")
    return f"{sources.get(field, field)}: {what[:1].lower()}{what[1:]}; see deploy/README.md"


def read_secret(path: str, what: str) -> bytes:
    """Content of a secret file without surrounding white space; missing or empty is a ConfigurationError."""
    try:
        secret = Path(path).read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{what}: {path} cannot be read ({error.strerror})") from None
    if len(secret) < 16:
        raise ConfigurationError(f"{what}: {path} is empty or too short for a secret")
    return secret
