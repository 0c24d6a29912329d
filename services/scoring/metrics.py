"""Every metric of the scoring service; labels only from enums. None tells a mark, a vote or a candidate."""

from enum import StrEnum

from prometheus_client import Counter, Gauge

from services.shared.metrics import elected


class Progress(StrEnum):
    """How far an expert is with the sheets of a round."""

    NOT_BEGUN = "not_begun"
    WORKING = "working"
    DONE = "done"


class OfficeAct(StrEnum):
    """What the office does by itself; acts of two people count under the words of their proposals."""

    DRAW_PROMISED = "draw_promised"
    PANEL_DRAWN = "panel_drawn"
    RESERVE_CALLED = "reserve_called"
    PAPER_ISSUED = "paper_issued"
    PAPER_ENTERED = "paper_entered"
    MEETING_STARTED = "meeting_started"
    CANDIDATE_OPENED = "candidate_opened"
    MEETING_ENDED = "meeting_ended"
    PROPOSED = "proposed"
    SCAN_ARCHIVED = "scan_archived"


scoring_sheets = elected(Gauge("scoring_sheets", "Score sheets of rounds that are not published, by state.", ["state"]))
scoring_sheets_missing = elected(
    Gauge("scoring_sheets_missing", "Sheets that experts whose window has opened still owe, unpublished rounds only.")
)
scoring_experts = elected(Gauge("scoring_experts", "Experts of those rounds, by how far they are.", ["progress"]))
scoring_closes_in_seconds = elected(
    Gauge("scoring_closes_in_seconds", "Until the next open scoring window closes; 0 while none is open.")
)
scoring_sheet_acts_total = Counter("scoring_sheet_acts_total", "Acts on score sheets.", ["act"])
scoring_rankings_total = Counter("scoring_rankings_total", "Rankings computed and proposed for publication.")
scoring_publications_total = Counter("scoring_publications_total", "Rankings published.")
scoring_tallies_total = Counter("scoring_tallies_total", "Sealed tallies taken over from voting.")
scoring_office_acts_total = Counter(
    "scoring_office_acts_total", "Acts of the office on panels, meetings, paper sheets and proposals.", ["act"]
)
