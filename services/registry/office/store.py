"""What waits for one person, over all subjects, in one query: the only SQL of the inbox. Read-only.

Each part answers the same columns (`tasks.Row`). Parameters: $1 the person, $2 their unit, $3 their channel, $4 now,
$5 whether they are an administrator, $6 whether a reviewer or administrator, $7 whether an officer of $3, $8 whether
a reviewer. What concerns their own unit or channel is left out, except an officer's own work.
"""

# ruff: noqa: S608 - the parts are our own text; every value is a parameter

from datetime import datetime

import msgspec

from services.registry.grants.reading import SELECTED
from services.registry.office.tasks import Row, TaskKind
from services.shared.postgres import Pool
from services.shared.staff import Role, Staff

# More would be nobody's inbox; the page says that there is more.
TASKS_MAX = 20_000

_UNDATED = (
    "NULL::date AS due_on, NULL::date AS started_on, 0 AS working_days, NULL::date AS paused_from,"
    " NULL::date AS paused_until"
)
_UNIT_IS_MINE = "($7 AND u.channel = $3 OR $5 AND u.channel <> $3) AND u.unit <> $2"
_UNIT_REGISTRATION = f"""
SELECT 'unit_registration' AS kind, '' AS place, u.unit AS object, u.name AS title, h.name AS who, u.channel,
  u.created_at AS since, {_UNDATED}, 'Asia/Shanghai' AS timezone, 1::bigint AS waiting
FROM units u JOIN channels h USING (channel) WHERE u.state = 'pending' AND {_UNIT_IS_MINE}"""
_UNIT_CHANGE = f"""
SELECT 'unit_change', '', u.unit, u.name, h.name, u.channel, x.asked_at, {_UNDATED}, 'Asia/Shanghai', 1
FROM unit_changes x JOIN units u USING (unit) JOIN channels h USING (channel)
WHERE x.state = 'open' AND u.state = 'approved' AND {_UNIT_IS_MINE}"""
_CLOSES_ON = "((c.recommendation_closes_at - interval '1 microsecond') AT TIME ZONE c.timezone)::date"
_BEFORE_CLOSE = "c.state = 'announced' AND (c.recommendation_closes_at IS NULL OR c.recommendation_closes_at > $4)"
_RECOMMENDATION = f"""
SELECT 'recommendation', c.call, $3, c.title, h.name, h.channel, min(a.submitted_at), {_CLOSES_ON}, NULL, 0, NULL, NULL,
  c.timezone, count(*)
FROM calls c JOIN channels h ON h.channel = $3 JOIN applications a ON a.call = c.call AND a.channel = $3
LEFT JOIN recommendations r ON r.call = c.call AND r.channel = $3
WHERE $7 AND {_BEFORE_CLOSE} AND r.sent_at IS NULL AND a.stage = 'submitted'
GROUP BY c.call, h.channel"""
_EXEMPTION = f"""
SELECT 'exemption', c.call, e.channel, e.reason, h.name, e.channel, e.proposed_at, {_CLOSES_ON}, NULL, 0, NULL, NULL,
  c.timezone, e.places
FROM exemptions e JOIN calls c USING (call) JOIN channels h USING (channel)
WHERE $5 AND e.confirmed_by IS NULL AND e.proposed_by <> $1 AND e.channel <> $3 AND {_BEFORE_CLOSE}"""
_REVIEWED = """
FROM reviews r JOIN applications a USING (application) JOIN calls c ON c.call = r.call
JOIN units u ON u.unit = a.unit LEFT JOIN completions m USING (application)
LEFT JOIN (SELECT application, cycle, count(*) AS filled, count(DISTINCT (verdict, reason)) AS opinions,
    bool_or(reviewer = $1) AS mine FROM review_checklists GROUP BY application, cycle) k
  ON k.application = r.application AND k.cycle = r.cycle
WHERE c.state = 'announced' AND a.stage = 'in_review' AND a.unit <> $2 AND a.channel <> $3"""
_REVIEW = """'', r.application, a.title, u.name, a.channel, r.opened_at, NULL::date, r.started_on, r.working_days,
  m.requested_on, m.ended_on, c.timezone, 1"""
_REVIEW_CHECKLIST = f"""
SELECT 'review_checklist', {_REVIEW} {_REVIEWED} AND $8 AND coalesce(k.filled, 0) < 2 AND NOT coalesce(k.mine, false)"""
_REVIEW_DECISION = f"""
SELECT 'review_decision', {_REVIEW} {_REVIEWED} AND $6 AND k.filled = 2
  AND (k.opinions = 1 OR ($5 AND NOT k.mine))"""
