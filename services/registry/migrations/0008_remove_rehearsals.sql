-- A rehearsal is taken out of view when it is over: the other services and the lists of rounds leave it out from then on.
-- Nothing of it is deleted, and its log stays readable.
ALTER TABLE round_states ADD COLUMN removed_at timestamptz;
GRANT UPDATE (removed_at) ON round_states TO "${app_role}";
