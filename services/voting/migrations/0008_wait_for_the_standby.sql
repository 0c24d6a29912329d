-- record_ballots() of 0006, which tells here of no ballot that a synchronous standby may lack. A commit that waits for the
-- standby and is given up, because its time ran out, stands on this server all the same: the batch that is run again finds
-- its rows, inserts nothing, has nothing to wait for, and would tell of ballots that a promotion forgets. So what was found
-- is told after a record of our own in the log, which comes after theirs, was taken over. Without a standby that costs
-- nothing; with one, it costs the batches that add no ballot.
CREATE OR REPLACE FUNCTION record_ballots(
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
            FROM (SELECT u.kind, u.place::int AS place,
                         substring(packed FROM (u.place::int - 1) * 76 + 1 FOR 16) AS voter_key,
                         encode(substring(packed FROM (u.place::int - 1) * 76 + 17 FOR 16), 'hex')::uuid AS ballot_id
                  FROM unnest(kinds) WITH ORDINALITY AS u (kind, place)) AS i
            CROSS JOIN LATERAL (
                SELECT b.* FROM ballots AS b
                WHERE b.round_number = round_numbers[i.kind] AND b.voter_key = i.voter_key
                  AND (b.ballot_id = i.ballot_id OR (b.period = periods[i.kind] AND b.reissue = reissues[i.kind]))
                ORDER BY b.ballot_id = i.ballot_id DESC LIMIT 1
            ) AS e
            WHERE lookups[i.kind] OR e.ballot_id <> i.ballot_id OR e.xid <> pg_current_xact_id();
        IF FOUND AND indexes IS NULL AND current_setting('synchronous_standby_names') <> '' THEN
            PERFORM pg_logical_emit_message(true, 'pingxuan', 'told');
        END IF;
    END IF;
END $$;
