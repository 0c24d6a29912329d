"""Every metric of the voting service; labels only from enums. Nothing here tells a candidate's count."""

from prometheus_client import Counter, Gauge, Histogram

ballot_decisions_total = Counter(
    "ballot_decisions_total", "Ballot requests answered, by decision: recorded, repeated or the refusal's word.",
    ["decision"],
)  # fmt: skip
ballot_seconds = Histogram(
    "ballot_seconds",
    "Time from a ballot's head to its answer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
ballots_in_flight = Gauge("ballots_in_flight", "Ballot requests being answered now.")
ballot_queue_length = Gauge("ballot_queue_length", "Ballots waiting for a batch.")
batch_ballots = Histogram("batch_ballots", "Ballots in a batch.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512))
ledger_seconds = Histogram(
    "ledger_seconds",
    "Time of one batch in PostgreSQL, commit included.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
ledger_retries_total = Counter("ledger_retries_total", "Batches run again because their outcome was unknown.")
turnstile_breaker_total = Counter("turnstile_breaker_total", "How often Valkey failed or was late for a batch.")
turnstile_local_total = Counter("turnstile_local_total", "Ballots decided by in-process limits while Valkey was away.")
turnstile_available = Gauge("turnstile_available", "Workers for which Valkey answers in time.")
codes_total = Counter("codes_total", "Codes asked for, by outcome: sent or the refusal's word.", ["outcome"])
sessions_total = Counter("sessions_total", "Sign-ins, by outcome: signed_in or the refusal's word.", ["outcome"])
codes_harder_total = Counter("codes_harder_total", "Requests for a code that were asked for more work.")
code_deliveries_total = Counter(
    "code_deliveries_total", "Codes handed to a provider, by outcome: accepted or the failure's word.",
    ["provider", "outcome"],
)  # fmt: skip
delivery_reports_total = Counter(
    "delivery_reports_total", "Delivery reports taken up: each told something new.", ["provider"]
)
identity_verifications_total = Counter(
    "identity_verifications_total", "IDs verified, by the provider's verdict.", ["verdict"]
)
challenges_total = Counter("challenges_total", "Challenges handed out.")
held_ballots = Gauge("held_ballots", "Ballots held and not yet decided, over all open rounds.")
ballots_counted_total = Counter("ballots_counted_total", "Ledger rows taken up by the tally follower.")
clock_offset_seconds = Gauge("clock_offset_seconds", "This worker's clock against PostgreSQL's.")
extensions_total = Counter("extensions_total", "Voting windows extended by the outage rule, by this process.")
sealed_rounds_total = Counter("sealed_rounds_total", "Tallies sealed by this process.")
