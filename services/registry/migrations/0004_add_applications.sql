-- Entered by a clerk for a unit that only has paper: the office may then edit it too.
ALTER TABLE applications ADD COLUMN on_behalf boolean NOT NULL DEFAULT false;

-- What was handed in, each time: `content` is canonical JSON with the unit, channel and files as they were then, `sha256`
-- is over its bytes, `version_code` is what stands on the print so that a stamped scan can be matched.
CREATE TABLE application_versions (
    application text NOT NULL REFERENCES applications,
    number int NOT NULL CHECK (number > 0),
    content text NOT NULL,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    version_code text NOT NULL,
    submitted_at timestamptz NOT NULL,
    submitted_by text NOT NULL,
    PRIMARY KEY (application, number)
);
CREATE INDEX application_versions_of_code ON application_versions (version_code);

-- Why a submitted application became a draft again before the deadline.
CREATE TABLE application_reopenings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application text NOT NULL REFERENCES applications,
    at timestamptz NOT NULL,
    asked_by text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX application_reopenings_of_application ON application_reopenings (application, id);

-- A partner's consent (联合申报) asked for by link. Only the SHA-256 of the link's token is kept; a newer link of the same
-- partner takes the older one's place. `name` is who answered for the partner.
CREATE TABLE application_consents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application text NOT NULL REFERENCES applications,
    credit_code text NOT NULL,
    partner_name text NOT NULL,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    replaced_at timestamptz,
    answer text CHECK (answer IN ('given', 'declined')),
    answered_at timestamptz,
    name text,
    position text,
    CHECK ((answer IS NULL) = (answered_at IS NULL) AND (answer IS NULL) = (name IS NULL))
);
CREATE INDEX application_consents_of_application ON application_consents (application, credit_code, id);

-- What an attachment of an application is for, beside its purpose: which partner's proof or consent it is, or which
-- version's stamped scan. A wrong file is taken out by `removed_at`; its row and bytes stay.
CREATE TABLE application_files (
    attachment text PRIMARY KEY REFERENCES attachments,
    application text NOT NULL REFERENCES applications,
    credit_code text NOT NULL DEFAULT '',
    version_code text NOT NULL DEFAULT '',
    removed_at timestamptz,
    removed_by text
);
CREATE INDEX application_files_of_application ON application_files (application);

DO $$
DECLARE kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['application_versions', 'application_reopenings'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
            kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            kept || '_no_truncate', kept);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON application_versions, application_reopenings, application_consents, application_files
    TO "${app_role}";
GRANT UPDATE (replaced_at, answer, answered_at, name, position) ON application_consents TO "${app_role}";
GRANT UPDATE (removed_at, removed_by) ON application_files TO "${app_role}";
