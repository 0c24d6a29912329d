"""The invariants are silent on a healthy database, and each query is one that PostgreSQL can run."""

from __future__ import annotations

from services.registry.audit import INVARIANTS
from tests.integration.registry.conftest import Registry, simple_files
from tests.integration.registry.test_lists import SELECTION, publish
from tests.support.damage import break_each
from tests.support.project_rounds import PROJECT_DAMAGE
from tests.support.registry_people import add_unit

_CALL = (
    "INSERT INTO calls (call, title, rules, timezone, review_working_days, appeal_working_days, created_by, state,"
    " application_opens_at, application_closes_at, quotas) VALUES ('{call}', '', '', 'Asia/Shanghai', 5, 3, 'ann',"
    " '{state}', now() - interval '1 day', now() + interval '1 day', '{{\"district\": 1}}');"
)
_ANNOUNCED = _CALL.format(call="autumn", state="announced")
_APPLICATION = (
    f"{_ANNOUNCED} INSERT INTO applications (application, call, unit, channel, stage, created_by)"
    " SELECT 'a1', 'autumn', unit, channel, '{stage}', 'ann' FROM units;"
)
_SUBMITTED = _APPLICATION.replace("{stage}", "submitted")
_VERSION = (
    "INSERT INTO application_versions VALUES ('a1', {number}, '{content}', sha256('{{}}'), 'CODE',"
    " now() + interval '{days} days', 'ann');"
)
_FILE = "INSERT INTO attachments VALUES ('f1', 'application', 'a1', 'other', '', '', 1, sha256(''), 'ann', now());"
_OBJECTION = (
    "INSERT INTO objections (receipt, round, list_version, kind, medium, ground, text, received_on, entered_at,"
    " reply_days) VALUES (repeat('R', 20), 'small', 1, 'named', 'online', 'untrue', '', '2020-10-02', '2020-10-02', 5);"
)
_CONFIRMED = "INSERT INTO list_confirmations VALUES ('small', 1, 1, '', '2020-10-20', NULL, '{at}');"
# What a bug or an attacker with the owner's rights would leave behind, and the invariant that must speak.
DAMAGE = {
    "only_rehearsals_are_out_of_view": "UPDATE round_states SET removed_at = now()",
    "versions_are_what_their_hash_says": _SUBMITTED + _VERSION.format(number=1, content="x", days=0),
    "versions_of_applications_are_dense": _SUBMITTED + _VERSION.format(number=2, content="{}", days=0),
    "what_left_the_draft_was_handed_in": _SUBMITTED,
    "applications_were_handed_in_inside_the_window": _SUBMITTED + _VERSION.format(number=1, content="{}", days=2),
    "every_application_is_led_by_a_lead": f"{_SUBMITTED} UPDATE units SET kind = 'university'",
    "every_version_was_logged": _SUBMITTED + _VERSION.format(number=1, content="{}", days=0),
    "every_attachment_was_logged": _FILE,
    "files_belong_to_their_application": f"{_FILE} INSERT INTO application_files VALUES ('f1', 'a2')",
    "frozen_calls_are_rounds": _CALL.format(call="autumn", state="frozen"),
    "numbers_keep_their_commitment": _CALL.format(call="small", state="frozen"),
    "reviews_were_opened_with_their_stage": _APPLICATION.replace("{stage}", "in_review"),
    "decisions_rest_on_two_checklists": "INSERT INTO review_decisions VALUES ('a1', 1, 'accepted', '', '', 'agreed',"
    " 'ann', now(), '2020-10-15')",
    "sent_recommendations_keep_to_the_quota": f"{_ANNOUNCED} INSERT INTO recommendations (call, channel, ranked,"
    " sent_at) VALUES ('autumn', 'wuhua', '{a1,a2}', now())",
    "withdrawals_have_two_signatures": "INSERT INTO withdrawals VALUES ('w', 'small', 'c1', '', 'ann', now());"
    " INSERT INTO candidate_withdrawals VALUES ('small', 'c1', 'w', now(), 'ann')",
    "changes_of_lists_were_signed_by_two": "INSERT INTO list_proposals (round, act, list_version, content, proposed_by,"
    " proposed_at) VALUES ('small', 'change', 1, '{}', 'ann', now()); INSERT INTO list_changes (round, proposal,"
    " since_version, kind, candidate, reason, text) SELECT round, proposal, 2, 'remove', 'c1', 'untrue', ''"
    " FROM list_proposals",
    "every_changed_list_has_its_changes": "UPDATE lists SET origin = 'change'",
    "lists_were_confirmed_after_their_window": _CONFIRMED.format(at="2020-10-01"),
    "confirmed_lists_had_every_objection_answered": _OBJECTION + _CONFIRMED.format(at="2020-10-20"),
    "objections_were_upheld_by_two": f"{_OBJECTION} ALTER TABLE objections DROP CONSTRAINT objections_check;"
    " UPDATE objections SET state = 'upheld', decided_by = 'ann', confirmed_by = 'ann', answered_at = now()",
    "who_objected_is_kept_and_leads_name_nobody": _OBJECTION,
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
    await break_each(registry.database.admin_url, DAMAGE, INVARIANTS)
