"""Loading a round: check everything, then freeze it in one transaction; and closing it early.

Invariant: a round is frozen before its voting opens, and never twice with different content. Called by `api.py`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.registry import metrics
from services.registry.reasons import RegistryReason
from services.registry.rounds import lots, opening, store
from services.registry.rounds.files import Draft, read_draft
from services.registry.rounds.reading import Problem, problem_of
from services.registry.rounds.views import Round
from services.registry.settings import RegistrySettings
from services.shared.errors import Refusal
from services.shared.messages import Message, TallyMessage
from services.shared.postgres import Connection, Pool, transaction
from services.shared.ranking.errors import InputError
from services.shared.ranking.rules import parse_rules
from services.shared.ranking.toml_lines import TomlLines

REASON_MAX = 500
# Closing early takes effect a moment later, so that voting knows it before it holds: no ballot that was received and
# acknowledged meanwhile may turn out to have come too late.
CLOSE_NOTICE = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a round is to be frozen: who, when, and what a call gives beside the files.

    `number_seed` is the seed a call committed itself to when it was announced; without one a new seed is drawn.
    """

    actor: str
    now: datetime
    open_for_s: int | None = None
    rehearsal: bool = False
    number_seed: str = ""


def prepare(files: Mapping[str, str], open_for_s: int | None, now: datetime) -> Draft:
    """The checked draft with its effective rules; raises Refusal `bad_round` listing every problem."""
    rules_text = files.get("rules.toml", "")
    if open_for_s is not None and "rules.toml" in files:
        try:
            zone = opening.zone_of(parse_rules(rules_text.encode(), "rules.toml"))
            rules_text = opening.open_at_once(rules_text, zone, now, open_for_s)
        except InputError:
            pass  # told with everything else below
    draft, problems = read_draft(files, rules_text)
    if draft is None:
        raise bad_round(problems)
    return draft


def bad_round(problems: list[Problem]) -> Refusal:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Refusal(
        RegistryReason.BAD_ROUND,
        f"{problems[0]}{more}",
        problems=[{"file": each.file, "line": each.line or None, "reason": each.reason} for each in problems],
    )


def check_in_time(draft: Draft, now: datetime) -> None:
    """Raises Refusal `too_late` where voting or scoring has begun: rules come first."""
    windows = (("voting", draft.rules.windows.voting), ("scoring", draft.rules.windows.scoring))
    for name, window in windows:
        if window is not None and window.opens <= now:
            raise Refusal(
                RegistryReason.TOO_LATE,
                f"The {name} window of rules.toml opened at {window.opens.isoformat()}; a round must be frozen before:"
                " move the window, or load it with --open-for 10m (open_for_s).",
            )


def check_identity(draft: Draft, provider: str) -> None:
    """Raises Refusal `bad_round` where voters' IDs were to be verified and nobody here can verify one."""
    if draft.rules.ballot.identity != "phone_and_id" or provider:
        return
    line = TomlLines(draft.rules_text).line(("ballot", "identity"))
    why = 'identity = "phone_and_id" needs an identity verification provider; configure one or use identity = "phone"'
    raise bad_round([Problem("rules.toml", line, why)])


def round_id_of(files: Mapping[str, str]) -> str:
    """The id in rules.toml; raises Refusal `bad_round`."""
    if "rules.toml" not in files:
        raise bad_round([Problem("rules.toml", 0, "is missing; a round needs its rules")])
    try:
        return parse_rules(files["rules.toml"].encode(), "rules.toml").round.id
    except InputError as error:
        _, problems = read_draft(files, files["rules.toml"])
        raise bad_round(problems or [problem_of(error)]) from None


async def known_round(connection: Connection, round_id: str, files: Mapping[str, str], wanted: Wanted) -> Round | None:
    """The round if it exists with the same files; None if there is none; raises Refusal `round_exists`."""
    known = await store.known_files(connection, round_id)
    if known is None:
        return None
    how = (known.open_for_s, known.rehearsal)
    if known.hashes != store.hashes_of(files) or how != (wanted.open_for_s, wanted.rehearsal):
        raise Refusal(
            RegistryReason.ROUND_EXISTS,
            f"Round {round_id} is frozen with other files or another --open-for; give the new one another id.",
        )
    return await store.load_round(connection, round_id)


