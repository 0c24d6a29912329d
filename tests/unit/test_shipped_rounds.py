"""The rounds under `deploy/rounds`: whole, valid, and each text its own.

Demonstrations, screenshots and the documents stand on these files, so a slip in one of them shows everywhere.
"""

import csv
import hashlib
import re
import tomllib
from collections import Counter
from datetime import date
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from services.registry.rounds.files import Draft, read_draft
from services.shared.ranking.rules import parse_rules

ROUNDS = Path(__file__).parents[2] / "deploy" / "rounds"
KUNMING = ROUNDS / "kunming-2021"
PILOT = ROUNDS / "kunming-2020-pilot"
SMALL = ROUNDS / "small"
WITH_APPLICATIONS = (KUNMING, PILOT)

LEVELS = {"major", "key", "general"}
CATEGORIES = {
    "party_building",
    "democratic_consultation",
    "social_collaboration",
    "culture",
    "resident_autonomy",
    "community_building",
    "mass_prevention",
    "other",
}
CRITERIA = ["innovation", "exemplarity", "practicality", "breadth", "effectiveness"]
LEAD_KINDS = {"party_government", "public_institution", "enterprise", "community", "village"}
PARTNER_KINDS = {"university", "research_institute", "social_organisation"}
SECTIONS = {"need_analysis", "work_plan", "innovation_analysis", "contingencies"}
KEYS = {
    "candidate",
    "title",
    "level",
    "category",
    "channel",
    "summary",
    "lead",
    "sections",
    "team",
    "budget",
    "targets",
}
BUDGET_CNY = {"major": (150_000, 300_000), "key": (60_000, 120_000), "general": (20_000, 50_000)}
CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
SHINGLE_LENGTH = 4
SHARED_SHINGLES_MAX = 0.2
LAST_DUE = {KUNMING: date(2021, 11, 30), PILOT: date(2020, 11, 30)}

Table = dict[str, Any]


def _load(path: Path) -> Table:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _applications(folder: Path) -> dict[str, Table]:
    """Applications by file stem, in file order."""
    return {path.stem: _load(path) for path in sorted((folder / "applications").glob("*.toml"))}


def _channels(folder: Path) -> dict[str, Table]:
    return {channel["id"]: channel for channel in _load(folder / "channels.toml")["channels"]}


