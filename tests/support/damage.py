"""Breaks what each invariant guards and wants it to speak: an audit that cannot fail says nothing."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg
import pytest


async def break_each(admin_url: str, damage: Mapping[str, str], invariants: Mapping[str, str]) -> None:
    """Run each statement of `damage` past triggers and keys, and its invariant after it; nothing of it stays."""
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        for name, statement in damage.items():
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(statement)
            found = await connection.fetch(invariants[name])
            await transaction.rollback()
            if not found:
                pytest.fail(f"{name} is silent after: {statement}")
    finally:
        await connection.close()
