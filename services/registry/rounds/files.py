"""A round's files → one checked draft of a round, or every mistake in them. Nothing is stored here.

Pure: texts in, `Draft` or problems out. Called by `freezing.py`.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

import msgspec

from services.registry.rounds.applications import Application, parse_application
from services.registry.rounds.companions import (
    Channel,
    Exemption,
    parse_channels,
    parse_criteria,
    parse_exemptions,
    parse_experts,
    parse_reveal,
)
from services.registry.rounds.reading import Problem, problem_of
from services.shared.messages import CriterionText
from services.shared.ranking.advice import Advice
from services.shared.ranking.candidates import Candidate, parse_candidates
from services.shared.ranking.errors import InputError, shown
from services.shared.ranking.model import Rules
from services.shared.ranking.rules import parse_rules, warnings

COMPANIONS = ("candidates.csv", "channels.toml", "criteria.toml", "experts.toml", "exemptions.toml", "reveal.toml")
SECRET_FILES = frozenset({"reveal.toml"})
CANDIDATES_MAX = 10_000
_APPLICATION = re.compile(r"applications/[^/\x00-\x1f]{1,100}\.toml")
# Pages of a result beside which a candidate's own page stands, as /results/{round}/{candidate}.
RESERVED_CANDIDATES = frozenset({"exclusions", "statistics", "units", "versions"})
_COMPARED = ("title", "unit", "channel", "category", "level")


class Draft(msgspec.Struct, frozen=True):
    """Everything a round is made of, checked; `rules_text` is what will be frozen."""

    rules: Rules
    rules_text: str
    candidates: list[Candidate]
    applications: dict[str, Application]
    channels: dict[str, Channel]
    criteria: list[CriterionText]
    experts: list[str]
    lots_seed: str
    warnings: list[str]

    def summary_of(self, candidate: str) -> str:
        application = self.applications.get(candidate)
        return application.summary if application else ""


def read_draft(
    files: Mapping[str, str], rules_text: str, *, with_candidates: bool = True
) -> tuple[Draft | None, list[Problem]]:
    """The draft, or None and what is wrong; `rules_text` takes the place of rules.toml.

    A call is read by the same checks before it has candidates.
    """
    problems: list[Problem] = []
    _check_names(files, problems)
    rules = _read_rules(rules_text, problems) if "rules.toml" in files else None
    channels = parse_channels(files["channels.toml"], problems) if "channels.toml" in files else []
    criteria = parse_criteria(files["criteria.toml"], rules, problems) if "criteria.toml" in files else []
    experts = parse_experts(files["experts.toml"], problems) if "experts.toml" in files else []
    exemptions = parse_exemptions(files["exemptions.toml"], problems) if "exemptions.toml" in files else []
    seed = parse_reveal(files["reveal.toml"], rules, problems) if "reveal.toml" in files else ""
    applications = _read_applications(files, problems)
    candidates = _read_candidates(files, applications, problems) if with_candidates else []
    by_channel = {channel.channel: channel for channel in channels}
    if by_channel:
        _check_channels(candidates, by_channel, applications, problems)
    if rules is not None:
        _check_quotas(rules, candidates, by_channel, exemptions, problems)
        _check_with_rules(rules, candidates, problems)
    if problems or rules is None:
        return None, sorted(problems)
    by_id = {application.candidate: application for application in applications.values()}
    advice = [*warnings(rules), *_advice(rules, files)]
    return Draft(rules, rules_text, candidates, by_id, by_channel, criteria, experts, seed, advice), []


def _check_names(files: Mapping[str, str], problems: list[Problem]) -> None:
    if "rules.toml" not in files:
        problems.append(Problem("rules.toml", 0, "is missing; a round needs its rules"))
    for name in files:
        if name != "rules.toml" and name not in COMPANIONS and not _APPLICATION.fullmatch(name):
            known = ", ".join(("rules.toml", *COMPANIONS, "applications/*.toml"))
            problems.append(Problem(name[:120], 0, f"is no file of a round; use any of: {known}"))


def _read_rules(text: str, problems: list[Problem]) -> Rules | None:
    try:
        return parse_rules(text.encode(), "rules.toml")
    except InputError as error:
        problems.append(problem_of(error))
        return None


def _read_applications(files: Mapping[str, str], problems: list[Problem]) -> dict[str, Application]:
    """Applications by file name."""
    found: dict[str, Application] = {}
    seen: dict[str, str] = {}
    for name in sorted(name for name in files if _APPLICATION.fullmatch(name)):
        application = parse_application(files[name], name, problems)
        if application is None:
            continue
        other = seen.setdefault(application.candidate, name)
        if application.candidate and other != name:
            problems.append(Problem(name, 1, f"candidate {shown(application.candidate)} is in {other} too; rename one"))
        elif application.candidate and PurePosixPath(name).stem != application.candidate:
            problems.append(Problem(name, 1, f"holds candidate {shown(application.candidate)}; name the file after it"))
        found[name] = application
    return found


def _read_candidates(
    files: Mapping[str, str], applications: Mapping[str, Application], problems: list[Problem]
) -> list[Candidate]:
    """Candidates from candidates.csv or the applications; where both are given, they must agree."""
    made = [as_candidate(application) for application in applications.values()]
    if "candidates.csv" in files:
        try:
            listed = list(parse_candidates(files["candidates.csv"].encode(), "candidates.csv"))
        except InputError as error:
            problems.append(problem_of(error))
            return made
        if made:
            _compare(listed, made, problems)
    elif made:
        listed = made
    else:
        if not any(_APPLICATION.fullmatch(name) for name in files):
            problems.append(Problem("candidates.csv", 0, "is missing, and there are no applications/*.toml; give one"))
        return []
    reserved = sorted(RESERVED_CANDIDATES & {each.candidate for each in listed})
    problems += [
        Problem("candidates.csv", 0, f"candidate {shown(each)} is the name of a page; rename it") for each in reserved
    ]
    if len(listed) > CANDIDATES_MAX:
        problems.append(Problem("candidates.csv", 0, f"has {len(listed)} candidates; at most {CANDIDATES_MAX} fit"))
    return listed


def as_candidate(application: Application) -> Candidate:
    return Candidate(
        application.candidate, application.title, application.lead.name,
        application.channel, application.category, application.level,
    )  # fmt: skip


def _compare(listed: list[Candidate], made: list[Candidate], problems: list[Problem]) -> None:
    in_list = {each.candidate: each for each in listed}
    in_files = {each.candidate: each for each in made}
    for candidate in sorted(in_list.keys() ^ in_files.keys()):
        where = "candidates.csv" if candidate in in_list else "applications"
        problems.append(Problem("candidates.csv", 0, f"{shown(candidate)} is only in {where}; add or remove it"))
    for candidate in sorted(in_list.keys() & in_files.keys()):
        for key in _COMPARED:
            theirs, ours = getattr(in_list[candidate], key), getattr(in_files[candidate], key)
            if theirs != ours:
                reason = f"{key} of {shown(candidate)} is {shown(theirs)}, its application says {shown(ours)}"
                problems.append(Problem("candidates.csv", 0, f"{reason}; make them agree"))


def _check_channels(
    candidates: list[Candidate],
    channels: Mapping[str, Channel],
    applications: Mapping[str, Application],
    problems: list[Problem],
) -> None:
    file_of = {application.candidate: name for name, application in applications.items()}
    for each in candidates:
        if each.channel not in channels:
            reason = f"channel {shown(each.channel)} of {shown(each.candidate)} is not in channels.toml; correct it"
            problems.append(Problem(file_of.get(each.candidate, "candidates.csv"), 0, reason))


def _check_quotas(
    rules: Rules,
    candidates: list[Candidate],
    channels: Mapping[str, Channel],
    exemptions: list[Exemption],
    problems: list[Problem],
) -> None:
    """Nobody recommends beyond quota and named exemptions."""
    exempt: Counter[str] = Counter()
    for each in exemptions:
        channel = channels.get(each.channel)
        exempt[each.unit or (channel.name if channel else each.channel)] += each.places
    for (kind, who), count in sorted(_recommendations(candidates, channels).items()):
        quota = rules.quotas.get(kind)
        if quota is not None and count > quota + exempt[who]:
            reason = f"{shown(who)} recommends {count}, the quota of a {kind} is {quota}; take some back or exempt it"
            problems.append(Problem("rules.toml", 0, reason))


def _check_with_rules(rules: Rules, candidates: list[Candidate], problems: list[Problem]) -> None:
    standing = [each for each in candidates if each.withdrawn_at is None]
    if candidates and rules.ballot.choices_min > len(standing):
        reason = f"choices_min is {rules.ballot.choices_min}, but only {len(standing)} candidates stand; lower it"
        problems.append(Problem("rules.toml", 0, reason))
    if candidates and rules.ballot.channels_min > len({each.channel for each in standing}):
        reason = f"channels_min is {rules.ballot.channels_min}, but the candidates have fewer channels; lower it"
        problems.append(Problem("rules.toml", 0, reason))


def _recommendations(candidates: list[Candidate], channels: Mapping[str, Channel]) -> Counter[tuple[str, str]]:
    """Candidates per (channel kind, who recommends): the channel, but a municipal unit applies by itself."""
    counted: Counter[tuple[str, str]] = Counter()
    for each in candidates:
        if channel := channels.get(each.channel):
            counted[channel.kind, each.unit if channel.kind == "municipal_unit" else channel.name] += 1
    return counted


def _advice(rules: Rules, files: Mapping[str, str]) -> list[str]:
    """What is allowed and probably not meant."""
    advice = []
    if "lots" in rules.combination.tie_break and rules.combination.lots_commitment and "reveal.toml" not in files:
        advice.append(Advice.SEED_NOT_HERE.english)
    if rules.combination.experts and "experts.toml" not in files:
        advice.append(Advice.EVERY_EXPERT.english)
    return advice
