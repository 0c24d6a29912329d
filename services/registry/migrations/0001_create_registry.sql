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

-- The accounts themselves. `staff` is the username at creation and never changes hands; every change raises `version`
-- and leaves a message, so that the other services know the account as it is.
CREATE TABLE staff (
    staff text PRIMARY KEY,
    username text NOT NULL UNIQUE,
    name text NOT NULL,
    roles text[] NOT NULL,
    unit text NOT NULL DEFAULT '',
    channel text NOT NULL DEFAULT '',
    disabled boolean NOT NULL DEFAULT false,
    not_before timestamptz NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Passwords (argon2id), apart from the accounts so that reading an account never reads a hash. The built-in account
-- `platform` has no row here: it cannot sign in.
CREATE TABLE staff_credentials (
    staff text PRIMARY KEY REFERENCES staff,
    password_hash text NOT NULL,
    changed_at timestamptz NOT NULL
);

-- Signed-in browsers. Only the SHA-256 of a session's id is kept: a copy of this table signs nobody in.
CREATE TABLE sessions (
    id_hash bytea PRIMARY KEY CHECK (octet_length(id_hash) = 32),
    staff text NOT NULL REFERENCES staff,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_of_staff ON sessions (staff) WHERE revoked_at IS NULL;

-- Damping of password guessing. `attempt_key` is a keyed hash of username and address, so that the table names nobody.
CREATE TABLE sign_in_attempts (
    attempt_key bytea PRIMARY KEY CHECK (octet_length(attempt_key) = 32),
    failures int NOT NULL,
    last_tried_at timestamptz NOT NULL
);
CREATE INDEX sign_in_attempts_old ON sign_in_attempts (last_tried_at);

-- Who did what to which account when; appended, never changed.
CREATE TABLE staff_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    staff text NOT NULL,
    event text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);

-- A round as it was frozen: effective rules, drawn numbers' seed, windows. Never changed; what moves is in round_states.
-- `lots_after` is when the seed of lots may be known: the end of voting, or of scoring where nobody votes.
CREATE TABLE rounds (
    round text PRIMARY KEY,
    title text NOT NULL,
    timezone text NOT NULL,
    digest text NOT NULL,
    rules text NOT NULL,
    consent text NOT NULL,
    number_seed text NOT NULL,
    open_for_s int,
    voting_opens_at timestamptz,
    voting_closes_at timestamptz,
    lots_after timestamptz,
    frozen_at timestamptz NOT NULL,
    frozen_by text NOT NULL,
    criteria jsonb NOT NULL,
    experts text[] NOT NULL,
    warnings text[] NOT NULL
);

-- What changes after freezing; every change raises `version` and leaves a RoundMessage in the outbox.
CREATE TABLE round_states (
    round text PRIMARY KEY REFERENCES rounds,
    version bigint NOT NULL,
    closed_early_at timestamptz,
    lots_revealed_at timestamptz,
    list_version int NOT NULL DEFAULT 0,
    ranking_version int NOT NULL DEFAULT 0
);

-- The seed that decides what nothing else does; it leaves this table only when voting is over.
CREATE TABLE round_secrets (round text PRIMARY KEY REFERENCES rounds, lots_seed text NOT NULL);

-- The files a round was made of, byte for byte as they came. A secret file (reveal.toml) has its hash here only.
CREATE TABLE round_files (
    round text NOT NULL REFERENCES rounds,
    name text NOT NULL,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    content text,
    PRIMARY KEY (round, name)
);

-- Channels (districts, zones, municipal units) of a round, with the kind its quotas go by.
CREATE TABLE channels (
    round text NOT NULL REFERENCES rounds,
    channel text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    PRIMARY KEY (round, channel)
);

-- The public card of each candidate; `number` was drawn by lot at freezing.
CREATE TABLE candidates (
    round text NOT NULL REFERENCES rounds,
    candidate text NOT NULL,
    number int NOT NULL CHECK (number > 0),
    title text NOT NULL,
    unit text NOT NULL,
    channel text NOT NULL,
    category text NOT NULL,
    level text NOT NULL,
    summary text NOT NULL,
    withdrawn_at timestamptz,
    PRIMARY KEY (round, candidate),
    UNIQUE (round, number)
);

-- The whole application (申报书) behind a candidate, for experts and staff; absent where a round has only cards.
CREATE TABLE applications (
    round text NOT NULL,
    candidate text NOT NULL,
    lead_credit_code text NOT NULL,
    budget_total numeric(16, 2) NOT NULL,
    content jsonb NOT NULL,
    PRIMARY KEY (round, candidate),
    FOREIGN KEY (round, candidate) REFERENCES candidates
);

-- Public events of a round, in the order they happened; who caused one is kept beside it and not published.
CREATE TABLE round_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round text NOT NULL REFERENCES rounds,
    at timestamptz NOT NULL,
    event text NOT NULL,
    detail text NOT NULL,
    actor text NOT NULL
);
CREATE INDEX round_events_of_round ON round_events (round, id);

