"""Every metric of the scoring service. None tells a mark, a vote or a candidate."""

from prometheus_client import Counter, Gauge

scoring_sheets = Gauge("scoring_sheets", "Score sheets of rounds that are not published, by state.", ["state"])
scoring_sheet_acts_total = Counter("scoring_sheet_acts_total", "Acts on score sheets.", ["act"])
scoring_rankings_total = Counter("scoring_rankings_total", "Rankings computed and proposed for publication.")
scoring_publications_total = Counter("scoring_publications_total", "Rankings published.")
scoring_tallies_total = Counter("scoring_tallies_total", "Sealed tallies taken over from voting.")
scoring_office_acts_total = Counter(
    "scoring_office_acts_total", "Acts of the office on panels, meetings, paper sheets and proposals.", ["act"]
)
