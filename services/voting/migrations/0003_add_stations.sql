-- Where helpers let people vote who have no phone at hand; `unit` runs it, so that stations of a unit that is itself a
-- candidate can be reported as such. Registered by an administrator, never changed.
CREATE TABLE stations (
    station int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round_number int NOT NULL REFERENCES rounds (number),
    name text NOT NULL,
    unit text NOT NULL,
    registered_by text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (round_number, name)
);

-- One row for every person signed in at a station: whose work it was, and how much of it in an hour. It does not say who
-- the person is, so that no helper can be asked whom they helped.
CREATE TABLE station_sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    station int NOT NULL REFERENCES stations (station),
    helper text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX station_sessions_of_helper ON station_sessions (helper, at);
CREATE INDEX station_sessions_of_station ON station_sessions (station);

-- The station of an assisted ballot; without a foreign key, which would cost every ballot (the audit checks it instead).
ALTER TABLE ballots ADD COLUMN station int;
ALTER TABLE ballots ADD CONSTRAINT ballots_route_station CHECK ((route = 'station') = (station IS NOT NULL));
CREATE INDEX ballots_of_stations ON ballots (round_number, station) WHERE station IS NOT NULL;

-- record_ballots() of 0001 with `stations` behind the other columns. The default lets workers of the version before, which
-- do not know it, go on until they are restarted.
DROP FUNCTION record_ballots(int[], bytea[], int[], smallint[], uuid[], text[], bytea[], bytea[], text[], text[],
                             bytea[], bytea[], timestamptz[], boolean[]);
CREATE FUNCTION record_ballots(
    round_numbers int[], voter_keys bytea[], periods int[], reissues smallint[], ballot_ids uuid[], choice_lists text[],
    receipts bytea[], salts bytea[], strata text[], routes text[], devices bytea[], addresses bytea[],
    received_ats timestamptz[], lookups boolean[], stations int[] DEFAULT NULL
) RETURNS TABLE (
    place int, fresh boolean, ballot_id uuid, choices smallint[], receipt bytea, recorded_at timestamptz, index bigint
) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    inserted bigint;
    now_at timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(28792, r) FROM (SELECT DISTINCT unnest(round_numbers) AS r ORDER BY 1) AS held;
    now_at := clock_timestamp();
    RETURN QUERY
        WITH input AS MATERIALIZED (
            SELECT * FROM unnest(round_numbers, voter_keys, periods, reissues, ballot_ids, choice_lists, receipts, salts,
                                 strata, routes, devices, addresses, received_ats, lookups, stations)
            AS i (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt,
                  stratum, route, device, address, received_at, lookup, station)
        )
        INSERT INTO ballots AS b (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt, stratum,
                                  route, device, address, received_at, recorded_at, station)
        SELECT i.round_number, i.voter_key, i.period, i.reissue, i.ballot_id, i.choices::smallint[], i.receipt, i.salt,
               i.stratum, i.route, i.device, i.address, i.received_at, now_at, i.station
        FROM input AS i JOIN rounds ON rounds.number = i.round_number AND rounds.sealed_at IS NULL
        WHERE NOT i.lookup
        ON CONFLICT DO NOTHING
        RETURNING NULL::int, true, b.ballot_id, NULL::smallint[], b.receipt, b.recorded_at, b.index;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted < cardinality(round_numbers) THEN
        RETURN QUERY
            SELECT i.place::int, false, e.ballot_id, e.choices, e.receipt, e.recorded_at, e.index
            FROM unnest(round_numbers, voter_keys, periods, reissues, ballot_ids, lookups)
                 WITH ORDINALITY AS i (round_number, voter_key, period, reissue, ballot_id, lookup, place)
            CROSS JOIN LATERAL (
                SELECT b.* FROM ballots AS b
                WHERE b.round_number = i.round_number AND b.voter_key = i.voter_key
                  AND (b.ballot_id = i.ballot_id OR (b.period = i.period AND b.reissue = i.reissue))
                ORDER BY b.ballot_id = i.ballot_id DESC LIMIT 1
            ) AS e
            WHERE i.lookup OR e.ballot_id <> i.ballot_id OR e.xid <> pg_current_xact_id();
    END IF;
END $$;

-- First signature under a vote granted anew; the second writes the row in `reissues`. One proposal an excluded ballot.
CREATE TABLE reissue_proposals (
    proposal uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    round_number int NOT NULL REFERENCES rounds (number),
    voter_key bytea NOT NULL,
    ballot_id uuid NOT NULL,
    reissue smallint NOT NULL CHECK (reissue > 0),
    reason text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (round_number, voter_key, reissue),
    FOREIGN KEY (round_number, voter_key, ballot_id) REFERENCES ballots (round_number, voter_key, ballot_id)
);

-- Since when a missing minute may count against a round: rounds older than this table have no minutes from before it.
ALTER TABLE rounds ADD COLUMN watched_from timestamptz;
UPDATE rounds SET watched_from = clock_timestamp();

-- What each worker saw of an open round in each minute: people with a valid token (each once, by their last answer) and
-- codes. A minute without any row failed: nobody could vote. Rows come within two minutes or not at all.
CREATE TABLE heartbeats (
    round_number int NOT NULL REFERENCES rounds (number),
    minute timestamptz NOT NULL CHECK (minute = date_trunc('minute', minute)),
    worker uuid NOT NULL,
    answered int NOT NULL CHECK (answered >= 0),
    failed int NOT NULL CHECK (failed >= 0),
    codes_sent int NOT NULL CHECK (codes_sent >= 0),
    codes_unsent int NOT NULL CHECK (codes_unsent >= 0),
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (round_number, minute, worker)
);

-- Extensions of the voting window by the outage rule, with the minutes they rest on; never changed.
CREATE TABLE extensions (
    round_number int NOT NULL REFERENCES rounds (number),
    number smallint NOT NULL CHECK (number > 0),
    closed_before timestamptz NOT NULL,
    closes timestamptz NOT NULL CHECK (closes > closed_before),
    failed_from timestamptz NOT NULL,
    failed_until timestamptz NOT NULL CHECK (failed_until > failed_from),
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (round_number, number)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['stations', 'station_sessions', 'reissue_proposals', 'heartbeats', 'extensions'] LOOP
        EXECUTE format('CREATE TRIGGER %I_append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', name, name);
        EXECUTE format('CREATE TRIGGER %I_no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name, name);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON stations, station_sessions, reissue_proposals, heartbeats, extensions TO "${app_role}";
