-- The sweeper finds expired codes by it: they expire in the order in which they were written, so that a block range is
-- enough and costs a request for a code nothing.
CREATE INDEX code_requests_expiry ON code_requests USING brin (expires_at) WITH (pages_per_range = 16);
