-- A comment for each criterion, and two more ways in which a sheet comes about: restored from a snapshot by two people,
-- entered from paper by two clerks.
ALTER TABLE sheets ADD COLUMN comments jsonb NOT NULL DEFAULT '{}';
ALTER TABLE sheet_versions ADD COLUMN comments jsonb NOT NULL DEFAULT '{}';
ALTER TABLE sheet_versions DROP CONSTRAINT sheet_versions_act_check;
ALTER TABLE sheet_versions ADD CONSTRAINT sheet_versions_act_check
    CHECK (act IN ('saved', 'submitted', 'recused', 'reopened', 'restored', 'entered'));

-- Experts a round's panels may be drawn from, with the facts that tell conflicts. Changed only while no seed is committed.
CREATE TABLE pool_experts (
    round text NOT NULL REFERENCES rounds (round),
    expert text NOT NULL,
    fields text[] NOT NULL,
    unit text NOT NULL,
    channel text NOT NULL,
    employers text[] NOT NULL,
    partners text[] NOT NULL,
    listed boolean NOT NULL,
    version int NOT NULL DEFAULT 1,
    PRIMARY KEY (round, expert)
);

-- A draw's promise: the digest of its seed, the pool and the plan it will be applied to; every promise stays on record.
CREATE TABLE draws (
    round text NOT NULL REFERENCES rounds (round),
    draw int NOT NULL CHECK (draw > 0),
    commitment text NOT NULL,
    seed text NOT NULL,
    pool_digest text NOT NULL,
    plan jsonb NOT NULL,
    committed_by text NOT NULL,
    committed_at timestamptz NOT NULL,
    PRIMARY KEY (round, draw)
);

-- The draw itself: a second person gives a word that nobody knew at the promise. One a round.
CREATE TABLE drawn_panels (
    round text PRIMARY KEY,
    draw int NOT NULL,
    word text NOT NULL,
    panels jsonb NOT NULL,
    committed_by text NOT NULL,
    drawn_by text NOT NULL CHECK (drawn_by <> committed_by),
    drawn_at timestamptz NOT NULL,
    FOREIGN KEY (round, draw) REFERENCES draws (round, draw)
);

-- Who scores which candidate, where a panel was drawn; `called_for` is the expert whose place a reserve takes.
CREATE TABLE seats (
    round text NOT NULL,
    candidate text NOT NULL,
    expert text NOT NULL,
    called_for text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,
    PRIMARY KEY (round, candidate, expert),
    FOREIGN KEY (round, candidate) REFERENCES candidates (round, candidate)
);

-- Commitment letters (承诺书): which text, by its digest, an expert signed, and when.
CREATE TABLE letters (
    round text NOT NULL REFERENCES rounds (round),
    expert text NOT NULL,
    letter text NOT NULL,
    signed_at timestamptz NOT NULL,
    PRIMARY KEY (round, expert, letter)
);

-- Acts of two people: what one proposed, and why.
CREATE TABLE proposals (
    proposal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round text NOT NULL REFERENCES rounds (round),
    kind text NOT NULL CHECK (kind IN ('reopen_sheet', 'restore_snapshot', 'lift_conflict')),
    candidate text NOT NULL,
    expert text NOT NULL,
    content jsonb NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    UNIQUE (proposal, proposed_by)
);
CREATE INDEX proposals_of_round ON proposals (round, proposal);

-- The second signature; with it the proposal took effect.
CREATE TABLE proposal_confirmations (
    proposal bigint PRIMARY KEY,
    proposed_by text NOT NULL,
    confirmed_by text NOT NULL CHECK (confirmed_by <> proposed_by),
    confirmed_at timestamptz NOT NULL,
    FOREIGN KEY (proposal, proposed_by) REFERENCES proposals (proposal, proposed_by)
);

-- Conflicts found by the facts that two people found to be none.
CREATE TABLE conflict_lifts (
    round text NOT NULL,
    candidate text NOT NULL,
    expert text NOT NULL,
    proposal bigint NOT NULL REFERENCES proposals (proposal),
    PRIMARY KEY (round, candidate, expert)
);

