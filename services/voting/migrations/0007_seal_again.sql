-- A round may have several sealed tallies: ballots that are excluded or restored after a seal make the next version, and
-- the ones before stay. `events_until` is the newest ballot event of the round that a tally knows, so that what was
-- decided since can be told, and the ballots of any version be published.
ALTER TABLE tallies DROP CONSTRAINT tallies_pkey;
ALTER TABLE tallies ADD PRIMARY KEY (round_number, version), ADD CHECK (version > 0), ADD COLUMN events_until bigint;
ALTER TABLE tallies DISABLE TRIGGER tallies_append_only;
UPDATE tallies AS t SET events_until =
    (SELECT coalesce(max(e.id), 0) FROM ballot_events AS e WHERE e.round_number = t.round_number);
ALTER TABLE tallies ENABLE TRIGGER tallies_append_only;
ALTER TABLE tallies ALTER COLUMN events_until SET NOT NULL;
