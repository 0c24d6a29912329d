-- statistics.json of a ranking, byte for byte as it is served. Not part of the ranking itself: a background step makes
-- it, once, so that a proposal does not wait for thousands of rankings from resampled panels.
CREATE TABLE ranking_statistics (
    round text NOT NULL,
    version int NOT NULL,
    body bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (round, version),
    FOREIGN KEY (round, version) REFERENCES rankings (round, version)
);
CREATE TRIGGER ranking_statistics_append_only BEFORE UPDATE OR DELETE ON ranking_statistics
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ranking_statistics_no_truncate BEFORE TRUNCATE ON ranking_statistics
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON ranking_statistics TO "${app_role}";
