-- BenchBase's Voter benchmark (VoltDB's voter): its tables and its index, filled as its loader fills
-- them; with as many contestants as our round has candidates, which spares it contention on six rows.
CREATE TABLE contestants (contestant_number int NOT NULL PRIMARY KEY, contestant_name varchar(50) NOT NULL);
CREATE TABLE area_code_state (area_code smallint NOT NULL PRIMARY KEY, state varchar(2) NOT NULL);
CREATE TABLE votes (
    vote_id bigint NOT NULL,
    phone_number bigint NOT NULL,
    state varchar(2) NOT NULL,
    contestant_number int NOT NULL REFERENCES contestants (contestant_number),
    created timestamp NOT NULL
);
CREATE INDEX idx_votes_phone_number ON votes (phone_number);
INSERT INTO contestants SELECT n, 'Contestant ' || n FROM generate_series(1, 52) AS n;
INSERT INTO area_code_state SELECT 200 + n, chr(65 + n % 26) || chr(65 + n % 7) FROM generate_series(0, 303) AS n;
