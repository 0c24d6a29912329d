-- A change by re-check or objection makes a list that rests on the same ranking as the one before; only the first list of a
-- ranking is unique to it.
ALTER TABLE lists DROP CONSTRAINT lists_round_ranking_version_key;
ALTER TABLE lists ADD COLUMN origin text NOT NULL DEFAULT 'ranking' CHECK (origin IN ('ranking', 'change'));
CREATE UNIQUE INDEX lists_of_ranking ON lists (round, ranking_version) WHERE origin = 'ranking';

-- The level that a re-check gave a candidate; empty where it is the one on its card.
ALTER TABLE list_entries ADD COLUMN level text NOT NULL DEFAULT '';

-- Whom a notice concerns: NULL is every candidate, otherwise those whom the version changed.
ALTER TABLE notices ADD COLUMN touched text[];

-- Objections (异议), found by their receipt. Who objected stands apart, sealed; `text` is the objection itself, which only
-- the office reads. `lead` is an anonymous one (线索). `reply_days` are the working days it is to be answered in.
CREATE TABLE objections (
    receipt text PRIMARY KEY CHECK (length(receipt) = 20),
    round text NOT NULL REFERENCES rounds,
    list_version int NOT NULL,
    candidate text,
    kind text NOT NULL CHECK (kind IN ('named', 'sealed', 'lead')),
    medium text NOT NULL CHECK (medium IN ('online', 'letter', 'visit', 'phone', 'other')),
    ground text NOT NULL,
    text text NOT NULL,
    received_on date NOT NULL,
    entered_at timestamptz NOT NULL,
    entered_by text NOT NULL DEFAULT '',
    reply_days int NOT NULL,
    state text NOT NULL DEFAULT 'received'
        CHECK (state IN ('received', 'assigned', 'deciding', 'upheld', 'not_upheld', 'noted')),
    owner text NOT NULL DEFAULT '',
    contacted_at timestamptz,
    reply text NOT NULL DEFAULT '',
    remedy text NOT NULL DEFAULT '' CHECK (remedy IN ('', 'none', 'list_change', 'new_ranking')),
    decided_by text NOT NULL DEFAULT '',
    confirmed_by text NOT NULL DEFAULT '',
    answered_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    CHECK (state <> 'upheld' OR (confirmed_by <> '' AND confirmed_by <> decided_by)),
    CHECK ((state IN ('upheld', 'not_upheld', 'noted')) = (answered_at IS NOT NULL)),
    FOREIGN KEY (round, candidate) REFERENCES candidates
);
CREATE INDEX objections_of_round ON objections (round, state, receipt);

-- Name and phone of an objector, encrypted under a key that is not in this database; who opened it when is in the log.
CREATE TABLE objection_persons (
    receipt text PRIMARY KEY REFERENCES objections,
    sealed bytea NOT NULL
);

-- Objections filed from an address within the last hour (a keyed hash of it): more of them cost more work, never a wall.
CREATE TABLE objection_tries (address_key bytea NOT NULL, at timestamptz NOT NULL);
CREATE INDEX objection_tries_of_address ON objection_tries (address_key, at);
CREATE INDEX objection_tries_old ON objection_tries (at);

-- Acts on a list that take two people: a change, its confirmation by a meeting, its retraction. `list_version` is the one
-- the first person saw (0: before there is a list); a list that moved on meanwhile makes the act lapse.
CREATE TABLE list_proposals (
    proposal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round text NOT NULL REFERENCES rounds,
    act text NOT NULL CHECK (act IN ('change', 'confirmation', 'retraction')),
    list_version int NOT NULL,
    content jsonb NOT NULL,
    objection text REFERENCES objections,
    release_at timestamptz,
    state text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'scheduled', 'done', 'withdrawn', 'lapsed')),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    confirmed_by text,
    confirmed_at timestamptz,
    ended_at timestamptz,
    CHECK (confirmed_by <> proposed_by),
    CHECK (state NOT IN ('scheduled', 'done') OR confirmed_by IS NOT NULL)
);
CREATE INDEX list_proposals_of_round ON list_proposals (round, proposal);
CREATE INDEX list_proposals_scheduled ON list_proposals (release_at) WHERE state = 'scheduled';

-- Confirmed changes in the order in which they took effect; every list is its ranking with all of them applied in this
-- order, so that a new ranking forgets none. `since_version` is the first list they count for.
CREATE TABLE list_changes (
    change bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round text NOT NULL REFERENCES rounds,
    proposal bigint NOT NULL REFERENCES list_proposals,
    since_version int NOT NULL CHECK (since_version > 0),
    kind text NOT NULL CHECK (kind IN ('remove', 'change_level', 'promote_reserve', 'reinstate')),
    candidate text NOT NULL,
    level text NOT NULL DEFAULT '',
    reason text NOT NULL,
    text text NOT NULL,
    FOREIGN KEY (round, candidate) REFERENCES candidates
);
CREATE INDEX list_changes_of_round ON list_changes (round, change);

-- The meeting (会议研究确定) that confirmed a list.
CREATE TABLE list_confirmations (
    round text NOT NULL,
    version int NOT NULL,
    proposal bigint NOT NULL UNIQUE REFERENCES list_proposals,
    meeting_number text NOT NULL,
    held_on date NOT NULL,
    minutes text REFERENCES attachments,
    confirmed_at timestamptz NOT NULL,
    PRIMARY KEY (round, version),
    FOREIGN KEY (round, version) REFERENCES lists
);

-- A list that was taken back (撤回): it stays readable, and says so.
CREATE TABLE list_retractions (
    round text NOT NULL,
    version int NOT NULL,
    proposal bigint NOT NULL UNIQUE REFERENCES list_proposals,
    text text NOT NULL,
    retracted_at timestamptz NOT NULL,
    PRIMARY KEY (round, version),
    FOREIGN KEY (round, version) REFERENCES lists
);

-- The document number (文号) under which a list goes out on paper, once and for one list only.
CREATE TABLE list_documents (
    round text NOT NULL,
    version int NOT NULL,
    document_number text NOT NULL UNIQUE,
    assigned_by text NOT NULL,
    assigned_at timestamptz NOT NULL,
    PRIMARY KEY (round, version),
    FOREIGN KEY (round, version) REFERENCES lists
);

-- Scans of the stamped list; a better scan is a further row.
CREATE TABLE list_scans (
    scan bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round text NOT NULL,
    version int NOT NULL,
    attachment text NOT NULL REFERENCES attachments,
    added_by text NOT NULL,
    added_at timestamptz NOT NULL,
    FOREIGN KEY (round, version) REFERENCES lists
);
CREATE INDEX list_scans_of_list ON list_scans (round, version, scan);

DO $$
DECLARE kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['objection_persons', 'list_changes', 'list_confirmations', 'list_retractions',
        'list_documents', 'list_scans'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
            kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            kept || '_no_truncate', kept);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON objections, objection_persons, objection_tries, list_proposals, list_changes,
    list_confirmations, list_retractions, list_documents, list_scans TO "${app_role}";
GRANT UPDATE (state, owner, contacted_at, reply, remedy, decided_by, confirmed_by, answered_at, version)
    ON objections TO "${app_role}";
GRANT UPDATE (state, confirmed_by, confirmed_at, ended_at) ON list_proposals TO "${app_role}";
-- Counts of an hour are swept: keeping them would only keep traces of people.
GRANT DELETE ON objection_tries TO "${app_role}";
