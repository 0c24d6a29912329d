-- Messages of this service, published in commit order under dense numbers (services/shared/outbox.py).
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    stream text NOT NULL,
    body bytea NOT NULL,
    n bigint,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (stream, n)
);
CREATE INDEX outbox_unnumbered ON outbox (stream, xid, id) WHERE n IS NULL;

-- How far each followed stream is applied; `complete_at` is when it was last known to lack nothing.
CREATE TABLE stream_checkpoints (stream text PRIMARY KEY, n bigint NOT NULL, complete_at timestamptz);

-- This service's own copy of the accounts (registry.staff).
CREATE TABLE staff (
    staff text PRIMARY KEY,
    username text NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    unit text NOT NULL DEFAULT '',
    channel text NOT NULL DEFAULT '',
    disabled boolean NOT NULL DEFAULT false,
    not_before timestamptz NOT NULL,
    version bigint NOT NULL
);

-- This service's own copy of the frozen rounds (registry.rounds); `number` keeps ledger rows narrow.
CREATE TABLE rounds (
    number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round text NOT NULL UNIQUE,
    version bigint NOT NULL,
    digest text NOT NULL,
    message bytea NOT NULL,
    sealed_at timestamptz,
    forgotten_at timestamptz
);

-- One row changes with every restore or promotion, so that hints Valkey kept from before count for nothing.
CREATE TABLE ledger_epoch (epoch uuid NOT NULL DEFAULT gen_random_uuid(), since timestamptz NOT NULL DEFAULT now());
INSERT INTO ledger_epoch DEFAULT VALUES;

-- The ledger: one row a ballot, appended and never changed. `voter_key` is a keyed hash whose key the database never
-- sees. Both unique keys contain the partition key. `period` is 0, or the day as yyyymmdd where a round votes by day;
-- `reissue` counts votes granted anew after an exclusion; `salt` is for the later commitments of the transparency log.
CREATE TABLE ballots (
    index bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    round_number int NOT NULL,
    voter_key bytea NOT NULL CHECK (octet_length(voter_key) = 16),
    period int NOT NULL,
    reissue smallint NOT NULL,
    ballot_id uuid NOT NULL,
    choices smallint[] NOT NULL CHECK (cardinality(choices) BETWEEN 1 AND 500),
    receipt bytea NOT NULL CHECK (octet_length(receipt) = 12),
    salt bytea NOT NULL CHECK (octet_length(salt) = 16),
    stratum text NOT NULL,
    route text NOT NULL,
    device bytea,
    address bytea,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (round_number, voter_key, period, reissue),
    UNIQUE (round_number, voter_key, ballot_id)
) PARTITION BY HASH (voter_key);
DO $$ BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format('CREATE TABLE ballots_%s PARTITION OF ballots FOR VALUES WITH (MODULUS 8, REMAINDER %s)', part, part);
    END LOOP;
END $$;
CREATE INDEX ballots_in_commit_order ON ballots (xid, index);
CREATE INDEX ballots_by_receipt ON ballots (receipt);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ballots_append_only BEFORE UPDATE OR DELETE ON ballots FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ballots_no_truncate BEFORE TRUNCATE ON ballots FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Records a batch of ballots in one round trip. Each statement of this volatile function sees a new snapshot: the
-- shared lock of each round is taken first, the seal is re-checked in the statement that inserts (sealing takes the
-- exclusive lock), and what conflicted is looked up in a statement of its own, where a row committed meanwhile is
-- visible. An input row without any answer row belongs to a sealed round. Rows come sorted by key, or batches deadlock.
-- `lookup` rows insert nothing: they only ask for an earlier ballot with the same id.
CREATE FUNCTION record_ballots(
    round_numbers int[], voter_keys bytea[], periods int[], reissues smallint[], ballot_ids uuid[], choice_lists text[],
    receipts bytea[], salts bytea[], strata text[], routes text[], devices bytea[], addresses bytea[],
    received_ats timestamptz[], lookups boolean[]
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
                                 strata, routes, devices, addresses, received_ats, lookups)
            AS i (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt,
                  stratum, route, device, address, received_at, lookup)
        )
        INSERT INTO ballots AS b (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt, stratum,
                                  route, device, address, received_at, recorded_at)
        SELECT i.round_number, i.voter_key, i.period, i.reissue, i.ballot_id, i.choices::smallint[], i.receipt, i.salt,
               i.stratum, i.route, i.device, i.address, i.received_at, now_at
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

-- What happened to a ballot after it was recorded, as appended rows with a reason, who and when.
CREATE TABLE ballot_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round_number int NOT NULL,
    voter_key bytea NOT NULL,
    ballot_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('held', 'excluded', 'restored')),
    reason text NOT NULL,
    hold uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (round_number, voter_key, ballot_id) REFERENCES ballots (round_number, voter_key, ballot_id)
);
CREATE INDEX ballot_events_of_ballot ON ballot_events (round_number, voter_key, ballot_id, id);
CREATE VIEW ballot_states AS
    SELECT DISTINCT ON (round_number, voter_key, ballot_id) round_number, voter_key, ballot_id, state, reason, hold, at
    FROM ballot_events ORDER BY round_number, voter_key, ballot_id, id DESC;

