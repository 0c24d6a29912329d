"""The closed list of this service's refusals: the same word in JSON, metric label and page."""

from services.shared.errors import ReasonWord


class Reason(ReasonWord):
    """Why scoring said no."""

    UNKNOWN_ROUND = "unknown_round", 404, "There is no such round"
    UNKNOWN_CANDIDATE = "unknown_candidate", 404, "There is no such candidate"
    UNKNOWN_SHEET = "unknown_sheet", 404, "There is no such score sheet"
    UNKNOWN_RANKING = "unknown_ranking", 404, "There is no such published ranking"
    STATISTICS_PENDING = "statistics_pending", 404, "The statistics are not made yet"
    NOT_ON_PANEL = "not_on_panel", 403, "You are not on this round's panel"
    WINDOW_CLOSED = "window_closed", 403, "Scoring is not open"
    ROUND_PUBLISHED = "round_published", 409, "The ranking is published"
    BAD_MARKS = "bad_marks", 422, "A mark is not allowed"
    MARKS_MISSING = "marks_missing", 422, "Marks are missing"
    REASON_MISSING = "reason_missing", 422, "A reason is required"
    SHEET_SUBMITTED = "sheet_submitted", 409, "The sheet is submitted"
    SHEET_RECUSED = "sheet_recused", 409, "A conflict of interest was declared"
    SHEET_CHANGED = "sheet_changed", 409, "The sheet was changed elsewhere"
    SHEET_OPEN = "sheet_open", 409, "A score sheet is still open"
    SCORING_OPEN = "scoring_open", 409, "Scoring is still open"
    TALLY_MISSING = "tally_missing", 409, "The votes are not sealed yet"
    LOTS_MISSING = "lots_missing", 409, "The seed of the lots is not revealed yet"
    NOT_RANKABLE = "not_rankable", 409, "The rules cannot be applied to these marks"
    SAME_PERSON = "same_person", 403, "Two different people must sign"
    STALE = "stale", 409, "The proposal is out of date"
