-- The ledger over several servers by Citus. Not run where this was written: no package of Citus could be had there; what
-- follows is its documented interface. Try it on a copy, with `pingxuan audit` afterwards, before a round depends on it.
--
-- Once, as a superuser of the voting database on the coordinator, with the services stopped, after
--   SELECT citus_set_coordinator_host('coordinator', 5432);
--   SELECT citus_add_node('worker-1', 5432);   -- for each worker, with the same roles and an empty voting database
-- Both unique keys of the ledger contain the voter's key, by which rows are spread: one person stays one ballot, checked
-- by the one server that holds the person. Everything that leads back to a ballot is kept beside it.
CREATE EXTENSION IF NOT EXISTS citus;

-- Append-only triggers look at their own row alone; that is what Citus wants to be sure of.
SET citus.enable_unsafe_triggers = on;

BEGIN;
-- A foreign key between two tables is made again when both have been distributed.
ALTER TABLE ballot_events DROP CONSTRAINT ballot_events_round_number_voter_key_ballot_id_fkey;
ALTER TABLE reissue_proposals DROP CONSTRAINT reissue_proposals_round_number_voter_key_ballot_id_fkey;

-- Every server has all rounds: the inserting statement looks at their seals.
SELECT create_reference_table('rounds');

SELECT create_distributed_table('ballots', 'voter_key', shard_count => 32);
SELECT create_distributed_table('ballot_events', 'voter_key', colocate_with => 'ballots');
SELECT create_distributed_table('reissues', 'voter_key', colocate_with => 'ballots');
SELECT create_distributed_table('reissue_proposals', 'voter_key', colocate_with => 'ballots');
SELECT create_distributed_table('turnout_voters', 'voter_key', colocate_with => 'ballots');

ALTER TABLE ballot_events ADD FOREIGN KEY (round_number, voter_key, ballot_id)
    REFERENCES ballots (round_number, voter_key, ballot_id);
ALTER TABLE reissue_proposals ADD FOREIGN KEY (round_number, voter_key, ballot_id)
    REFERENCES ballots (round_number, voter_key, ballot_id);
COMMIT;