-- A suspicion against ballots: proposed, decided by one person, confirmed by another; never deleted.
CREATE TABLE holds (
    hold uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    round_number int NOT NULL REFERENCES rounds (number),
    reason text NOT NULL,
    evidence text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX holds_of_round ON holds (round_number, proposed_at);

-- Decisions on holds; a decision takes effect when another person confirms it. `restore` after the rules' days
-- without a decision is written by the service itself (decided_by = 'rules').
CREATE TABLE hold_decisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hold uuid NOT NULL REFERENCES holds (hold),
    decision text NOT NULL CHECK (decision IN ('exclude', 'restore')),
    reason text NOT NULL,
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_by text CHECK (confirmed_by <> decided_by),
    confirmed_at timestamptz
);
CREATE UNIQUE INDEX hold_decisions_open ON hold_decisions (hold) WHERE confirmed_at IS NULL;

-- Codes sent, bound to their request, single use; only keyed hashes of phone, code and address stand here.
CREATE TABLE code_requests (
    request uuid PRIMARY KEY,
    round_number int NOT NULL REFERENCES rounds (number),
    phone_key bytea NOT NULL,
    address_key bytea NOT NULL,
    code_mac bytea NOT NULL,
    wrong_tries smallint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX code_requests_of_phone ON code_requests (round_number, phone_key, created_at);

-- Challenges already used, so that each buys one code; rows past their time are of no use to anybody.
CREATE TABLE used_challenges (challenge bytea PRIMARY KEY, expires_at timestamptz NOT NULL);
CREATE INDEX used_challenges_expiry ON used_challenges (expires_at);

-- The messages "sent" by the embedded provider, for demos and tests; found by a keyed hash of the phone.
CREATE TABLE dev_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    phone_key bytea NOT NULL,
    code text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX dev_outbox_of_phone ON dev_outbox (phone_key, id);

-- Votes granted anew to a rightful voter after an exclusion ("somebody voted as me").
CREATE TABLE reissues (
    round_number int NOT NULL REFERENCES rounds (number),
    voter_key bytea NOT NULL,
    reissue smallint NOT NULL CHECK (reissue > 0),
    reason text NOT NULL,
    granted_by text NOT NULL,
    confirmed_by text NOT NULL CHECK (confirmed_by <> granted_by),
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (round_number, voter_key, reissue)
);

-- Running counts, kept by a follower of the ledger so that nothing is recounted per vote; never shown before the seal.
CREATE TABLE running_tallies (
    round_number int NOT NULL,
    candidate_number smallint NOT NULL,
    stratum text NOT NULL,
    votes bigint NOT NULL,
    PRIMARY KEY (round_number, candidate_number, stratum)
);
-- Ballots and distinct voters per round and minute, from the same follower.
CREATE TABLE turnout (
    round_number int NOT NULL,
    minute timestamptz NOT NULL,
    ballots bigint NOT NULL,
    voters bigint NOT NULL,
    PRIMARY KEY (round_number, minute)
);
-- Where a round votes by day or a vote was granted anew: who was counted as a voter already.
CREATE TABLE turnout_voters (round_number int NOT NULL, voter_key bytea NOT NULL, PRIMARY KEY (round_number, voter_key));
-- How far the ledger is counted; only rows below the oldest running transaction are read.
CREATE TABLE tally_checkpoint (one boolean PRIMARY KEY DEFAULT true CHECK (one), xid xid8 NOT NULL, index bigint NOT NULL);
INSERT INTO tally_checkpoint (xid, index) VALUES ('0', 0);

-- Sealed tallies: final, one a round, content as published to scoring.
CREATE TABLE tallies (
    round_number int PRIMARY KEY REFERENCES rounds (number),
    version int NOT NULL,
    digest text NOT NULL,
    content bytea NOT NULL,
    sealed_at timestamptz NOT NULL,
    sealed_by text NOT NULL
);

-- The two signatures under the destruction of a round's identity key.
CREATE TABLE forgettings (
    round_number int PRIMARY KEY REFERENCES rounds (number),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_by text CHECK (confirmed_by <> proposed_by),
    confirmed_at timestamptz
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ballot_events', 'holds', 'tallies', 'reissues'] LOOP
        EXECUTE format('CREATE TRIGGER %I_append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', name, name);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO "${app_role}";
REVOKE INSERT ON schema_migrations, ledger_epoch FROM "${app_role}";
GRANT UPDATE (n) ON outbox TO "${app_role}";
GRANT UPDATE (n, complete_at) ON stream_checkpoints TO "${app_role}";
GRANT UPDATE (username, name, roles, unit, channel, disabled, not_before, version) ON staff TO "${app_role}";
GRANT UPDATE (version, digest, message, sealed_at, forgotten_at) ON rounds TO "${app_role}";
GRANT UPDATE (confirmed_by, confirmed_at) ON hold_decisions, forgettings TO "${app_role}";
GRANT UPDATE (wrong_tries, used_at) ON code_requests TO "${app_role}";
GRANT UPDATE (votes) ON running_tallies TO "${app_role}";
GRANT UPDATE (ballots, voters) ON turnout TO "${app_role}";
GRANT UPDATE (xid, index) ON tally_checkpoint TO "${app_role}";
-- Spent challenges, and code hashes past their time, are swept: keeping them would only keep traces of people.
GRANT DELETE ON used_challenges, code_requests, dev_outbox TO "${app_role}";
