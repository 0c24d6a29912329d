"""Every metric of the voting service; labels only from enums. Nothing here tells a candidate's count."""

from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram

from services.shared.metrics import elected


class Well(StrEnum):
    """What went well, counted beside the words of refusals and failures."""

    RECORDED = "recorded"
    REPEATED = "repeated"
    SENT = "sent"
    SIGNED_IN = "signed_in"
    ACCEPTED = "accepted"


class BallotState(StrEnum):
    """Where a recorded ballot stands."""

    RECORDED = "recorded"
    HELD = "held"
    EXCLUDED = "excluded"
    RESTORED = "restored"


class TurnstileWord(StrEnum):
    """What the turnstile, or the limits that stand in for it, said of a ballot; `known` is a hint of a recorded one."""

    PASSED = "passed"
    KNOWN = "known"
    CHALLENGE_REQUIRED = "challenge_required"
    TOO_MANY_ATTEMPTS = "too_many_attempts"


class Answered(StrEnum):
    """What became of a challenge that came back."""

    SOLVED = "solved"
    REFUSED = "refused"


class Arrived(StrEnum):
    """What a delivery report tells."""

    DELIVERED = "delivered"
    FAILED = "failed"


class Span(StrEnum):
    """The two budgets of codes."""

    MINUTE = "minute"
    DAY = "day"


_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

ballot_decisions_total = Counter(
    "ballot_decisions_total", "Ballot requests answered, by decision: recorded, repeated or the refusal's word.",
    ["decision"],
)  # fmt: skip
ballot_seconds = Histogram("ballot_seconds", "Time from a ballot's head to its answer.", buckets=(*_FAST, 10, 20))
ballots_in_flight = Gauge("ballots_in_flight", "Ballot requests being answered now.")
ballot_queue_length = Gauge("ballot_queue_length", "Ballots waiting for a batch.")
ballot_queue_max = Gauge("ballot_queue_max", "Ballots that may wait for a batch; beyond it they are turned away.")
batch_ballots = Histogram("batch_ballots", "Ballots in a batch.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512))
batch_wait_seconds = Histogram(
    "batch_wait_seconds", "Time that the first ballot of a batch waited for its turn.", buckets=_FAST
)
ledger_seconds = Histogram("ledger_seconds", "Time of one batch in PostgreSQL, commit included.", buckets=_FAST)
ledger_retries_total = Counter("ledger_retries_total", "Batches run again because their outcome was unknown.")
turnstile_seconds = Histogram(
    "turnstile_seconds", "Time of one batch at Valkey, where it answered in time.",
    buckets=(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
)  # fmt: skip
turnstile_decisions_total = Counter(
    "turnstile_decisions_total", "What the turnstile, or the limits that stand in for it, said of ballots.",
    ["decision"],
)  # fmt: skip
turnstile_breaker_total = Counter("turnstile_breaker_total", "How often Valkey failed or was late for a batch.")
turnstile_local_total = Counter("turnstile_local_total", "Ballots decided by in-process limits while Valkey was away.")
turnstile_available = Gauge("turnstile_available", "Workers for which Valkey answers in time.")
codes_total = Counter("codes_total", "Codes asked for, by outcome: sent or the refusal's word.", ["outcome"])
sessions_total = Counter("sessions_total", "Sign-ins, by outcome: signed_in or the refusal's word.", ["outcome"])
codes_harder_total = Counter("codes_harder_total", "Requests for a code that were asked for more work.")
codes_spent = elected(Gauge("codes_spent", "Codes sent over everybody in the last minute and day.", ["span"]))
codes_spent_max = elected(Gauge("codes_spent_max", "The budgets: beyond them sending codes is paused.", ["span"]))
code_deliveries_total = Counter(
    "code_deliveries_total", "Codes handed to a provider, by outcome: accepted or the failure's word.",
    ["provider", "outcome"],
)  # fmt: skip
code_delivery_seconds = Histogram(
    "code_delivery_seconds", "Time until a provider answered, or was given up.", ["provider"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip
delivery_reports_total = Counter(
    "delivery_reports_total", "Delivery reports that told something new, by what they told.", ["provider", "outcome"]
)
identity_verifications_total = Counter(
    "identity_verifications_total", "IDs verified, by the provider's verdict.", ["verdict"]
)
challenges_total = Counter("challenges_total", "Challenges handed out.")
challenge_answers_total = Counter(
    "challenge_answers_total", "Challenges that came back, by whether they were solved in time.", ["outcome"]
)
voting_rounds = elected(Gauge("voting_rounds", "Rounds that go on or ended within seven days, by phase.", ["phase"]))
voting_closes_in_seconds = elected(
    Gauge("voting_closes_in_seconds", "Until the next open voting window closes; 0 while none is open.")
)
voting_turnout = elected(Gauge("voting_turnout", "Distinct voters of those rounds, by the round's phase.", ["phase"]))
voting_ballots = elected(
    Gauge("voting_ballots", "Ballots of those rounds, by the round's phase and the ballot's state.", ["phase", "state"])
)
suspected_ballots = elected(
    Gauge(
        "suspected_ballots",
        "Ballots held, and what became of them, in unsealed rounds; held ones also after a seal.",
        ["reason", "state"],
    )
)
decided_ballots = elected(
    Gauge("decided_ballots", "Held ballots of all rounds that were decided, by the decision.", ["state"])
)
ballots_counted_total = Counter("ballots_counted_total", "Ledger rows taken up by the tally follower.")
tally_lag_ballots = elected(Gauge("tally_lag_ballots", "Ledger rows that the tally follower has yet to take up."))
tally_lag_seconds = elected(Gauge("tally_lag_seconds", "Age of the oldest ledger row not taken up yet."))
extensions_total = Counter("extensions_total", "Voting windows extended by the outage rule, by this process.")
sealed_rounds_total = Counter("sealed_rounds_total", "Tallies sealed by this process.")

# A rate does not see the first event of a series that was not there before: what is alerted on begins at 0.
for _decision in (Well.RECORDED, Well.REPEATED, "overloaded", "challenge_required", "too_many_attempts", "internal"):
    ballot_decisions_total.labels(_decision)
for _word in TurnstileWord:
    turnstile_decisions_total.labels(_word)
for _outcome in (Well.SENT, "codes_paused"):
    codes_total.labels(_outcome)
for _answered in Answered:
    challenge_answers_total.labels(_answered)
