"""The closed list of refusals the registry may answer, beside those of every service (`shared/errors.py`)."""

from services.shared.errors import ReasonWord


class RegistryReason(ReasonWord):
    """One word per refusal: the same in code, JSON, metric label and page."""

    WRONG_CREDENTIALS = "wrong_credentials", 401, "Wrong username or password"
    TOO_MANY_ATTEMPTS = "too_many_attempts", 429, "Too many attempts"
    SESSION_ENDED = "session_ended", 401, "The session has ended"
    CROSS_SITE = "cross_site", 403, "Not from another site"
    BAD_STAFF = "bad_staff", 422, "The account cannot be made like this"
    STAFF_EXISTS = "staff_exists", 409, "The username is taken"
    UNKNOWN_STAFF = "unknown_staff", 404, "No such account"
    BUILT_IN = "built_in", 409, "A built-in account"
    BAD_ROUND = "bad_round", 422, "The round's files have mistakes"
    TOO_LATE = "too_late", 409, "Too late to freeze this round"
    ROUND_EXISTS = "round_exists", 409, "The round exists with other content"
    UNKNOWN_ROUND = "unknown_round", 404, "No such round"
    UNKNOWN_CANDIDATE = "unknown_candidate", 404, "No such candidate"
    NOT_OPEN = "not_open", 409, "Voting has not opened"
    ALREADY_CLOSED = "already_closed", 409, "Voting is closed already"
    REASON_MISSING = "reason_missing", 422, "A reason is needed"
    UNKNOWN_NOTICE = "unknown_notice", 404, "No notice yet"
