-- Which identity key a round's people were signed in under: a keyed hash of nothing under that key, which leads back to
-- no key. A worker that finds the key's file missing, or another key in it, signs nobody in: a new key would make a new
-- person of everybody who has voted.
CREATE TABLE round_keys (
    round_number int PRIMARY KEY REFERENCES rounds (number),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT ON round_keys TO "${app_role}";
