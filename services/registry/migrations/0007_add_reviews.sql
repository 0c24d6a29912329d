-- A rehearsal (演练) is marked from its call to its result. The commitment to the seed that numbers are drawn with is the
-- SHA-256 of the seed: it is published when the call is announced, before anybody has applied; empty for loaded folders.
ALTER TABLE calls ADD COLUMN rehearsal boolean NOT NULL DEFAULT false;
ALTER TABLE calls ADD COLUMN number_commitment text NOT NULL DEFAULT '';
ALTER TABLE rounds ADD COLUMN rehearsal boolean NOT NULL DEFAULT false;
ALTER TABLE rounds ADD COLUMN number_commitment text NOT NULL DEFAULT '';
GRANT UPDATE (rehearsal, number_commitment) ON calls TO "${app_role}";

-- The seed itself, until freezing reveals it.
CREATE TABLE call_secrets (call text PRIMARY KEY REFERENCES calls, number_seed text NOT NULL);

-- A call's files as they were announced, and as every later change left them: what applicants relied on stays readable.
CREATE TABLE call_versions (
    call text NOT NULL REFERENCES calls,
    version bigint NOT NULL,
    digest text NOT NULL,
    files jsonb NOT NULL,
    reason text NOT NULL,
    signed_by text[] NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (call, version)
);

-- A change of an announced call: proposed by one, confirmed by another; `version` is the call's when it was proposed, so
-- that a proposal lapses when something else changed first.
CREATE TABLE call_changes (
    change text PRIMARY KEY,
    call text NOT NULL REFERENCES calls,
    version bigint NOT NULL,
    name text NOT NULL,
    content text NOT NULL,
    reason text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    confirmed_by text,
    confirmed_at timestamptz,
    CHECK (confirmed_by <> proposed_by)
);
CREATE INDEX call_changes_of_call ON call_changes (call, proposed_at);

-- What a channel recommends: the ranked applications, and why the others are not. Held by row lock while it changes, so
-- that two officers at once cannot exceed the quota. Final once sent.
CREATE TABLE recommendations (
    call text NOT NULL REFERENCES calls,
    channel text NOT NULL REFERENCES channels,
    ranked text[] NOT NULL DEFAULT '{}',
    not_recommended jsonb NOT NULL DEFAULT '{}',
    opinions jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 0,
    changed_by text NOT NULL DEFAULT '',
    changed_at timestamptz,
    sent_by text,
    sent_at timestamptz,
    PRIMARY KEY (call, channel)
);

-- Named exemptions from a quota ("原则上"): places beyond it for a channel, or for one unit of a channel whose units apply
-- directly. Counts only once a second administrator confirmed it.
CREATE TABLE exemptions (
    exemption text PRIMARY KEY,
    call text NOT NULL REFERENCES calls,
    channel text NOT NULL REFERENCES channels,
    unit text REFERENCES units,
    places int NOT NULL CHECK (places > 0),
    reason text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    confirmed_by text,
    confirmed_at timestamptz,
    CHECK (confirmed_by <> proposed_by)
);
CREATE INDEX exemptions_of_call ON exemptions (call, channel);

-- The preliminary review (初审) of an application: opened exactly once, at the deadline. Due dates are looked up at read
-- time from `started_on`, so that a calendar uploaded later moves what is open.
CREATE TABLE reviews (
    application text PRIMARY KEY REFERENCES applications,
    call text NOT NULL REFERENCES calls,
    opened_at timestamptz NOT NULL,
    started_on date NOT NULL,
    working_days int NOT NULL,
    cycle int NOT NULL DEFAULT 1
);
CREATE INDEX reviews_of_call ON reviews (call, application);

-- One reviewer's checklist; `cycle` grows when what was checked changed (completion) or must be checked anew (appeal), and
-- only checklists of the present cycle count.
CREATE TABLE review_checklists (
    application text NOT NULL REFERENCES reviews,
    cycle int NOT NULL,
    reviewer text NOT NULL,
    items jsonb NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('accepted', 'not_accepted')),
    reason text NOT NULL CHECK (reason IN ('', 'not_conforming', 'untrue', 'disputed')),
    comment text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (application, cycle, reviewer),
    CHECK ((verdict = 'not_accepted') = (reason <> ''))
);

-- The one request for completion (补正) an application may get; until it is answered, or due, the review's days stand still.
CREATE TABLE completions (
    application text PRIMARY KEY REFERENCES reviews,
    text text NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    requested_on date NOT NULL,
    due_on date NOT NULL,
    closes_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_on date,
    ended_by text,
    answered boolean
);

