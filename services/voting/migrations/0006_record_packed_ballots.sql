-- record_ballots() for packed batches: taking fifteen columns of a ballot as fifteen arrays cost the worker more than
-- everything else that it did for the ledger. `packed` has 76 bytes a ballot: voter key (16), ballot id (16), receipt (12),
-- salt (16), device (8), address (8; zeros stand for none). `choice_lists` are their choices, separated by semicolons,
-- `received_us` microseconds since 1970; `kinds` says for each ballot which of the rounds, periods, reissues, strata,
-- routes, stations and lookups are its own: most ballots of a batch have these in common. The function of 0003 stays for
-- workers of the version before, until they are restarted.
--
-- Each statement of this volatile function sees a new snapshot: the shared lock of each round is taken first, the seal is
-- re-checked in the statement that inserts (sealing takes the exclusive lock), and what conflicted is looked up in a
-- statement of its own, where a row committed meanwhile is visible. A ballot without any answer belongs to a sealed round.
-- Ballots come sorted by key, or batches deadlock. A kind with `lookup` inserts nothing: it only asks for an earlier ballot
-- with the same id. The inserted ones are one row without `place`: their receipts one after the other, and their indexes.
CREATE FUNCTION record_ballots(
    packed bytea, choice_lists text, received_us bigint[], kinds int[],
    round_numbers int[], periods int[], reissues smallint[], strata text[], routes text[], stations int[],
    lookups boolean[]
) RETURNS TABLE (
    place int, ballot_id uuid, choices smallint[], receipts bytea, recorded_at timestamptz, indexes bigint[]
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    now_at timestamptz;
    nothing CONSTANT bytea := '\x0000000000000000';
BEGIN
    PERFORM pg_advisory_xact_lock_shared(28792, r) FROM (SELECT DISTINCT unnest(round_numbers) AS r ORDER BY 1) AS held;
    now_at := clock_timestamp();
    WITH added AS (
        INSERT INTO ballots AS b (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt, stratum,
                                  route, device, address, received_at, recorded_at, station)
        SELECT round_numbers[i.kind], substring(packed FROM i.at FOR 16), periods[i.kind], reissues[i.kind],
               encode(substring(packed FROM i.at + 16 FOR 16), 'hex')::uuid, i.choices::smallint[],
               substring(packed FROM i.at + 32 FOR 12), substring(packed FROM i.at + 44 FOR 16),
               strata[i.kind], routes[i.kind], nullif(substring(packed FROM i.at + 60 FOR 8), nothing),
               nullif(substring(packed FROM i.at + 68 FOR 8), nothing),
               timestamptz 'epoch' + i.received_us * interval '1 microsecond', now_at, stations[i.kind]
        FROM (SELECT u.choices, u.received_us, u.kind, (u.place::int - 1) * 76 + 1 AS at
              FROM unnest(string_to_array(choice_lists, ';'), received_us, kinds)
                   WITH ORDINALITY AS u (choices, received_us, kind, place)) AS i
        WHERE i.kind = ANY (ARRAY(
            SELECT k FROM generate_subscripts(round_numbers, 1) AS k
            JOIN rounds ON rounds.number = round_numbers[k] AND rounds.sealed_at IS NULL WHERE NOT lookups[k]))
        ON CONFLICT DO NOTHING
        RETURNING b.receipt, b.index
    )
    SELECT string_agg(added.receipt, ''), array_agg(added.index) INTO receipts, indexes FROM added;
    IF indexes IS NOT NULL THEN
        recorded_at := now_at;
        RETURN NEXT;
    END IF;
    IF coalesce(cardinality(indexes), 0) < cardinality(kinds) THEN
        RETURN QUERY
            SELECT i.place, e.ballot_id, e.choices, e.receipt, e.recorded_at, ARRAY[e.index]
            FROM (SELECT u.kind, u.place::int AS place, substring(packed FROM (u.place::int - 1) * 76 + 1 FOR 16) AS voter_key,
                         encode(substring(packed FROM (u.place::int - 1) * 76 + 17 FOR 16), 'hex')::uuid AS ballot_id
                  FROM unnest(kinds) WITH ORDINALITY AS u (kind, place)) AS i
            CROSS JOIN LATERAL (
                SELECT b.* FROM ballots AS b
                WHERE b.round_number = round_numbers[i.kind] AND b.voter_key = i.voter_key
                  AND (b.ballot_id = i.ballot_id OR (b.period = periods[i.kind] AND b.reissue = reissues[i.kind]))
                ORDER BY b.ballot_id = i.ballot_id DESC LIMIT 1
            ) AS e
            WHERE lookups[i.kind] OR e.ballot_id <> i.ballot_id OR e.xid <> pg_current_xact_id();
    END IF;
END $$;