def _draft(folder: Path) -> Draft:
    """The folder as `pingxuan rounds load` reads it."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    files = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    draft, problems = read_draft(files, files["rules.toml"])
    assert problems == []
    assert draft is not None
    return draft


def _is_credit_code(code: str) -> bool:
    """Whether the 18th character checks the first 17 (GB 32100-2015, weights 3^i mod 31)."""
    if len(code) != 18 or any(character not in CODE_ALPHABET for character in code):
        return False
    total = sum(CODE_ALPHABET.index(code[place]) * pow(3, place, 31) for place in range(17))
    return CODE_ALPHABET.index(code[17]) == (31 - total % 31) % 31


def _shingles(text: str) -> set[str]:
    plain = re.sub(r"\s", "", text)
    return {plain[place : place + SHINGLE_LENGTH] for place in range(len(plain) - SHINGLE_LENGTH + 1)}


def _shared(one: set[str], other: set[str]) -> float:
    """The part of the smaller set that the other has as well, 0 to 1."""
    return len(one & other) / min(len(one), len(other))


EACH_APPLICATION = [
    pytest.param(folder, stem, application, id=f"{folder.name}/{stem}")
    for folder in WITH_APPLICATIONS
    for stem, application in _applications(folder).items()
]


@pytest.mark.parametrize("folder", [KUNMING, PILOT, SMALL], ids=lambda folder: folder.name)
def test_a_shipped_round_loads(folder: Path) -> None:
    """What we ship is what a preparer copies: the loader advises nothing but to commit to a seed.

    Kunming's rules keep no commitment: a seed published in a repository would promise secrecy it has not.
    """
    draft = _draft(folder)
    assert draft.rules.round.id == folder.name
    assert [warning for warning in draft.warnings if "lots_commitment is empty" not in warning] == []


@pytest.mark.parametrize(("folder", "stem", "application"), EACH_APPLICATION)
def test_an_application_has_exactly_the_keys_of_the_format(folder: Path, stem: str, application: Table) -> None:
    assert set(application) - {"partners"} == KEYS
    assert application["candidate"] == stem
    assert re.fullmatch(r"[A-Za-z0-9-]+", stem)
    units = [application["lead"], *application.get("partners", [])]
    assert all(set(unit) == {"name", "kind", "credit_code"} for unit in units)
    assert set(application["sections"]) == SECTIONS
    assert all(set(member) == {"name", "role"} for member in application["team"])
    assert all(set(line) == {"line", "amount", "basis"} for line in application["budget"])
    assert all(set(target) == {"target", "measure", "due"} for target in application["targets"])


@pytest.mark.parametrize(("folder", "stem", "application"), EACH_APPLICATION)
def test_an_application_uses_the_closed_vocabularies(folder: Path, stem: str, application: Table) -> None:
    assert application["level"] in LEVELS
    assert application["category"] in CATEGORIES
    assert application["channel"] in _channels(folder)
    assert application["lead"]["kind"] in LEAD_KINDS
    assert {partner["kind"] for partner in application.get("partners", [])} <= PARTNER_KINDS


@pytest.mark.parametrize(("folder", "stem", "application"), EACH_APPLICATION)
def test_units_carry_valid_credit_codes_of_kunming(folder: Path, stem: str, application: Table) -> None:
    for unit in [application["lead"], *application.get("partners", [])]:
        assert _is_credit_code(unit["credit_code"]), unit["name"]
        assert unit["credit_code"][2:6] == "5301"


def test_one_changed_character_breaks_a_credit_code() -> None:
    """Guards the check above: a check that accepts everything would let any typing slip through."""
    code = _applications(KUNMING)["K01"]["lead"]["credit_code"]
    for place, character in enumerate(code):
        other = CODE_ALPHABET[(CODE_ALPHABET.index(character) + 1) % len(CODE_ALPHABET)]
        assert not _is_credit_code(code[:place] + other + code[place + 1 :])


@pytest.mark.parametrize(("folder", "stem", "application"), EACH_APPLICATION)
def test_the_texts_have_a_readable_length(folder: Path, stem: str, application: Table) -> None:
    assert 80 <= len(application["summary"]) <= 160
    lengths = {name: len(text.strip()) for name, text in application["sections"].items()}
    assert all(150 <= length <= 400 for length in lengths.values()), lengths


@pytest.mark.parametrize(("folder", "stem", "application"), EACH_APPLICATION)
def test_the_budget_is_plausible_for_the_level(folder: Path, stem: str, application: Table) -> None:
    amounts = [line["amount"] for line in application["budget"]]
    assert 3 <= len(amounts) <= 7
    assert all(re.fullmatch(r"[1-9][0-9]*\.[0-9]{2}", amount) for amount in amounts)
    low, high = BUDGET_CNY[application["level"]]
    assert low <= sum(map(Decimal, amounts)) <= high


@pytest.mark.parametrize(("folder", "stem", "application"), EACH_APPLICATION)
def test_targets_fall_due_before_acceptance(folder: Path, stem: str, application: Table) -> None:
    """Acceptance takes place in December, so every target must be checkable by then."""
    assert 2 <= len(application["targets"]) <= 4
    assert all(target["due"] <= LAST_DUE[folder] for target in application["targets"])


@pytest.mark.parametrize("folder", WITH_APPLICATIONS, ids=lambda folder: folder.name)
def test_no_channel_recommends_more_than_its_quota(folder: Path) -> None:
    """A municipal unit applies by itself, so its quota counts per unit, the others' per channel."""
    channels, quotas = _channels(folder), _load(folder / "rules.toml")["quotas"]
    recommended: Counter[tuple[str, str]] = Counter()
    for application in _applications(folder).values():
        kind = channels[application["channel"]]["kind"]
        who = application["lead"]["name"] if kind == "municipal_unit" else application["channel"]
        recommended[kind, who] += 1
    assert all(count <= quotas[kind] for (kind, _), count in recommended.items())


def test_the_kunming_round_covers_the_whole_notice() -> None:
    applications = _applications(KUNMING).values()
    assert len(applications) >= 42
    assert {each["level"] for each in applications} == LEVELS
    assert {each["category"] for each in applications} == CATEGORIES
    assert {each["lead"]["kind"] for each in applications} == LEAD_KINDS
    assert {each["channel"] for each in applications} == set(_channels(KUNMING))
    kinds = Counter(channel["kind"] for channel in _channels(KUNMING).values())
    assert kinds == {"district": 14, "zone": 5, "municipal_unit": 1}


@pytest.mark.parametrize("folder", WITH_APPLICATIONS, ids=lambda folder: folder.name)
def test_every_level_has_more_candidates_than_places(folder: Path) -> None:
    places: dict[str, int] = _load(folder / "rules.toml")["selection"]["places"]
    standing = Counter(each["level"] for each in _applications(folder).values())
    assert standing.keys() == places.keys()
    assert all(standing[level] > count for level, count in places.items())


