-- Who is bound to whom in rounds that ask for a verified ID: one person (keyed hash of the ID) has one phone, and a
-- phone has as many places as the rules let people share it. Bound by inserting, compared in a second statement.
CREATE TABLE identities (
    round_number int NOT NULL REFERENCES rounds (number),
    id_key bytea NOT NULL CHECK (octet_length(id_key) = 16),
    phone_key bytea NOT NULL CHECK (octet_length(phone_key) = 16),
    place smallint NOT NULL CHECK (place > 0),
    consent text NOT NULL,
    verified_by text NOT NULL,
    bound_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (round_number, id_key),
    UNIQUE (round_number, phone_key, place)
);
CREATE TRIGGER identities_append_only BEFORE UPDATE OR DELETE ON identities
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- How a code was to travel, and which block of ten thousand neighbouring numbers asked for it (a keyed hash): bursts of
-- neighbours that never complete make challenges harder for that block.
ALTER TABLE code_requests ADD COLUMN route text NOT NULL DEFAULT 'sms', ADD COLUMN prefix_key bytea;
CREATE INDEX code_requests_of_prefix ON code_requests (round_number, prefix_key, created_at);

-- Codes sent per ten seconds, spread over a few rows so that no request waits for another: the spend breaker adds up a
-- few thousand of these instead of counting requests.
CREATE TABLE code_spend (
    since timestamptz NOT NULL,
    shard smallint NOT NULL,
    codes bigint NOT NULL,
    PRIMARY KEY (since, shard)
);

-- What became of a code on its way: one row an attempt, without a phone. `waiting` rows whose sender died become `lost`.
CREATE TABLE code_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request uuid NOT NULL REFERENCES code_requests (request) ON DELETE CASCADE,
    provider text NOT NULL,
    route text NOT NULL,
    delivery_id text,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'accepted', 'delivered', 'failed', 'lost')),
    failure text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (provider, delivery_id),
    CHECK ((state = 'failed') = (failure <> ''))
);
CREATE INDEX code_deliveries_of_request ON code_deliveries (request, id);
CREATE INDEX code_deliveries_waiting ON code_deliveries (created_at) WHERE state = 'waiting';

-- Every look-up of the hotline, for the auditor: who looked when, and a keyed hash instead of the number.
CREATE TABLE hotline_lookups (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round_number int NOT NULL REFERENCES rounds (number),
    phone_key bytea NOT NULL,
    staff text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER hotline_lookups_append_only BEFORE UPDATE OR DELETE ON hotline_lookups
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON identities, code_spend, code_deliveries, hotline_lookups TO "${app_role}";
GRANT UPDATE (codes) ON code_spend TO "${app_role}";
GRANT UPDATE (delivery_id, state, failure, changed_at) ON code_deliveries TO "${app_role}";
GRANT DELETE ON code_spend, code_deliveries TO "${app_role}";
