"""Invariants of the registry: each query must return no rows. Run by `pingxuan audit` and after fault tests."""

from services.registry.grants.audit import INVARIANTS as OF_PROJECTS

INVARIANTS: dict[str, str] = {
    **OF_PROJECTS,
    "every_account_change_left_a_message": """
        SELECT (SELECT coalesce(sum(version), 0) FROM staff) AS changes,
               (SELECT count(*) FROM outbox WHERE stream = 'registry.staff') AS messages
        WHERE (SELECT coalesce(sum(version), 0) FROM staff)
           <> (SELECT count(*) FROM outbox WHERE stream = 'registry.staff')""",
    "every_round_change_left_a_message": """
        SELECT s.round, s.version FROM round_states s
        WHERE s.version <> (
            SELECT count(*) FROM outbox o WHERE o.stream = 'registry.rounds'
            AND convert_from(o.body, 'UTF8')::jsonb ->> 'round' = s.round)""",
    "every_account_has_an_event": """
        SELECT staff FROM staff s WHERE NOT EXISTS (
            SELECT 1 FROM staff_events e WHERE e.staff = s.staff AND e.event = 'created')""",
    "disabled_accounts_have_no_open_session": """
        SELECT s.staff FROM staff s JOIN sessions x USING (staff)
        WHERE s.disabled AND x.revoked_at IS NULL AND x.created_at < s.not_before""",
    "the_digest_is_that_of_the_rules": """
        SELECT round, digest FROM rounds WHERE digest <> encode(sha256(convert_to(rules, 'UTF8')), 'hex')""",
    "every_round_has_a_state": """
        SELECT r.round FROM rounds r LEFT JOIN round_states s USING (round) WHERE s.round IS NULL OR s.version < 1""",
    "rounds_were_frozen_before_voting_opened": """
        SELECT round, frozen_at, voting_opens_at FROM rounds WHERE voting_opens_at <= frozen_at""",
    "only_rehearsals_are_out_of_view": """
        SELECT r.round, s.removed_at FROM rounds r JOIN round_states s USING (round)
        WHERE s.removed_at IS NOT NULL AND NOT r.rehearsal""",
    "numbers_are_dense": """
        SELECT round, count(*) AS candidates, max(number) AS last FROM candidates GROUP BY round
        HAVING count(*) <> max(number)""",
    "numbers_are_those_of_the_seed": """
        SELECT round, candidate, number FROM (
            SELECT c.round, c.candidate, c.number, row_number() OVER (
                PARTITION BY c.round
                ORDER BY encode(sha256(convert_to(r.number_seed || ':' || c.candidate, 'UTF8')), 'hex') COLLATE "C"
            ) AS drawn FROM candidates c JOIN rounds r USING (round)) d
        WHERE number <> drawn""",
    "seeds_of_lots_are_revealed_after_voting_only": """
        SELECT r.round, s.lots_revealed_at FROM rounds r JOIN round_states s USING (round)
        WHERE s.lots_revealed_at < coalesce(s.closed_early_at, r.lots_after)""",
    "list_versions_are_dense": """
        SELECT s.round, s.list_version FROM round_states s
        WHERE s.list_version <> (SELECT count(*) FROM lists l WHERE l.round = s.round)
           OR s.list_version <> (SELECT coalesce(max(version), 0) FROM lists l WHERE l.round = s.round)""",
    "every_list_has_a_notice": """
        SELECT l.round, l.version FROM lists l
        LEFT JOIN notices n ON n.round = l.round AND n.list_version = l.version WHERE n.round IS NULL""",
    "lists_rest_on_the_frozen_rules": """
        SELECT l.round, l.version FROM lists l JOIN rounds r USING (round) WHERE l.rules_digest <> r.digest""",
    "every_account_act_is_in_the_log": """
        SELECT staff, event, at FROM staff_events s
        WHERE at >= (SELECT min(at) FROM log_entries) AND NOT EXISTS (
            SELECT 1 FROM log_entries e WHERE e.kind = 'staff' AND e.object = s.staff
            AND e.action = 'staff.' || s.event AND e.at = s.at)""",
    "the_log_is_chained": """
        SELECT id, at FROM log_entries e WHERE at < clock_timestamp() - interval '10 minutes'
        AND NOT EXISTS (SELECT 1 FROM log_chain c WHERE c.entry = e.id)""",
    "the_chain_of_the_log_holds": """
        SELECT n FROM (
            SELECT c.n, c.hash, row_number() OVER (ORDER BY c.n) AS k, sha256(
                lag(c.hash, 1, decode(repeat('00', 32), 'hex')) OVER (ORDER BY c.n) || convert_to(
                    jsonb_build_array(c.n, e.id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                        actor, action, kind, object, round, before, after, personal)::text, 'UTF8')) AS computed
            FROM log_chain c LEFT JOIN log_entries e ON e.id = c.entry) x
        WHERE n <> k OR computed IS DISTINCT FROM hash""",
    "what_changed_of_units_was_decided": """
        SELECT unit, state FROM units u WHERE state <> 'pending' AND NOT EXISTS (
            SELECT 1 FROM unit_decisions d WHERE d.unit = u.unit AND d.decision = u.state)""",
    "accepted_invitations_have_an_account": """
        SELECT invitation FROM invitations
        WHERE accepted_at IS NOT NULL AND (staff IS NULL OR accepted_at >= expires_at)""",
    "calendar_versions_are_dense": """
        SELECT year, max(version) FROM calendar_years GROUP BY year HAVING max(version) <> count(*)""",
    "versions_are_what_their_hash_says": """
        SELECT application, number FROM application_versions WHERE sha256 <> sha256(convert_to(content, 'UTF8'))""",
    "versions_of_applications_are_dense": """
        SELECT application, count(*) AS versions, max(number) AS last FROM application_versions GROUP BY application
        HAVING count(*) <> max(number)""",
    "what_left_the_draft_was_handed_in": """
        SELECT a.application, a.stage FROM applications a WHERE a.stage NOT IN ('draft', 'withdrawn')
        AND NOT EXISTS (SELECT 1 FROM application_versions v WHERE v.application = a.application)""",
    "applications_were_handed_in_inside_the_window": """
        SELECT v.application, v.submitted_at FROM application_versions v JOIN applications a USING (application)
        JOIN calls c USING (call) WHERE v.number = 1
        AND (v.submitted_at < c.application_opens_at OR v.submitted_at >= c.application_closes_at)""",
    "every_application_is_led_by_a_lead": """
        SELECT a.application, u.kind FROM applications a JOIN units u USING (unit)
        WHERE u.kind IN ('university', 'research_institute', 'social_organisation')
        AND a.stage NOT IN ('draft', 'withdrawn')""",
    "every_version_was_logged": """
        SELECT v.application, v.number FROM application_versions v WHERE NOT EXISTS (
            SELECT 1 FROM log_entries e WHERE e.kind = 'application' AND e.object = v.application
            AND e.action = 'application.submitted' AND (e.after ->> 'number')::int = v.number)""",
    "every_attachment_was_logged": """
        SELECT t.attachment FROM attachments t WHERE NOT EXISTS (
            SELECT 1 FROM log_entries e WHERE e.kind = t.kind AND e.object = t.object
            AND e.after ->> 'attachment' = t.attachment)""",
    "files_belong_to_their_application": """
        SELECT f.attachment FROM application_files f JOIN attachments t USING (attachment)
        WHERE t.kind <> 'application' OR t.object <> f.application""",
    "frozen_calls_are_rounds": """
        SELECT c.call, c.state FROM calls c LEFT JOIN rounds r ON r.round = c.call
        WHERE (c.state = 'frozen') <> (r.round IS NOT NULL)""",
    "numbers_keep_their_commitment": """
        SELECT r.round FROM rounds r JOIN calls c ON c.call = r.round
        WHERE encode(sha256(convert_to(r.number_seed, 'UTF8')), 'hex') <> c.number_commitment""",
    "reviews_were_opened_with_their_stage": """
        SELECT a.application, a.stage FROM applications a LEFT JOIN reviews r USING (application)
        WHERE r.application IS NULL
          AND a.stage IN ('in_review', 'completion', 'accepted', 'not_accepted', 'candidate')""",
    "decisions_rest_on_two_checklists": """
        SELECT d.application, d.cycle FROM review_decisions d WHERE d.basis <> 'appeal' AND 2 <> (
            SELECT count(*) FROM review_checklists c WHERE c.application = d.application AND c.cycle = d.cycle)""",
    "sent_recommendations_keep_to_the_quota": """
        SELECT r.call, r.channel, cardinality(r.ranked) AS ranked FROM recommendations r
        JOIN calls c ON c.call = r.call JOIN channels h ON h.channel = r.channel
        WHERE r.sent_at IS NOT NULL AND h.kind <> 'municipal_unit' AND c.quotas ? h.kind
          AND cardinality(r.ranked) > (c.quotas ->> h.kind)::int + (
            SELECT coalesce(sum(e.places), 0) FROM exemptions e
            WHERE e.call = r.call AND e.channel = r.channel AND e.confirmed_by IS NOT NULL)""",
    "withdrawals_have_two_signatures": """
        SELECT w.round, w.candidate FROM candidate_withdrawals c JOIN withdrawals w USING (withdrawal)
        WHERE c.confirmed_by = w.proposed_by OR c.candidate <> w.candidate""",
    "changes_of_lists_were_signed_by_two": """
        SELECT c.change, p.proposed_by, p.confirmed_by FROM list_changes c JOIN list_proposals p USING (proposal)
        WHERE p.state <> 'done' OR p.confirmed_by IS NULL OR p.confirmed_by = p.proposed_by""",
    "every_changed_list_has_its_changes": """
        SELECT l.round, l.version FROM lists l WHERE l.origin = 'change' AND NOT EXISTS (
            SELECT FROM list_changes c WHERE c.round = l.round AND c.since_version = l.version)""",
    "lists_were_confirmed_after_their_window": """
        SELECT c.round, c.version FROM list_confirmations c
        JOIN notices n ON n.round = c.round AND n.list_version = c.version
        WHERE c.confirmed_at < n.objections_close_at""",
    "confirmed_lists_had_every_objection_answered": """
        SELECT o.receipt FROM objections o JOIN list_confirmations c USING (round)
        WHERE o.kind <> 'lead' AND o.entered_at < c.confirmed_at
          AND (o.answered_at IS NULL OR o.answered_at > c.confirmed_at)""",
    "objections_were_upheld_by_two": """
        SELECT receipt FROM objections WHERE state = 'upheld' AND (confirmed_by = '' OR confirmed_by = decided_by)""",
    "who_objected_is_kept_and_leads_name_nobody": """
        SELECT o.receipt FROM objections o LEFT JOIN objection_persons p USING (receipt)
        WHERE (o.kind = 'lead') <> (p.receipt IS NULL)""",
    "outbox_numbers_are_dense": """
        SELECT stream, count(n) AS numbered, max(n) AS last FROM outbox WHERE n IS NOT NULL GROUP BY stream
        HAVING count(n) <> max(n)""",
}
