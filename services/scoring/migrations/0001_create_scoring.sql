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
CREATE INDEX staff_by_username ON staff (username);

-- This service's own copy of the frozen rounds (registry.rounds): the newest message, and what SQL asks of it.
CREATE TABLE rounds (
    round text PRIMARY KEY,
    version bigint NOT NULL,
    digest text NOT NULL,
    criteria text[] NOT NULL,
    experts text[] NOT NULL,
    message bytea NOT NULL
);

-- Who stands in a round, so that no sheet can name anybody else.
CREATE TABLE candidates (
    round text NOT NULL REFERENCES rounds (round),
    candidate text NOT NULL,
    PRIMARY KEY (round, candidate)
);

-- The current state of each expert's sheet on a candidate; `expert` is the user name that panels are written in.
-- `may_finish` lets the expert go on after the window, because an administrator reopened the sheet.
CREATE TABLE sheets (
    round text NOT NULL,
    candidate text NOT NULL,
    expert text NOT NULL,
    version int NOT NULL CHECK (version > 0),
    state text NOT NULL CHECK (state IN ('draft', 'submitted', 'recused')),
    marks jsonb NOT NULL,
    comment text NOT NULL,
    may_finish boolean NOT NULL,
    saved_at timestamptz NOT NULL,
    submitted_at timestamptz,
    PRIMARY KEY (round, candidate, expert),
    FOREIGN KEY (round, candidate) REFERENCES candidates (round, candidate),
    CHECK ((state = 'submitted') = (submitted_at IS NOT NULL)),
    CHECK (state <> 'recused' OR marks = '{}'::jsonb)
);
CREATE INDEX sheets_of_expert ON sheets (round, expert);

-- Every version of every sheet, and who did what to it and why; never changed.
CREATE TABLE sheet_versions (
    round text NOT NULL,
    candidate text NOT NULL,
    expert text NOT NULL,
    version int NOT NULL,
    act text NOT NULL CHECK (act IN ('saved', 'submitted', 'recused', 'reopened')),
    state text NOT NULL,
    marks jsonb NOT NULL,
    comment text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL CHECK (act IN ('saved', 'submitted') OR reason <> ''),
    at timestamptz NOT NULL,
    PRIMARY KEY (round, candidate, expert, version),
    FOREIGN KEY (round, candidate, expert) REFERENCES sheets (round, candidate, expert) DEFERRABLE INITIALLY DEFERRED
);

-- Sealed tallies as voting handed them over; the counts stay encrypted here, so that a copy of this database tells none.
CREATE TABLE tallies (
    round text NOT NULL,
    version int NOT NULL,
    digest text NOT NULL,
    sealed_at timestamptz NOT NULL,
    sealed bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (round, version)
);

-- Computed rankings, immutable: what they rest on (digests), who proposed them, and the result as the pages show it.
CREATE TABLE rankings (
    round text NOT NULL REFERENCES rounds (round),
    version int NOT NULL CHECK (version > 0),
    rules_digest text NOT NULL,
    tally_version int,
    tally_digest text NOT NULL,
    sheets_digest text NOT NULL,
    inputs_digest text NOT NULL,
    digest text NOT NULL,
    software text NOT NULL,
    body jsonb NOT NULL,
    proposed_by text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (round, version),
    FOREIGN KEY (round, tally_version) REFERENCES tallies (round, version)
);

-- The files of a ranking's bundle, byte for byte as they are published; `auditors/…` are for auditors only.
CREATE TABLE ranking_files (
    round text NOT NULL,
    version int NOT NULL,
    name text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (round, version, name),
    FOREIGN KEY (round, version) REFERENCES rankings (round, version)
);

-- The second signature: a ranking is public from here on.
CREATE TABLE publications (
    round text NOT NULL,
    version int NOT NULL,
    proposed_by text NOT NULL,
    confirmed_by text NOT NULL CHECK (confirmed_by <> proposed_by),
    published_at timestamptz NOT NULL,
    PRIMARY KEY (round, version),
    FOREIGN KEY (round, version) REFERENCES rankings (round, version)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sheet_versions', 'tallies', 'rankings', 'ranking_files', 'publications'] LOOP
        EXECUTE format('CREATE TRIGGER %I_append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', name, name);
        EXECUTE format('CREATE TRIGGER %I_no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name, name);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON outbox, stream_checkpoints, staff, rounds, candidates, sheets, sheet_versions, tallies, rankings,
    ranking_files, publications TO "${app_role}";
GRANT UPDATE (n) ON outbox TO "${app_role}";
GRANT UPDATE (n, complete_at) ON stream_checkpoints TO "${app_role}";
GRANT UPDATE (username, name, roles, unit, channel, disabled, not_before, version) ON staff TO "${app_role}";
GRANT UPDATE (version, digest, criteria, experts, message) ON rounds TO "${app_role}";
GRANT UPDATE (version, state, marks, comment, may_finish, saved_at, submitted_at) ON sheets TO "${app_role}";
