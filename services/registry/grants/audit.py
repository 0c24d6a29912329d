"""Invariants of projects: each query must return no rows. Part of the registry's audit."""

INVARIANTS: dict[str, str] = {
    "projects_rest_on_confirmed_lists": """
        SELECT p.round, p.candidate FROM projects p WHERE NOT EXISTS (
            SELECT 1 FROM list_confirmations c JOIN list_entries e USING (round, version)
            WHERE (c.round, c.version, e.candidate) = (p.round, p.list_version, p.candidate)
            AND e.outcome = 'selected')""",
    "every_project_act_took_two_people": """
        SELECT p.proposal, p.kind FROM project_proposals p
        WHERE p.proposal IN (SELECT proposal FROM project_amounts UNION SELECT proposal FROM project_acceptances
            UNION SELECT proposal FROM project_settlements)
        AND ((SELECT count(*) FROM project_signatures s WHERE s.proposal = p.proposal AND s.decision = 'approve') <> 2
            OR EXISTS (SELECT 1 FROM project_signatures s WHERE s.proposal = p.proposal AND s.decision = 'refuse'))""",
    "vouchers_count_once": """
        SELECT encode(b.voucher_sha256, 'hex') AS voucher, count(*) AS bookings FROM project_bookings b
        WHERE b.reverses IS NULL AND NOT EXISTS (SELECT 1 FROM project_bookings r WHERE r.reverses = b.booking)
        GROUP BY b.voucher_sha256 HAVING count(*) > 1""",
    "vouchers_belong_to_their_project": """
        SELECT b.booking FROM project_bookings b JOIN attachments t ON t.attachment = b.voucher
        WHERE (t.kind, t.object) <> ('project', b.round || '/' || b.candidate) OR t.sha256 <> b.voucher_sha256""",
    "reversals_are_opposites": """
        SELECT r.booking FROM project_bookings r JOIN project_bookings b ON b.booking = r.reverses
        WHERE (r.round, r.candidate, r.kind, r.line, r.amount) <> (b.round, b.candidate, b.kind, b.line, -b.amount)
        UNION ALL
        SELECT r.payment FROM project_payments r JOIN project_payments b ON b.payment = r.reverses
        WHERE (r.round, r.candidate, r.kind, r.amount) <> (b.round, b.candidate, b.kind, -b.amount)""",
    "instalments_come_to_the_grant": """
        SELECT p.round, p.candidate FROM projects p
        WHERE (SELECT coalesce(sum(i.amount), 0) FROM project_instalments i
                WHERE (i.round, i.candidate) = (p.round, p.candidate))
           <> (SELECT coalesce(sum(a.amount), 0) FROM project_amounts a JOIN project_proposals g USING (proposal)
                WHERE (a.round, a.candidate) = (p.round, p.candidate) AND g.kind = 'grant')""",
    "changes_of_budget_only_move_money": """
        SELECT a.proposal, sum(a.amount) FROM project_amounts a JOIN project_proposals g USING (proposal)
        WHERE g.kind = 'budget_change' GROUP BY a.proposal HAVING sum(a.amount) <> 0""",
    "no_line_was_granted_more_than_it_asked_for": """
        SELECT a.proposal, a.line FROM project_amounts a JOIN project_proposals g USING (proposal)
        JOIN project_lines l ON (l.round, l.candidate, l.line) = (a.round, a.candidate, a.line)
        WHERE g.kind = 'grant' AND a.amount NOT BETWEEN 0 AND l.requested""",
    "settled_projects_are_covered": """
        SELECT l.round, l.candidate, l.line FROM project_lines l JOIN project_settlements s USING (round, candidate)
        WHERE (SELECT coalesce(sum(CASE b.kind WHEN 'expenditure' THEN b.amount ELSE -b.amount END), 0)
                FROM project_bookings b WHERE (b.round, b.candidate, b.line) = (l.round, l.candidate, l.line))
            > (SELECT coalesce(sum(a.amount), 0) FROM project_amounts a
                WHERE (a.round, a.candidate, a.line) = (l.round, l.candidate, l.line))""",
    "accepted_projects_answered_every_target": """
        SELECT a.round, a.candidate, a.attempt FROM project_acceptances a
        WHERE (SELECT count(*) FROM project_targets t WHERE (t.round, t.candidate) = (a.round, a.candidate))
           <> (SELECT count(*) FROM project_target_outcomes o
                WHERE (o.round, o.candidate, o.attempt) = (a.round, a.candidate, a.attempt))""",
}