def test_no_text_is_another_with_its_nouns_swapped() -> None:
    texts = [
        (f"{stem} {name}", _shingles(text))
        for folder in WITH_APPLICATIONS
        for stem, application in _applications(folder).items()
        for name, text in [*application["sections"].items(), ("summary", application["summary"])]
    ]
    alike = [(a, b) for (a, one), (b, other) in combinations(texts, 2) if _shared(one, other) > SHARED_SHINGLES_MAX]
    assert alike == []


def test_names_and_titles_try_what_pages_must_bear() -> None:
    """A rare character, one outside the basic plane, a ·, one-character given names, long and short titles."""
    applications = _applications(KUNMING).values()
    names = [member["name"] for each in applications for member in each["team"]]
    assert any("䶮" in name for name in names)
    assert any(ord(character) > 0xFFFF for name in names for character in name)
    assert any("·" in name for name in names)
    assert any(len(name) == 2 for name in names)
    lengths = [len(each["title"]) for each in applications]
    assert min(lengths) <= 3
    assert max(lengths) >= 60


def test_the_pilot_is_small_and_its_lots_are_committed() -> None:
    rules = parse_rules((PILOT / "rules.toml").read_bytes())
    seed = _load(PILOT / "reveal.toml")["lots_seed"]
    assert hashlib.sha256(seed.encode()).hexdigest() == rules.combination.lots_commitment
    assert len(_applications(PILOT)) == 14
    assert (rules.ballot.choices_min, rules.ballot.group_max, rules.ballot.channels_min) == (2, 3, 2)
    assert (rules.experts.panel_min, rules.windows.commit_grace_s) == (5, 3)


@pytest.mark.parametrize("folder", WITH_APPLICATIONS, ids=lambda folder: folder.name)
def test_criteria_are_described_for_the_experts(folder: Path) -> None:
    criteria = _load(folder / "criteria.toml")
    assert list(criteria) == CRITERIA
    assert [each["id"] for each in _load(folder / "rules.toml")["criteria"]] == CRITERIA
    for text in criteria.values():
        assert set(text) == {"title", "description", "anchors"}
        assert 40 <= len(text["description"]) <= 100
        heads = [anchor.split("：")[0] for anchor in text["anchors"]]
        assert heads == ["90–100", "75–89", "60–74", "60以下"]


@pytest.mark.parametrize(("folder", "count"), [(KUNMING, 9), (PILOT, 7)], ids=["kunming-2021", "kunming-2020-pilot"])
def test_the_panel_suffices_and_is_the_same_people(folder: Path, count: int) -> None:
    """Staff accounts belong to the platform, not to a round: one user name is one person everywhere."""
    experts = _load(folder / "experts.toml")["experts"]
    assert [expert["username"] for expert in experts] == [f"expert{number}" for number in range(1, count + 1)]
    assert experts == _load(KUNMING / "experts.toml")["experts"][:count]
    assert all(set(expert) == {"username", "name", "unit"} for expert in experts)


def test_the_small_round_is_the_least_that_makes_a_round() -> None:
    """Two files, six candidates, one ranking: the example that the documents print."""
    assert sorted(path.name for path in SMALL.iterdir()) == ["candidates.csv", "rules.toml"]
    with (SMALL / "candidates.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert {row["category"] for row in rows} <= CATEGORIES
    assert parse_rules((SMALL / "rules.toml").read_bytes()).groups.by == ()


def test_the_documented_examples_are_the_shipped_ones() -> None:
    """Each TOML value and CSV row that the README quotes in full stands in the file it is quoted from."""
    text = (ROUNDS / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    rules, application, channels, _, criteria, experts, _ = [tomllib.loads(example) for example in examples]
    shipped = _load(KUNMING / "applications" / "K02.toml")
    assert application["lead"] == shipped["lead"]
    assert all(application[key] == shipped[key] for key in ("candidate", "title", "level", "category", "channel"))
    assert all(application[key][0] in shipped[key] for key in ("team", "budget", "targets"))
    small = _load(SMALL / "rules.toml")
    assert all(rules[table] == small[table] for table in ("schema", "round", "windows"))
    assert channels["channels"][0] in _channels(KUNMING).values()
    assert criteria["innovation"]["description"] == _load(KUNMING / "criteria.toml")["innovation"]["description"]
    assert experts["experts"][0] in _load(KUNMING / "experts.toml")["experts"]
    for row in re.findall(r"^S\d,.*$", text, flags=re.MULTILINE):
        assert row in (SMALL / "candidates.csv").read_text(encoding="utf-8").splitlines()
