-- A station that signs nobody in any more: one row, never changed. Who was signed in there before may still vote.
CREATE TABLE station_closings (
    station int PRIMARY KEY REFERENCES stations (station),
    closed_by text NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER station_closings_append_only BEFORE UPDATE OR DELETE ON station_closings
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER station_closings_no_truncate BEFORE TRUNCATE ON station_closings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- How many numbers one account of the hotline looked up within the last hour.
CREATE INDEX hotline_lookups_of_staff ON hotline_lookups (staff, at);

GRANT SELECT, INSERT ON station_closings TO "${app_role}";
