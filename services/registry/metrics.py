"""Every metric of the registry beside those of `shared/metrics.py`; labels come from enums only."""

from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram

from services.shared.metrics import elected


class Loading(StrEnum):
    """What became of a round that was to be loaded, beside the words of refusals."""

    FROZEN = "frozen"
    KNOWN = "known"


class Due(StrEnum):
    """When a review is to be done."""

    OVERDUE = "overdue"
    WITHIN_ONE_DAY = "within_one_day"


sign_ins_total = Counter("registry_sign_ins_total", "Tries to sign in, by outcome.", ["outcome"])
password_hash_seconds = Histogram(
    "registry_password_hash_seconds",
    "Time of one password check, waiting for its turn included.",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
rounds_loaded_total = Counter("registry_rounds_loaded_total", "Rounds that were to be loaded, by outcome.", ["outcome"])
lists_made_total = Counter("registry_lists_made_total", "List versions made from published rankings.")
rankings_refused_total = Counter(
    "registry_rankings_refused_total", "Published rankings that fit no round or other rules, and made no list."
)
attachments_bytes_total = Counter(
    "registry_attachments_bytes_total", "Bytes of files handed in, by purpose.", ["purpose"]
)
attachments_refused_total = Counter(
    "registry_attachments_refused_total", "Files that were not taken, by the word of the refusal.", ["reason"]
)
applications = elected(Gauge("registry_applications", "Applications of announced calls, by stage.", ["stage"]))
project_bookings_total = Counter("registry_project_bookings_total", "Bookings of projects, by kind.", ["kind"])
vouchers_used_twice_total = Counter("registry_vouchers_used_twice_total", "Bookings refused as their voucher was used.")
projects_overdue = elected(
    Gauge(
        "registry_projects_overdue",
        "What of projects waits too long: inspections, findings, acceptances, over-spends.",
        ["what"],
    )
)
objections = elected(Gauge("registry_objections", "Objections, by state.", ["state"]))
objections_overdue = elected(
    Gauge("registry_objections_overdue", "Objections that were to be answered by today and are not.")
)
reviews_due = elected(
    Gauge("registry_reviews_due", "Preliminary reviews that are overdue, or due within one working day.", ["when"])
)
