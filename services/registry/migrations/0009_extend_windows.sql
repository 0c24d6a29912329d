-- Voting alone decides on extensions after an outage; the registry keeps what it is told. The newest is the end in force.
CREATE TABLE round_extensions (
    round text NOT NULL REFERENCES rounds,
    version int NOT NULL CHECK (version > 0),
    closes_at timestamptz NOT NULL,
    at timestamptz NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (round, version)
);
CREATE TRIGGER round_extensions_append_only BEFORE UPDATE OR DELETE ON round_extensions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER round_extensions_no_truncate BEFORE TRUNCATE ON round_extensions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT ON round_extensions TO "${app_role}";

-- The end in force after the newest extension; null where none was decided.
CREATE FUNCTION extended_to(wanted text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT closes_at FROM round_extensions WHERE round = wanted ORDER BY version DESC LIMIT 1
$$;
