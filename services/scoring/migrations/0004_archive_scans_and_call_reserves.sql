-- Scans of signed paper sheets, as they came, under their SHA-256; the clerks' entries name one of them.
CREATE TABLE paper_scans (
    code text NOT NULL REFERENCES papers (code),
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    media_type text NOT NULL CHECK (media_type IN ('application/pdf', 'image/jpeg', 'image/png')),
    body bytea NOT NULL,
    clerk text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (code, digest)
);
CREATE TRIGGER paper_scans_append_only BEFORE UPDATE OR DELETE ON paper_scans
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER paper_scans_no_truncate BEFORE TRUNCATE ON paper_scans
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Two people may also call a reserve for somebody who cannot come.
ALTER TABLE proposals DROP CONSTRAINT proposals_kind_check;
ALTER TABLE proposals ADD CONSTRAINT proposals_kind_check
    CHECK (kind IN ('reopen_sheet', 'restore_snapshot', 'lift_conflict', 'call_reserve'));

GRANT SELECT, INSERT ON paper_scans TO "${app_role}";
