"""Invariants of the scoring database as queries that must return no rows; `pingxuan audit` runs them."""

INVARIANTS: dict[str, str] = {
    "a submitted sheet has a mark for every criterion": """
        SELECT s.round, s.candidate, s.expert FROM sheets AS s JOIN rounds AS r USING (round)
        WHERE s.state = 'submitted' AND NOT s.marks ?& r.criteria
    """,
    "a sheet has no mark for an unknown criterion": """
        SELECT s.round, s.candidate, s.expert FROM sheets AS s JOIN rounds AS r USING (round)
        WHERE EXISTS (SELECT FROM jsonb_object_keys(s.marks) AS k WHERE k <> ALL (r.criteria))
    """,
    "a sheet is what its newest version says": """
        SELECT s.round, s.candidate, s.expert FROM sheets AS s
        LEFT JOIN sheet_versions AS v USING (round, candidate, expert, version)
        WHERE (v.state, v.marks, v.comments, v.comment) IS DISTINCT FROM (s.state, s.marks, s.comments, s.comment)
    """,
    "versions of a sheet are numbered from 1 without a gap": """
        SELECT round, candidate, expert FROM sheet_versions
        GROUP BY round, candidate, expert HAVING count(*) <> max(version)
    """,
    "only members of the panel have sheets": """
        SELECT s.round, s.candidate, s.expert FROM sheets AS s JOIN rounds AS r USING (round)
        WHERE cardinality(r.experts) > 0 AND s.expert <> ALL (r.experts)
        AND NOT EXISTS (SELECT FROM seats AS t WHERE t.round = s.round)
    """,
    "where a panel was drawn, only seats have sheets": """
        SELECT s.round, s.candidate, s.expert FROM sheets AS s
        JOIN drawn_panels AS p ON p.round = s.round AND s.saved_at >= p.drawn_at
        LEFT JOIN seats AS t ON (t.round, t.candidate, t.expert) = (s.round, s.candidate, s.expert)
        WHERE t.expert IS NULL
    """,
    "where a panel was drawn, the letter was signed before the first mark": """
        SELECT v.round, v.candidate, v.expert FROM sheet_versions AS v JOIN drawn_panels AS p USING (round)
        WHERE v.act = 'saved' AND v.at >= p.drawn_at AND NOT EXISTS (
            SELECT FROM letters AS l WHERE l.round = v.round AND l.expert = v.expert AND l.signed_at <= v.at)
    """,
    "a draw's seed is the one that was promised": """
        SELECT round, draw FROM draws WHERE commitment <> encode(sha256(convert_to(seed, 'UTF8')), 'hex')
    """,
    "a draw was promised by one person and made by another": """
        SELECT p.round, p.draw FROM drawn_panels AS p JOIN draws AS d USING (round, draw)
        WHERE p.committed_by <> d.committed_by OR p.drawn_by = d.committed_by
    """,
    "what came from paper was entered alike by two clerks": """
        SELECT v.round, v.candidate, v.expert, v.version FROM sheet_versions AS v WHERE v.act = 'entered' AND 2 > (
            SELECT count(DISTINCT e.clerk) FROM paper_entries AS e JOIN papers AS p USING (code)
            WHERE (p.round, p.candidate, p.expert) = (v.round, v.candidate, v.expert) AND e.marks = v.marks)
    """,
    "a recomputation starts from a published version": """
        SELECT c.round, c.version FROM recomputations AS c
        LEFT JOIN publications AS p ON p.round = c.round AND p.version = c.based_on WHERE p.version IS NULL
    """,
    "a publication names two different people, one of them the proposer": """
        SELECT p.round, p.version FROM publications AS p JOIN rankings AS r USING (round, version)
        WHERE p.proposed_by = p.confirmed_by OR p.proposed_by <> r.proposed_by
    """,
    "a ranking rests on the round's frozen rules": """
        SELECT k.round, k.version FROM rankings AS k JOIN rounds AS r USING (round)
        JOIN ranking_files AS f ON f.round = k.round AND f.version = k.version AND f.name = 'rules.toml'
        WHERE k.rules_digest <> r.digest OR encode(sha256(f.body), 'hex') <> k.rules_digest
    """,
    "a ranking's file is the one its digest names": """
        SELECT k.round, k.version FROM rankings AS k
        LEFT JOIN ranking_files AS f ON f.round = k.round AND f.version = k.version AND f.name = 'ranking.csv'
        WHERE encode(sha256(f.body), 'hex') IS DISTINCT FROM k.digest
    """,
    "a ranking names the tally it rests on": """
        SELECT k.round, k.version FROM rankings AS k
        LEFT JOIN tallies AS t ON t.round = k.round AND t.version = k.tally_version
        WHERE k.tally_digest <> coalesce(t.digest, '')
    """,
    "a ranking's statistics were made from what it rests on": """
        SELECT s.round, s.version FROM ranking_statistics AS s JOIN rankings AS r USING (round, version)
        WHERE s.inputs_digest <> r.inputs_digest
        OR coalesce(convert_from(s.body, 'UTF8')::jsonb ->> 'rules_digest', r.rules_digest) <> r.rules_digest
    """,
    "a withdrawn key was not used afterwards": """
        SELECT number FROM reader_keys WHERE last_used_on > (withdrawn_at AT TIME ZONE 'UTC')::date
    """,
    "a scan is the file that its digest names": """
        SELECT code, digest FROM paper_scans WHERE encode(sha256(body), 'hex') <> digest
    """,
    "every publication left exactly one message": """
        SELECT p.round, p.version FROM publications AS p WHERE 1 <> (
            SELECT count(*) FROM outbox AS o WHERE o.stream = 'scoring.rankings'
            AND convert_from(o.body, 'UTF8')::jsonb ->> 'round' = p.round
            AND (convert_from(o.body, 'UTF8')::jsonb ->> 'version')::int = p.version)
    """,
}
