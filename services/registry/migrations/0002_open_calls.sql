-- What a frozen round copied of its channels and applications keeps that name: the plain names are the living ones.
ALTER TABLE channels RENAME TO round_channels;
ALTER TABLE applications RENAME TO candidate_applications;

-- Channels (推荐渠道) as they stand from round to round: districts, zones, and the municipal units' office.
CREATE TABLE channels (
    channel text PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('district', 'zone', 'municipal_unit')),
    closed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Units (单位) that may lead or join an application. `unit` is also what staff accounts name as theirs. `facts` are the
-- registration facts as the unit gave them; who approved them is in the log.
CREATE TABLE units (
    unit text PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL,
    credit_code text NOT NULL UNIQUE,
    channel text NOT NULL REFERENCES channels,
    facts jsonb NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'refused', 'closed')),
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX units_of_channel ON units (channel, state, unit);

-- A call (申报通知): a round before its rules are frozen. `call` becomes the round's id; times and quotas are copied from
-- `rules`, so that SQL can ask for them.
CREATE TABLE calls (
    call text PRIMARY KEY,
    title text NOT NULL,
    state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'announced', 'frozen', 'withdrawn')),
    rules text NOT NULL,
    timezone text NOT NULL,
    application_opens_at timestamptz,
    application_closes_at timestamptz,
    recommendation_opens_at timestamptz,
    recommendation_closes_at timestamptz,
    review_working_days int NOT NULL,
    appeal_working_days int NOT NULL,
    quotas jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    announced_at timestamptz
);

-- The smaller files of a call (channels.toml, criteria.toml, experts.toml, reveal.toml), as they will be frozen.
CREATE TABLE call_files (
    call text NOT NULL REFERENCES calls,
    name text NOT NULL,
    content text NOT NULL,
    PRIMARY KEY (call, name)
);

-- Applications (申报书) from the first draft on. `content` is the whole form; what lists sort and filter by stands beside it.
-- Every change raises `version`; a writer names the version it saw, so that nobody overwrites what they did not read.
CREATE TABLE applications (
    application text PRIMARY KEY,
    call text NOT NULL REFERENCES calls,
    unit text NOT NULL REFERENCES units,
    channel text NOT NULL REFERENCES channels,
    title text NOT NULL DEFAULT '',
    level text NOT NULL DEFAULT '',
    category text NOT NULL DEFAULT '',
    stage text NOT NULL DEFAULT 'draft' CHECK (stage IN ('draft', 'submitted', 'recommended', 'not_recommended', 'in_review',
        'completion', 'accepted', 'not_accepted', 'withdrawn', 'candidate')),
    content jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    submitted_at timestamptz
);
CREATE INDEX applications_of_channel ON applications (call, channel, stage, application);
CREATE INDEX applications_of_stage ON applications (call, stage, application);
CREATE INDEX applications_of_unit ON applications (unit, call);

-- Files that people hand in: scans, proofs, minutes, vouchers. The bytes lie in a folder under their SHA-256; a row says
-- whose they are. `kind` and `object` name what a file belongs to (log_entries uses the same words).
CREATE TABLE attachments (
    attachment text PRIMARY KEY,
    kind text NOT NULL,
    object text NOT NULL,
    purpose text NOT NULL,
    file_name text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL CHECK (bytes > 0),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    uploaded_by text NOT NULL,
    uploaded_at timestamptz NOT NULL
);
CREATE INDEX attachments_of_object ON attachments (kind, object, uploaded_at);
CREATE INDEX attachments_of_content ON attachments (sha256);

-- Who did what to which object when, with what it was before and after; reads of personal data too. Rows are appended in
-- any order and chained in commit order by one elected loop (as the outbox is numbered): hash n covers hash n-1.
CREATE TABLE log_entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    kind text NOT NULL,
    object text NOT NULL,
    round text NOT NULL DEFAULT '',
    before jsonb,
    after jsonb,
    personal boolean NOT NULL DEFAULT false
);
CREATE INDEX log_entries_of_object ON log_entries (kind, object, id);
CREATE INDEX log_entries_of_round ON log_entries (round, id);
CREATE INDEX log_entries_of_actor ON log_entries (actor, id);
CREATE INDEX log_entries_unchained ON log_entries (xid, id);

-- The number and hash of each entry in commit order (services/registry/log/chain.py): what was changed, dropped or put in
-- later breaks every hash behind it.
CREATE TABLE log_chain (
    n bigint PRIMARY KEY CHECK (n > 0),
    entry bigint NOT NULL UNIQUE REFERENCES log_entries,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);

DO $$
DECLARE kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['attachments', 'log_entries', 'log_chain'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
            kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            kept || '_no_truncate', kept);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON channels, units, calls, call_files, applications, attachments, log_entries, log_chain
    TO "${app_role}";
GRANT UPDATE (name, kind, closed_at) ON channels TO "${app_role}";
GRANT UPDATE (name, kind, channel, facts, state, version) ON units TO "${app_role}";
GRANT UPDATE (title, state, rules, timezone, application_opens_at, application_closes_at, recommendation_opens_at,
    recommendation_closes_at, review_working_days, appeal_working_days, quotas, version, announced_at)
    ON calls TO "${app_role}";
GRANT UPDATE (content), DELETE ON call_files TO "${app_role}";
GRANT UPDATE (channel, title, level, category, stage, content, version, changed_at, submitted_at)
    ON applications TO "${app_role}";