-- A list (名单) is a version; a change is a new version. Made from a published ranking.
CREATE TABLE lists (
    round text NOT NULL REFERENCES rounds,
    version int NOT NULL CHECK (version > 0),
    ranking_version int NOT NULL,
    rules_digest text NOT NULL,
    tally_digest text NOT NULL,
    ranking_csv text NOT NULL,
    published_at timestamptz NOT NULL,
    published_by text[] NOT NULL,
    PRIMARY KEY (round, version),
    UNIQUE (round, ranking_version)
);

-- The candidates of a list, in the order of the notice.
CREATE TABLE list_entries (
    round text NOT NULL,
    version int NOT NULL,
    position int NOT NULL,
    ranking_group text NOT NULL,
    place int,
    candidate text NOT NULL,
    total text NOT NULL,
    outcome text NOT NULL,
    PRIMARY KEY (round, version, position),
    UNIQUE (round, version, candidate),
    FOREIGN KEY (round, version) REFERENCES lists,
    FOREIGN KEY (round, candidate) REFERENCES candidates
);

-- The public notice (公示) of a list version and its objection window, half-open.
CREATE TABLE notices (
    round text NOT NULL,
    list_version int NOT NULL,
    objections_open_at timestamptz NOT NULL,
    objections_close_at timestamptz NOT NULL,
    calendar_provisional boolean NOT NULL,
    PRIMARY KEY (round, list_version),
    FOREIGN KEY (round, list_version) REFERENCES lists
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
DO $$
DECLARE kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['rounds', 'round_secrets', 'round_files', 'channels', 'candidates', 'applications',
        'round_events', 'lists', 'list_entries', 'notices', 'staff_events'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
            kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            kept || '_no_truncate', kept);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON outbox, stream_checkpoints, staff, staff_credentials, sessions, sign_in_attempts, staff_events,
    rounds, round_states, round_secrets, round_files, channels, candidates, applications, round_events,
    lists, list_entries, notices TO "${app_role}";
GRANT UPDATE (n) ON outbox TO "${app_role}";
GRANT UPDATE (n, complete_at) ON stream_checkpoints TO "${app_role}";
GRANT UPDATE (name, roles, unit, channel, disabled, not_before, version) ON staff TO "${app_role}";
GRANT UPDATE (password_hash, changed_at) ON staff_credentials TO "${app_role}";
GRANT UPDATE (last_used_at, revoked_at) ON sessions TO "${app_role}";
GRANT UPDATE (failures, last_tried_at) ON sign_in_attempts TO "${app_role}";
GRANT UPDATE (version, closed_early_at, lots_revealed_at, list_version, ranking_version) ON round_states TO "${app_role}";
-- The only table with DELETE: damping state is worthless after a day, and an attacker must not be able to fill the disk.
GRANT DELETE ON sign_in_attempts TO "${app_role}";
