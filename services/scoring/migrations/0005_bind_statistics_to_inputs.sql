-- What a ranking's statistics were made from, so that the audit finds any that belong to other marks or votes. Those made
-- before are taken for what they stand beside.
ALTER TABLE ranking_statistics ADD COLUMN inputs_digest text NOT NULL DEFAULT '';
ALTER TABLE ranking_statistics DISABLE TRIGGER ranking_statistics_append_only;
UPDATE ranking_statistics AS s SET inputs_digest = r.inputs_digest
    FROM rankings AS r WHERE (r.round, r.version) = (s.round, s.version);
ALTER TABLE ranking_statistics ENABLE TRIGGER ranking_statistics_append_only;
ALTER TABLE ranking_statistics ALTER COLUMN inputs_digest DROP DEFAULT;
