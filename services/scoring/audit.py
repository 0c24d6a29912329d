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
        WHERE (v.state, v.marks, v.comment) IS DISTINCT FROM (s.state, s.marks, s.comment)
    """,
    "versions of a sheet are numbered from 1 without a gap": """
        SELECT round, candidate, expert FROM sheet_versions
        GROUP BY round, candidate, expert HAVING count(*) <> max(version)
    """,
    "only members of the panel have sheets": """
        SELECT s.round, s.candidate, s.expert FROM sheets AS s JOIN rounds AS r USING (round)
        WHERE cardinality(r.experts) > 0 AND s.expert <> ALL (r.experts)
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
    "every publication left exactly one message": """
        SELECT p.round, p.version FROM publications AS p WHERE 1 <> (
            SELECT count(*) FROM outbox AS o WHERE o.stream = 'scoring.rankings'
            AND convert_from(o.body, 'UTF8')::jsonb ->> 'round' = p.round
            AND (convert_from(o.body, 'UTF8')::jsonb ->> 'version')::int = p.version)
    """,
}