-- What other departments are asked about an application (联审), by when, and what they said.
CREATE TABLE joint_checks (
    application text NOT NULL REFERENCES reviews,
    department text NOT NULL CHECK (department IN ('discipline', 'petitions', 'market_supervision', 'civil_affairs')),
    due_on date NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    result text CHECK (result IN ('clear', 'concern')),
    text text NOT NULL DEFAULT '',
    entered_by text,
    entered_at timestamptz,
    PRIMARY KEY (application, department)
);

-- The decision of a cycle: not accepted (不予受理) only with one of the three reasons and a text. `basis` says whether both
-- checklists agreed or an administrator decided between them.
CREATE TABLE review_decisions (
    application text NOT NULL REFERENCES reviews,
    cycle int NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('accepted', 'not_accepted')),
    reason text NOT NULL CHECK (reason IN ('', 'not_conforming', 'untrue', 'disputed')),
    text text NOT NULL,
    basis text NOT NULL CHECK (basis IN ('agreed', 'administrator', 'appeal')),
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL,
    decided_on date NOT NULL,
    PRIMARY KEY (application, cycle),
    CHECK ((outcome = 'not_accepted') = (reason <> '')),
    CHECK (outcome = 'accepted' OR length(text) > 0)
);

-- An applicant's appeal (复议) against a decision, and what somebody else than the reviewers made of it.
CREATE TABLE appeals (
    application text NOT NULL,
    cycle int NOT NULL,
    text text NOT NULL,
    filed_by text NOT NULL,
    filed_at timestamptz NOT NULL,
    outcome text CHECK (outcome IN ('rejected', 'review_again', 'accepted')),
    reply text NOT NULL DEFAULT '',
    decided_by text,
    decided_at timestamptz,
    PRIMARY KEY (application, cycle),
    FOREIGN KEY (application, cycle) REFERENCES review_decisions
);

-- A candidate's picture as it was frozen with the card: bytes lie in the vault, `text` is read to those who do not see it.
CREATE TABLE candidate_pictures (
    round text NOT NULL,
    candidate text NOT NULL,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    bytes bigint NOT NULL,
    media_type text NOT NULL CHECK (media_type IN ('image/png', 'image/jpeg', 'image/webp')),
    text text NOT NULL,
    PRIMARY KEY (round, candidate),
    FOREIGN KEY (round, candidate) REFERENCES candidates
);

-- Withdrawal of a candidate after freezing; candidates themselves never change. It is public once a second person signed.
CREATE TABLE withdrawals (
    withdrawal text PRIMARY KEY,
    round text NOT NULL,
    candidate text NOT NULL,
    reason text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    FOREIGN KEY (round, candidate) REFERENCES candidates
);
-- The withdrawal that took effect: one a candidate, with the second signature.
CREATE TABLE candidate_withdrawals (
    round text NOT NULL,
    candidate text NOT NULL,
    withdrawal text NOT NULL UNIQUE REFERENCES withdrawals,
    withdrawn_at timestamptz NOT NULL,
    confirmed_by text NOT NULL,
    PRIMARY KEY (round, candidate),
    FOREIGN KEY (round, candidate) REFERENCES candidates
);

DO $$
DECLARE kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['call_secrets', 'call_versions', 'review_checklists', 'review_decisions',
        'candidate_pictures', 'withdrawals', 'candidate_withdrawals'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
            kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            kept || '_no_truncate', kept);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON call_secrets, call_versions, call_changes, recommendations, exemptions, reviews,
    review_checklists, completions, joint_checks, review_decisions, appeals, candidate_pictures, withdrawals,
    candidate_withdrawals TO "${app_role}";
GRANT UPDATE (confirmed_by, confirmed_at) ON call_changes, exemptions TO "${app_role}";
GRANT UPDATE (ranked, not_recommended, opinions, version, changed_by, changed_at, sent_by, sent_at) ON recommendations
    TO "${app_role}";
GRANT UPDATE (cycle, started_on) ON reviews TO "${app_role}";
GRANT UPDATE (ended_at, ended_on, ended_by, answered) ON completions TO "${app_role}";
GRANT UPDATE (result, text, entered_by, entered_at) ON joint_checks TO "${app_role}";
GRANT UPDATE (outcome, reply, decided_by, decided_at) ON appeals TO "${app_role}";