-- One snapshot a day of every sheet of a round that is scored: which version each had.
CREATE TABLE snapshots (
    round text NOT NULL REFERENCES rounds (round),
    day date NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (round, day)
);
-- The sheets of a snapshot.
CREATE TABLE snapshot_sheets (
    round text NOT NULL,
    day date NOT NULL,
    candidate text NOT NULL,
    expert text NOT NULL,
    version int NOT NULL,
    PRIMARY KEY (round, day, candidate, expert),
    FOREIGN KEY (round, day) REFERENCES snapshots (round, day),
    FOREIGN KEY (round, candidate, expert, version) REFERENCES sheet_versions (round, candidate, expert, version)
);

-- A review meeting: who is present; what its chair did stands in meeting_steps.
CREATE TABLE meetings (
    round text NOT NULL REFERENCES rounds (round),
    meeting int NOT NULL CHECK (meeting > 0),
    chair text NOT NULL,
    present text[] NOT NULL,
    started_by text NOT NULL,
    started_at timestamptz NOT NULL,
    PRIMARY KEY (round, meeting)
);
-- Candidate after candidate, in the order in which the chair opened them.
CREATE TABLE meeting_steps (
    round text NOT NULL,
    meeting int NOT NULL,
    step int NOT NULL CHECK (step > 0),
    act text NOT NULL CHECK (act IN ('opened', 'ended')),
    candidate text NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (round, meeting, step),
    FOREIGN KEY (round, meeting) REFERENCES meetings (round, meeting)
);

-- Sheets given out on paper, each with the code printed on it.
CREATE TABLE papers (
    code text PRIMARY KEY,
    round text NOT NULL,
    candidate text NOT NULL,
    expert text NOT NULL,
    issued_by text NOT NULL,
    issued_at timestamptz NOT NULL,
    UNIQUE (round, candidate, expert),
    FOREIGN KEY (round, candidate) REFERENCES candidates (round, candidate)
);
-- What clerks read off the paper; it counts when the newest entries of two clerks agree.
CREATE TABLE paper_entries (
    code text NOT NULL REFERENCES papers (code),
    entry int NOT NULL CHECK (entry > 0),
    clerk text NOT NULL,
    marks jsonb NOT NULL,
    comments jsonb NOT NULL,
    comment text NOT NULL,
    scan text NOT NULL CHECK (scan <> ''),
    at timestamptz NOT NULL,
    PRIMARY KEY (code, entry)
);

-- Reminders that the office sent by its own means.
CREATE TABLE reminders (
    reminder bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round text NOT NULL REFERENCES rounds (round),
    expert text NOT NULL,
    way text NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX reminders_of_round ON reminders (round, expert, at);

-- Why a ranking was computed again after one had been published, and from which published version on.
CREATE TABLE recomputations (
    round text NOT NULL,
    version int NOT NULL,
    based_on int NOT NULL CHECK (based_on < version),
    cause text NOT NULL CHECK (cause IN ('objection_upheld', 'ballots_excluded', 'ballots_restored', 'sheet_reopened',
        'candidate_withdrawn', 'software_corrected')),
    reason text NOT NULL CHECK (reason <> ''),
    PRIMARY KEY (round, version),
    FOREIGN KEY (round, version) REFERENCES rankings (round, version),
    FOREIGN KEY (round, based_on) REFERENCES rankings (round, version)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['draws', 'drawn_panels', 'seats', 'letters', 'proposals', 'proposal_confirmations',
        'conflict_lifts', 'snapshots', 'snapshot_sheets', 'meetings', 'meeting_steps', 'papers', 'paper_entries',
        'reminders', 'recomputations'] LOOP
        EXECUTE format('CREATE TRIGGER %I_append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', name, name);
        EXECUTE format('CREATE TRIGGER %I_no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name, name);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON pool_experts, draws, drawn_panels, seats, letters, proposals, proposal_confirmations,
    conflict_lifts, snapshots, snapshot_sheets, meetings, meeting_steps, papers, paper_entries, reminders, recomputations
    TO "${app_role}";
GRANT UPDATE (fields, unit, channel, employers, partners, listed, version) ON pool_experts TO "${app_role}";
GRANT UPDATE (comments) ON sheets TO "${app_role}";