_JOINT_CHECK = """
SELECT 'joint_check', r.call, j.department, c.title, j.department, '', min(j.asked_at), min(j.due_on), NULL, 0, NULL,
  NULL, c.timezone, count(*)
FROM joint_checks j JOIN reviews r USING (application) JOIN applications a USING (application)
JOIN calls c ON c.call = r.call
WHERE $6 AND j.result IS NULL AND c.state = 'announced' AND a.stage IN ('in_review', 'completion')
  AND a.unit <> $2 AND a.channel <> $3
GROUP BY r.call, c.title, c.timezone, j.department"""
_APPEAL = f"""
SELECT 'appeal', '', a.application, a.title, u.name, a.channel, p.filed_at, {_UNDATED}, c.timezone, 1
FROM appeals p JOIN reviews r USING (application, cycle) JOIN applications a USING (application)
JOIN calls c ON c.call = r.call JOIN units u ON u.unit = a.unit
WHERE $6 AND p.outcome IS NULL AND a.stage = 'not_accepted' AND a.unit <> $2 AND a.channel <> $3
  AND NOT EXISTS (SELECT FROM review_checklists k WHERE k.application = a.application AND k.reviewer = $1)
  AND NOT EXISTS (SELECT FROM review_decisions d WHERE d.application = a.application AND d.decided_by = $1)"""
_OBJECTION = """
SELECT CASE WHEN o.state = 'deciding' THEN 'objection_second' WHEN o.owner = '' THEN 'objection_owner'
    ELSE 'objection_decision' END,
  o.round, o.receipt, coalesce(t.title, n.title), n.title, coalesce(t.channel, ''), o.entered_at, NULL::date,
  o.received_on, o.reply_days, NULL, NULL, n.timezone, 1
FROM objections o JOIN rounds n USING (round) LEFT JOIN candidates t ON t.round = o.round AND t.candidate = o.candidate
WHERE $6 AND CASE o.state WHEN 'deciding' THEN o.decided_by <> $1 WHEN 'received' THEN true
    WHEN 'assigned' THEN $5 OR o.owner = $1 ELSE false END
  AND NOT coalesce(($2 <> '' AND (t.unit = $2 OR t.unit = (SELECT y.name FROM units y WHERE y.unit = $2)))
    OR ($3 <> '' AND t.channel = $3), false)"""
_PROJECT = """ FROM projects p JOIN candidates t USING (round, candidate) JOIN rounds n USING (round)"""
_OF_PROJECT = "p.round, p.candidate, t.title, t.unit, p.channel"
_NOT_MINE = "$6 AND p.unit <> $2 AND p.channel <> $3"
_SETTLED = "EXISTS (SELECT FROM project_settlements s WHERE (s.round, s.candidate) = (p.round, p.candidate))"
_GRANTED = "EXISTS (SELECT FROM project_instalments s WHERE (s.round, s.candidate) = (p.round, p.candidate))"
_IS_OPEN = """NOT EXISTS (SELECT FROM project_signatures s WHERE s.proposal = q.proposal AND s.decision = 'refuse')
  AND (SELECT count(*) FROM project_signatures s WHERE s.proposal = q.proposal) < 2"""
_PROPOSED = f"""EXISTS (SELECT FROM project_proposals q WHERE (q.round, q.candidate) = (p.round, p.candidate)
  AND {_IS_OPEN})"""
_PROJECT_PROPOSAL = f"""
SELECT 'project_proposal', {_OF_PROJECT}, q.proposed_at, {_UNDATED}, n.timezone, 1
{_PROJECT} JOIN project_proposals q USING (round, candidate)
WHERE {_NOT_MINE} AND q.proposed_by <> $1 AND {_IS_OPEN}
  AND NOT EXISTS (SELECT FROM project_signatures s WHERE s.proposal = q.proposal AND s.signer = $1)"""
