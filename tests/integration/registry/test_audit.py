"""The invariants are silent on a healthy database, and each query is one that PostgreSQL can run."""

from __future__ import annotations

import asyncpg
import pytest

from services.registry.audit import INVARIANTS
from tests.integration.registry.conftest import Registry, simple_files
from tests.integration.registry.test_lists import SELECTION, publish
from tests.support.project_rounds import PROJECT_DAMAGE
from tests.support.registry_people import add_unit

# What a bug or an attacker with the owner's rights would leave behind, and the invariant that must speak.
DAMAGE = {
    "every_account_change_left_a_message": "DELETE FROM outbox WHERE stream = 'registry.staff'",
    "every_round_change_left_a_message": "UPDATE round_states SET version = version + 1",
    "every_account_has_an_event": "DELETE FROM staff_events",
    "disabled_accounts_have_no_open_session": "UPDATE staff SET disabled = true, not_before = now() + interval '1 day'",
    "the_digest_is_that_of_the_rules": "UPDATE rounds SET rules = rules || ' '",
    "every_round_has_a_state": "DELETE FROM round_states",
    "rounds_were_frozen_before_voting_opened": "UPDATE rounds SET frozen_at = voting_opens_at",
    "numbers_are_dense": "UPDATE candidates SET number = 99 WHERE number = 6",
    "numbers_are_those_of_the_seed": "UPDATE rounds SET number_seed = 'another'",
    "seeds_of_lots_are_revealed_after_voting_only": "UPDATE round_states SET lots_revealed_at = now()",
    "list_versions_are_dense": "UPDATE round_states SET list_version = 2",
    "every_list_has_a_notice": "DELETE FROM notices",
    "lists_rest_on_the_frozen_rules": "UPDATE lists SET rules_digest = 'another'",
    "every_account_act_is_in_the_log": "DELETE FROM log_entries WHERE id = (SELECT max(id) FROM log_entries"
    " WHERE action = 'staff.created')",
    "the_log_is_chained": "DELETE FROM log_chain; UPDATE log_entries SET at = at - interval '11 minutes'",
    "the_chain_of_the_log_holds": "UPDATE log_entries SET actor = 'somebody else'",
    "what_changed_of_units_was_decided": "DELETE FROM unit_decisions",
    "accepted_invitations_have_an_account": "UPDATE invitations SET accepted_at = invited_at, staff = NULL",
    "calendar_versions_are_dense": "UPDATE calendar_years SET version = 7",
    "outbox_numbers_are_dense": "UPDATE outbox SET n = 99 WHERE n = 1 AND stream = 'registry.staff'",
}


async def _whole_round(registry: Registry) -> None:
    made = await registry.add_staff("wang", "administrator")
    await registry.sign_in("wang", made["password"])
    await add_unit(registry)
    year = {"version": 0, "document": "号", "days_off": [], "days_worked": []}
    await registry.call("PUT", "/calendar/2099", json=year)
    loaded = await registry.load(simple_files(more=SELECTION))
    await publish(registry, loaded.json()["digest"])
    await registry.sent("registry.rounds", 2)


async def test_the_invariants_are_silent_after_a_whole_round(registry: Registry) -> None:
    await _whole_round(registry)
    for name, query in INVARIANTS.items():
        assert await registry.parts.pool.fetch(query) == [], name


async def test_every_invariant_speaks_when_its_rule_is_broken(registry: Registry) -> None:
    await _whole_round(registry)
    # Those of projects need one that was settled: test_projects_audit.py.
    assert DAMAGE.keys() | PROJECT_DAMAGE.keys() == INVARIANTS.keys()
    connection = await asyncpg.connect(registry.database.admin_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        for name, statement in DAMAGE.items():
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(statement)
            found = await connection.fetch(INVARIANTS[name])
            await transaction.rollback()
            if not found:
                pytest.fail(f"{name} is silent after: {statement}")
    finally:
        await connection.close()
