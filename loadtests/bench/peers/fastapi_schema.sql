-- The FastAPI peer's ledger: what a competent user declares, one unique key against second ballots.
CREATE TABLE ballots (
    index bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round_number int NOT NULL,
    voter_key bytea NOT NULL,
    ballot_id uuid NOT NULL,
    choices smallint[] NOT NULL,
    receipt text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (round_number, voter_key)
);
