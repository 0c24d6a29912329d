-- What happened to ballots since voting sealed the newest tally of a round: while one of the counts is not 0, nothing is
-- ranked. One row a round, the newest that voting told; it says nothing of a later version of the tally.
CREATE TABLE tally_reopenings (
    round text PRIMARY KEY,
    version int NOT NULL,
    undecided int NOT NULL CHECK (undecided >= 0),
    excluded int NOT NULL CHECK (excluded >= 0),
    restored int NOT NULL CHECK (restored >= 0)
);
GRANT SELECT, INSERT ON tally_reopenings TO "${app_role}";
GRANT UPDATE (version, undecided, excluded, restored) ON tally_reopenings TO "${app_role}";