async def load(pool: Pool, files: Mapping[str, str], wanted: Wanted, settings: RegistrySettings) -> tuple[Round, bool]:
    """(the frozen round, was it made now); the same files again give the same round."""
    round_id = round_id_of(files)
    async with transaction(pool) as connection:
        await store.lock_round(connection, round_id)
        known = await known_round(connection, round_id, files, wanted)
        if known is not None:
            metrics.rounds_loaded_total.labels(metrics.Loading.KNOWN).inc()
            return known, False
        if await store.call_exists(connection, round_id):
            raise Refusal(
                RegistryReason.ROUND_EXISTS,
                f"{round_id} is a call that is not frozen yet; freeze the call, or give the round another id.",
            )
        await freeze(connection, files, wanted, settings)
        made = await store.publish(connection, round_id)
    metrics.rounds_loaded_total.labels(metrics.Loading.FROZEN).inc()
    return made, True


async def freeze(connection: Connection, files: Mapping[str, str], wanted: Wanted, settings: RegistrySettings) -> Draft:
    """Write a round from its files in the caller's transaction, which holds the round's lock and then publishes it.

    A loaded folder and a frozen call come through here, so that they are the same thing.
    """
    draft = await asyncio.to_thread(prepare, files, wanted.open_for_s, wanted.now)
    check_in_time(draft, wanted.now)
    check_identity(draft, settings.identity_provider)
    seed = wanted.number_seed or lots.new_seed()
    numbers = lots.draw_numbers([each.candidate for each in draft.candidates], seed)
    frozen = store.Frozen(
        wanted.now, wanted.actor, settings.consent_version, seed, numbers, wanted.open_for_s, wanted.rehearsal,
        lots.commitment(seed) if wanted.number_seed else "",
    )  # fmt: skip
    await store.insert_round(connection, draft, files, frozen)
    return draft


async def close(pool: Pool, round_id: str, reason: str, actor: str, now: datetime) -> Round:
    """Close voting before its time; raises Refusal `unknown_round`, `not_open`, `already_closed`, `reason_missing`."""
    why = " ".join(reason.split())
    if not 0 < len(why) <= REASON_MAX:
        raise Refusal(RegistryReason.REASON_MISSING, f"Say in 1 to {REASON_MAX} characters why; it is published.")
    async with transaction(pool) as connection:
        await store.lock_round(connection, round_id)
        round_ = await store.require_round(connection, round_id)
        if round_.voting_opens_at is None or now < round_.voting_opens_at:
            raise Refusal(RegistryReason.NOT_OPEN, f"Voting of {round_id} has not opened; there is nothing to close.")
        ends_at = round_.voting_ends_at
        if round_.closed_early_at is not None or ends_at is None or ends_at <= now:
            at = ends_at.isoformat() if ends_at else "never"
            raise Refusal(RegistryReason.ALREADY_CLOSED, f"Voting of {round_id} closed at {at}.")
        closes_at = min(ends_at, now + CLOSE_NOTICE)
        await store.close_early(connection, round_id, closes_at)
        await store.add_event(connection, round_id, now, "closed", why, actor)
        return await store.publish(connection, round_id)


async def reveal_once(pool: Pool, now: datetime) -> int:
    """Step of the elected loop: make seeds of lots public once voting is over and nothing can extend it."""
    revealed = 0
    for kept in await store.seeds_to_reveal(pool, now):
        if not _may_be_extended(kept):
            async with transaction(pool) as connection:
                revealed += await store.reveal_seed(connection, kept.round, now)
    return revealed


def _may_be_extended(kept: store.KeptSeed) -> bool:
    """Voting decides on an extension up to seconds after the close: only its sealed tally says that none comes."""
    rules = parse_rules(kept.rules.encode())
    return rules.outage is not None and rules.windows.voting is not None and not kept.closed_early


async def apply_tally(connection: Connection, message: Message) -> None:
    """Follower of `voting.tallies`: a sealed round's voting is over for good. Its content stays unread here."""
    if not isinstance(message, TallyMessage):
        return  # what happens to ballots after the seal concerns scoring
    await store.reveal_seed(connection, message.round, message.sealed_at)
