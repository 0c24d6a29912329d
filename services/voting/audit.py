"""Invariants of the voting service: queries that must return no rows. Run by `pingxuan audit`, after every fault."""

INVARIANTS: dict[str, str] = {
    "one voter has one ballot per period and reissue": """
        SELECT round_number, encode(voter_key, 'hex') AS voter, period, reissue, count(*) FROM ballots
        GROUP BY 1, 2, 3, 4 HAVING count(*) > 1""",
    "a ballot id stands once per voter": """
        SELECT round_number, encode(voter_key, 'hex') AS voter, ballot_id, count(*) FROM ballots
        GROUP BY 1, 2, 3 HAVING count(*) > 1""",
    "a receipt belongs to one ballot": """
        SELECT encode(receipt, 'hex') AS receipt, count(*) FROM ballots GROUP BY 1 HAVING count(*) > 1""",
    "a ballot's index is its own": "SELECT index, count(*) FROM ballots GROUP BY 1 HAVING count(*) > 1",
    "no ballot was committed after its round was sealed": """
        SELECT b.index, b.round_number FROM ballots AS b JOIN rounds AS r ON r.number = b.round_number
        WHERE r.sealed_at IS NOT NULL AND b.recorded_at > r.sealed_at""",
    "a ballot belongs to a known round": """
        SELECT b.index FROM ballots AS b LEFT JOIN rounds AS r ON r.number = b.round_number WHERE r.number IS NULL""",
    "running tallies agree with a recount of what is taken up": """
        WITH recount AS (
            SELECT b.round_number, choice AS candidate_number, b.stratum, count(*) AS votes
            FROM ballots AS b CROSS JOIN tally_checkpoint AS c CROSS JOIN LATERAL unnest(b.choices) AS choice
            WHERE (b.xid, b.index) <= (c.xid, c.index) GROUP BY 1, 2, 3)
        SELECT round_number, candidate_number FROM recount
        FULL JOIN running_tallies AS t USING (round_number, candidate_number, stratum)
        WHERE recount.votes IS DISTINCT FROM t.votes""",
    "turnout agrees with the distinct voters taken up": """
        WITH recount AS (
            SELECT b.round_number, count(DISTINCT b.voter_key) AS voters, count(*) AS ballots
            FROM ballots AS b CROSS JOIN tally_checkpoint AS c WHERE (b.xid, b.index) <= (c.xid, c.index) GROUP BY 1),
        counted AS (SELECT round_number, sum(voters) AS voters, sum(ballots) AS ballots FROM turnout GROUP BY 1)
        SELECT round_number, recount.voters, counted.voters AS counted
        FROM recount FULL JOIN counted USING (round_number)
        WHERE recount.voters IS DISTINCT FROM counted.voters OR recount.ballots IS DISTINCT FROM counted.ballots""",
    "a sealed tally counts what the ledger holds": """
        SELECT t.round_number, t.version FROM tallies AS t
        WHERE (convert_from(t.content, 'UTF8')::jsonb ->> 'ballots')::bigint
              <> (SELECT count(*) FROM ballots AS b WHERE b.round_number = t.round_number)""",
    "a sealed tally excludes what was excluded when it was sealed": """
        SELECT t.round_number, t.version FROM tallies AS t
        WHERE (convert_from(t.content, 'UTF8')::jsonb ->> 'excluded')::bigint <> (
            SELECT count(*) FROM (
                SELECT DISTINCT ON (e.voter_key, e.ballot_id) e.state FROM ballot_events AS e
                WHERE e.round_number = t.round_number AND e.id <= t.events_until
                ORDER BY e.voter_key, e.ballot_id, e.id DESC) AS known
            WHERE known.state = 'excluded')""",
    "a tally is what its digest says": """
        SELECT round_number, version FROM tallies WHERE digest <> encode(sha256(content), 'hex')""",
    "tallies are numbered from 1, and each knows more than the one before": """
        SELECT round_number, version FROM (
            SELECT round_number, version, row_number() OVER of_round AS place, events_until,
                   lag(events_until) OVER of_round AS before
            FROM tallies WINDOW of_round AS (PARTITION BY round_number ORDER BY version)) AS steps
        WHERE version <> place OR events_until <= before""",
    "a round is sealed when its first tally is": """
        SELECT r.round FROM rounds AS r LEFT JOIN tallies AS t ON t.round_number = r.number AND t.version = 1
        WHERE r.sealed_at IS DISTINCT FROM t.sealed_at""",
    "an exclusion or restoration has two signatures": """
        SELECT e.id FROM ballot_events AS e WHERE e.state IN ('excluded', 'restored') AND NOT EXISTS (
            SELECT FROM hold_decisions AS d WHERE d.hold = e.hold AND d.confirmed_at IS NOT NULL
            AND d.confirmed_by <> d.decided_by)""",
    "states follow each other as allowed": """
        SELECT id, before, state FROM (
            SELECT id, state, coalesce(lag(state) OVER (PARTITION BY round_number, voter_key, ballot_id ORDER BY id),
                                       'recorded') AS before FROM ballot_events) AS steps
        WHERE (before, state) NOT IN (('recorded', 'held'), ('restored', 'held'), ('held', 'excluded'),
                                      ('held', 'restored'), ('excluded', 'restored'))""",
    "no tally was sealed over an undecided ballot": """
        SELECT t.round_number, t.version, known.ballot_id FROM tallies AS t CROSS JOIN LATERAL (
            SELECT DISTINCT ON (e.voter_key, e.ballot_id) e.ballot_id, e.state FROM ballot_events AS e
            WHERE e.round_number = t.round_number AND e.id <= t.events_until
            ORDER BY e.voter_key, e.ballot_id, e.id DESC) AS known
        WHERE known.state = 'held'""",
    "what happened to ballots after a seal was told to scoring": """
        SELECT t.round_number, t.version FROM tallies AS t JOIN rounds AS r ON r.number = t.round_number
        WHERE EXISTS (SELECT FROM ballot_events AS e
                      WHERE e.round_number = t.round_number AND e.id > t.events_until)
        AND NOT EXISTS (SELECT FROM tallies AS n WHERE n.round_number = t.round_number AND n.version > t.version)
        AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.stream = 'voting.tallies'
            AND convert_from(o.body, 'UTF8')::jsonb @> jsonb_build_object(
                'type', 'reopened', 'round', r.round, 'version', t.version))""",
    "a vote granted anew rests on a proposal of somebody else and an excluded ballot": """
        SELECT r.round_number, r.reissue FROM reissues AS r WHERE NOT EXISTS (
            SELECT FROM reissue_proposals AS p JOIN ballot_states AS s USING (round_number, voter_key, ballot_id)
            WHERE p.round_number = r.round_number AND p.voter_key = r.voter_key AND p.reissue = r.reissue
            AND p.proposed_by = r.granted_by AND r.confirmed_by <> p.proposed_by AND s.state = 'excluded')""",
    "who votes again was granted it": """
        SELECT b.index, b.reissue FROM ballots AS b WHERE b.reissue > 0 AND NOT EXISTS (
            SELECT FROM reissues AS r
            WHERE (r.round_number, r.voter_key, r.reissue) = (b.round_number, b.voter_key, b.reissue))""",
    "whoever was granted a vote anew counts once": """
        SELECT b.round_number, b.period, count(*) FROM ballots AS b LEFT JOIN ballot_states AS s
            USING (round_number, voter_key, ballot_id)
        WHERE (b.round_number, b.voter_key) IN (SELECT round_number, voter_key FROM reissues)
            AND s.state IS DISTINCT FROM 'excluded'
        GROUP BY b.round_number, b.voter_key, b.period HAVING count(*) > 1""",
    "no vote was granted anew after the seal": """
        SELECT g.round_number, g.reissue FROM reissues AS g JOIN rounds AS r ON r.number = g.round_number
        WHERE g.granted_at > r.sealed_at""",
    "an assisted ballot comes from a station of its round": """
        SELECT b.index, b.station FROM ballots AS b LEFT JOIN stations AS s
            ON s.station = b.station AND s.round_number = b.round_number
        WHERE b.station IS NOT NULL AND s.station IS NULL""",
    "a station has no more ballots than people were signed in there": """
        SELECT b.station, count(*) AS ballots FROM ballots AS b WHERE b.station IS NOT NULL AND b.period = 0
        GROUP BY b.station
        HAVING count(*) > (SELECT count(*) FROM station_sessions AS w WHERE w.station = b.station)""",
    "an extension begins where the window ended": """
        SELECT round_number, number FROM (
            SELECT round_number, number, closed_before,
                   lag(closes) OVER of_round AS before, row_number() OVER of_round AS place
            FROM extensions WINDOW of_round AS (PARTITION BY round_number ORDER BY number)) AS steps
        WHERE number <> place OR closed_before <> before""",
    "an extension rests on minutes that did not go well": """
        SELECT e.round_number, e.number, h.minute FROM extensions AS e JOIN heartbeats AS h
            ON h.round_number = e.round_number AND h.minute >= e.failed_from AND h.minute < e.failed_until
        WHERE h.written_at < e.decided_at GROUP BY 1, 2, 3 HAVING sum(h.failed) + sum(h.codes_unsent) = 0""",
    "no window was extended after the seal": """
        SELECT e.round_number, e.number FROM extensions AS e JOIN rounds AS r ON r.number = e.round_number
        WHERE e.decided_at > r.sealed_at""",
    "outbox numbers are dense": """
        SELECT stream FROM outbox WHERE n IS NOT NULL GROUP BY stream HAVING max(n) <> count(*) OR min(n) <> 1""",
    "a person is bound to one phone, and each place at a phone to one person": """
        SELECT round_number, encode(id_key, 'hex') AS person, count(*) FROM identities GROUP BY 1, 2 HAVING count(*) > 1
        UNION ALL
        SELECT round_number, encode(phone_key, 'hex'), count(*) FROM identities
        GROUP BY 1, phone_key, place HAVING count(*) > 1""",
    "every code of the last day was counted by the spend breaker": """
        WITH asked AS (
            SELECT date_bin('10 seconds', created_at, '2000-01-01Z') AS since, count(*) AS codes FROM code_requests
            WHERE created_at > clock_timestamp() - interval '1 day' GROUP BY 1),
        spent AS (SELECT since, sum(codes) AS codes FROM code_spend GROUP BY 1)
        SELECT asked.since, asked.codes, spent.codes AS spent FROM asked LEFT JOIN spent USING (since)
        WHERE spent.codes IS NULL OR spent.codes < asked.codes""",
    "no delivery waits for a sender that died": """
        SELECT id FROM code_deliveries
        WHERE state = 'waiting' AND created_at < clock_timestamp() - interval '10 minutes'""",
}
