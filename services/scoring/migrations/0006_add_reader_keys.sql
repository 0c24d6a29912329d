-- Keys of observers' programs (press, auditors elsewhere): they read what is published, under a name. Only the hash is kept.
CREATE TABLE reader_keys (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    hash bytea NOT NULL UNIQUE,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    last_used_on date,
    withdrawn_by text,
    withdrawn_at timestamptz,
    CHECK ((withdrawn_by IS NULL) = (withdrawn_at IS NULL))
);
GRANT SELECT, INSERT ON reader_keys TO "${app_role}";
GRANT UPDATE (last_used_on, withdrawn_by, withdrawn_at) ON reader_keys TO "${app_role}";
