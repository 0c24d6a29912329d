-- The person to write to, apart from the unit so that a list of units reads no personal data. No telephone number is kept.
CREATE TABLE unit_contacts (
    unit text PRIMARY KEY REFERENCES units,
    name text NOT NULL,
    email text NOT NULL,
    changed_at timestamptz NOT NULL
);

-- What a unit wants changed of what its district approved (name, kind, credit code, channel): one open wish a unit, in
-- force only when somebody of the office approved it.
CREATE TABLE unit_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit text NOT NULL REFERENCES units,
    wanted jsonb NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'refused')),
    decided_by text,
    decided_at timestamptz
);
CREATE UNIQUE INDEX unit_changes_open ON unit_changes (unit) WHERE state = 'open';

-- Every decision on a unit with its reason, so that its page can tell it; appended, never changed.
CREATE TABLE unit_decisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit text NOT NULL REFERENCES units,
    decision text NOT NULL CHECK (decision IN ('approved', 'refused', 'closed')),
    subject text NOT NULL CHECK (subject IN ('registration', 'change', 'unit')),
    reason text NOT NULL,
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL
);
CREATE INDEX unit_decisions_of_unit ON unit_decisions (unit, id);

-- Registrations per address and day; `address_key` is a keyed hash, so that the table names nobody. Over its allowance an
-- address is asked for a proof of work, never refused.
CREATE TABLE registration_attempts (
    address_key bytea NOT NULL CHECK (octet_length(address_key) = 32),
    day date NOT NULL,
    registrations int NOT NULL,
    PRIMARY KEY (address_key, day)
);

-- Proofs of work that were used: each is good once.
CREATE TABLE used_challenges (challenge bytea PRIMARY KEY, expires_at timestamptz NOT NULL);
CREATE INDEX used_challenges_expiry ON used_challenges (expires_at);

-- Links that let somebody make their account, or set a new password. Only the SHA-256 of the link's token is kept.
-- `staff` is the account a renewal is for, or the one that was made by accepting.
CREATE TABLE invitations (
    invitation bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    purpose text NOT NULL CHECK (purpose IN ('account', 'password')),
    username text NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    unit text NOT NULL,
    channel text NOT NULL,
    staff text REFERENCES staff,
    invited_by text NOT NULL,
    invited_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    withdrawn_at timestamptz
);
CREATE INDEX invitations_open ON invitations (invitation) WHERE accepted_at IS NULL AND withdrawn_at IS NULL;

-- The second factor of an account (RFC 6238), its secret sealed under a key that is not in this database. It counts from
-- `enrolled_at` on; `last_step` is the newest time step that was used, so that a code is accepted once.
CREATE TABLE staff_totp (
    staff text PRIMARY KEY REFERENCES staff,
    sealed_secret bytea NOT NULL,
    started_at timestamptz NOT NULL,
    enrolled_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0
);

-- Codes for the day the phone is lost: ten an account, each good once; only their keyed hashes are kept.
CREATE TABLE recovery_codes (
    staff text NOT NULL REFERENCES staff,
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    used_at timestamptz,
    PRIMARY KEY (staff, code_hash)
);

-- What kind of program a session lives in ("Chrome, Windows"), so that its owner recognises it; nothing more of it is kept.
ALTER TABLE sessions ADD COLUMN device text NOT NULL DEFAULT '';

-- Official calendars (放假安排) as the office uploaded them: weekdays off, and days of a weekend that are worked. A year's
-- newest version counts; older ones stay.
CREATE TABLE calendar_years (
    year int NOT NULL CHECK (year BETWEEN 2000 AND 2199),
    version int NOT NULL CHECK (version > 0),
    document text NOT NULL,
    days_off date[] NOT NULL,
    days_worked date[] NOT NULL,
    uploaded_by text NOT NULL,
    uploaded_at timestamptz NOT NULL,
    PRIMARY KEY (year, version)
);

DO $$
DECLARE kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['unit_decisions', 'calendar_years'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
            kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            kept || '_no_truncate', kept);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON unit_contacts, unit_changes, unit_decisions, registration_attempts, used_challenges, invitations,
    staff_totp, recovery_codes, calendar_years TO "${app_role}";
GRANT UPDATE (credit_code) ON units TO "${app_role}";
GRANT UPDATE (name, email, changed_at) ON unit_contacts TO "${app_role}";
GRANT UPDATE (state, decided_by, decided_at) ON unit_changes TO "${app_role}";
GRANT UPDATE (registrations) ON registration_attempts TO "${app_role}";
GRANT UPDATE (staff, accepted_at, withdrawn_at) ON invitations TO "${app_role}";
GRANT UPDATE (sealed_secret, started_at, enrolled_at, last_step) ON staff_totp TO "${app_role}";
GRANT UPDATE (used_at) ON recovery_codes TO "${app_role}";
-- Traces of people that are worth nothing later; and a second factor that was given up.
GRANT DELETE ON registration_attempts, used_challenges, staff_totp, recovery_codes TO "${app_role}";
