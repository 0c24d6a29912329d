"""The closed list of this service's refusals: one word in Lua, Python, JSON, metric label and page."""

from services.shared.errors import ReasonWord


class Reason(ReasonWord):
    """Word, HTTP status, headline; the order of the ballot's words is their precedence."""

    OVERLOADED = "overloaded", 503, "Too many people at once"
    BAD_TOKEN = "bad_token", 401, "Sign in first"
    BALLOT_ID_REUSED = "ballot_id_reused", 409, "This ballot id was used for other choices"
    WINDOW_CLOSED = "window_closed", 403, "Voting is not open"
    BAD_BALLOT = "bad_ballot", 422, "The ballot does not follow the rules"
    ALREADY_VOTED = "already_voted", 409, "This person has already voted"
    CHALLENGE_REQUIRED = "challenge_required", 428, "Please repeat with a solved challenge"
    TOO_MANY_ATTEMPTS = "too_many_attempts", 429, "Too many attempts"

    UNKNOWN_ROUND = "unknown_round", 404, "No such round"
    BAD_PHONE = "bad_phone", 422, "Not a mobile phone number"
    CHALLENGE_FAILED = "challenge_failed", 403, "The challenge was not solved"
    TOO_MANY_CODES = "too_many_codes", 429, "A code was sent a moment ago"
    CODES_PAUSED = "codes_paused", 503, "No codes can be sent at the moment"
    WRONG_CODE = "wrong_code", 403, "The code is wrong"
    CODE_EXPIRED = "code_expired", 403, "The code has expired"
    BAD_NATIONAL_ID = "bad_national_id", 422, "Not a national ID number"
    CONSENT_MISSING = "consent_missing", 422, "Consent to the privacy notice is missing"
    IDENTITY_CONFLICT = "identity_conflict", 409, "Phone and ID belong to different people"
    NO_BALLOT = "no_ballot", 404, "No ballot recorded"
    NO_LONGER_SHOWN = "no_longer_shown", 410, "The choices are no longer shown"
    UNKNOWN_RECEIPT = "unknown_receipt", 404, "No such receipt"
    BAD_FORM = "bad_form", 422, "The request does not have the expected form"

    NOT_PUBLISHED = "not_published", 404, "Nothing is published yet"
    WINDOW_OPEN = "window_open", 409, "Voting has not ended"
    GRACE_RUNNING = "grace_running", 409, "Ballots received in time may still be committed"
    HOLDS_OPEN = "holds_open", 409, "Held ballots are undecided"
    ALREADY_SEALED = "already_sealed", 409, "The tally is sealed"
    NOT_SEALED = "not_sealed", 409, "The tally is not sealed yet"
    UNKNOWN_HOLD = "unknown_hold", 404, "No such hold"
    BAD_HOLD = "bad_hold", 422, "The hold cannot be made"
    BAD_TRANSITION = "bad_transition", 409, "Not possible in this state"
    SAME_PERSON = "same_person", 403, "A second person is needed"
    CONFLICT_OF_INTEREST = "conflict_of_interest", 403, "This concerns your own unit or channel"
    IDENTITY_FORGOTTEN = "identity_forgotten", 409, "The identity key of this round was destroyed"
