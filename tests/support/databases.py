"""One migrated template database a service, one clone a test: fast, and nothing leaks from test to test."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from services.shared.postgres import migrate

SERVICES_FOLDER = Path(__file__).parents[2] / "services"
_counter = itertools.count(1)


@dataclass(frozen=True)
class Database:
    """URLs of one test's own database."""

    app_url: str
    owner_url: str
    admin_url: str


def _renamed(url: str, database: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{database}"))


class Databases:
    """Makes clones; templates are migrated at first use."""

    def __init__(self, admin_url: str, environment: Mapping[str, str]) -> None:
        self._admin_url, self._environment = admin_url, environment
        self._migrated: set[str] = set()

    async def clone(self, service: str) -> Database:
        app_url = self._environment[f"{service.upper()}_DATABASE_URL"]
        owner_url = self._environment[f"{service.upper()}_OWNER_DATABASE_URL"]
        if service not in self._migrated:
            await migrate(owner_url, app_url, SERVICES_FOLDER / service / "migrations")
            self._migrated.add(service)
        name, template = f"test_{service}_{next(_counter)}", f"pingxuan_{service}"
        connection = await asyncpg.connect(self._admin_url)
        try:
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER "{service}_owner"')
            await connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{service}_app"')
        finally:
            await connection.close()
        return Database(_renamed(app_url, name), _renamed(owner_url, name), _renamed(self._admin_url, name))
