"""Who reads rankings: the office everything, everybody else what is published, an observer's program under its key."""