_PROJECT_BOOKING = f"""
SELECT 'project_booking', {_OF_PROJECT}, min(b.booked_at), {_UNDATED}, n.timezone, count(*)
{_PROJECT} JOIN project_bookings b USING (round, candidate)
WHERE {_NOT_MINE} AND b.reverses IS NULL AND NOT {_SETTLED}
  AND NOT EXISTS (SELECT FROM project_bookings z WHERE z.reverses = b.booking)
  AND NOT EXISTS (SELECT FROM project_checks k WHERE k.booking = b.booking)
GROUP BY {_OF_PROJECT}, n.timezone"""
_PROJECT_INSPECTION = f"""
SELECT 'project_inspection', {_OF_PROJECT}, i.planned_at, i.planned_on, NULL, 0, NULL, NULL, n.timezone, 1
{_PROJECT} JOIN project_inspections i USING (round, candidate)
WHERE {_NOT_MINE} AND NOT EXISTS (SELECT FROM project_inspection_reports x WHERE x.inspection = i.inspection)"""
_PROJECT_FINDING = f"""
SELECT 'project_finding', {_OF_PROJECT}, min(last.at), {_UNDATED}, n.timezone, count(*)
{_PROJECT} JOIN project_inspections i USING (round, candidate) JOIN project_findings f USING (inspection)
JOIN LATERAL (SELECT step, at FROM project_finding_steps s WHERE s.finding = f.finding ORDER BY id DESC LIMIT 1) last
  ON last.step = 'remedied'
WHERE {_NOT_MINE} GROUP BY {_OF_PROJECT}, n.timezone"""
# Who should act on a project now, from where it stands: no grant yet, acceptance in the last thirty days, settlement.
_PROJECT_STEP = f"""
SELECT CASE WHEN NOT {_GRANTED} THEN 'project_grant' WHEN coalesce(e.opinion, 'rectify') = 'rectify'
    THEN 'project_acceptance' ELSE 'project_settlement' END,
  {_OF_PROJECT}, p.opened_at,
  CASE WHEN {_GRANTED} AND coalesce(e.opinion, 'rectify') = 'rectify'
    THEN coalesce(e.rectify_before, p.accept_before) - 1 END, NULL, 0, NULL, NULL, n.timezone, 1
{_PROJECT} LEFT JOIN LATERAL (SELECT opinion, rectify_before FROM project_acceptances s
    WHERE (s.round, s.candidate) = (p.round, p.candidate) ORDER BY attempt DESC LIMIT 1) e ON true
WHERE {_NOT_MINE} AND NOT {_SETTLED} AND NOT {_PROPOSED}
  AND (NOT {_GRANTED} AND {SELECTED} OR coalesce(e.opinion, 'rectify') <> 'rectify'
    OR {_GRANTED} AND coalesce(e.rectify_before, p.accept_before) <= ($4 AT TIME ZONE n.timezone)::date + 30)"""
_TASKS = " UNION ALL ".join(
    [
        _UNIT_REGISTRATION, _UNIT_CHANGE, _RECOMMENDATION, _EXEMPTION, _REVIEW_CHECKLIST, _REVIEW_DECISION,
        _JOINT_CHECK, _APPEAL, _OBJECTION, _PROJECT_PROPOSAL, _PROJECT_BOOKING, _PROJECT_INSPECTION, _PROJECT_FINDING,
        _PROJECT_STEP,
    ]
)  # fmt: skip


class Colleague(msgspec.Struct, frozen=True):
    """Somebody who works in the office, as far as a page names them or gives them work."""

    staff: str
    name: str
    roles: list[str]


async def colleagues(pool: Pool) -> list[Colleague]:
    """Reviewers, administrators and officers with an account, by name; there are dozens."""
    rows = await pool.fetch(
        "SELECT staff, coalesce(nullif(name, ''), username) AS name, roles FROM staff"
        " WHERE NOT disabled AND roles && $1 ORDER BY 2, staff",
        [str(Role.REVIEWER), str(Role.ADMINISTRATOR), str(Role.CHANNEL_OFFICER)],
    )
    return [Colleague(**dict(row)) for row in rows]


async def names(pool: Pool) -> dict[str, str]:
    """Account → name of those who work in the office, for pages that say who did what."""
    return {each.staff: each.name for each in await colleagues(pool)}


async def tasks(pool: Pool, staff: Staff, now: datetime) -> list[Row]:
    """Everything that waits for this person, in no order, at most TASKS_MAX."""
    rows = await pool.fetch(
        f"{_TASKS} LIMIT {TASKS_MAX}",
        staff.staff, staff.unit, staff.channel, now, staff.has(Role.ADMINISTRATOR),
        staff.has(Role.REVIEWER, Role.ADMINISTRATOR), staff.has(Role.CHANNEL_OFFICER) and bool(staff.channel),
        staff.has(Role.REVIEWER),
    )  # fmt: skip
    return [Row(**{**dict(row), "kind": TaskKind(row["kind"])}) for row in rows]
