"""`rules.toml`: every value read, neutral defaults, and each mistake told with file, line and what to do."""

import hashlib
import re
from datetime import datetime
from fractions import Fraction

import pytest

from services.shared.ranking.advice import Advice, Warned, advice_in
from services.shared.ranking.errors import InputError
from services.shared.ranking.rules import needs_expert_identity, nominal_weights, parse_rules, warnings
from tests.unit.ranking.builders import ONE_CRITERION, rules_of
from tests.unit.ranking.rules_text import FULL, line_of


def test_every_key_is_read() -> None:
    rules = parse_rules(FULL.encode())
    assert rules.round.id == "lakeside-2030"
    assert rules.round.timezone == "Asia/Shanghai"
    assert rules.windows.voting is not None
    assert rules.windows.voting.opens == datetime.fromisoformat("2030-05-06T09:00:00+08:00")
    assert (rules.windows.review_working_days, rules.windows.commit_grace_s) == (4, 20)
    assert rules.quotas == {"district": 4, "municipal_unit": 1}
    assert (rules.ballot.choices_min, rules.ballot.choices_max, rules.ballot.per) == (2, 6, "day")
    assert rules.outage is not None
    assert rules.outage.success_below == Fraction(9, 10)
    assert rules.groups.by == ("level", "category")
    assert [criterion.minimum for criterion in rules.criteria] == [0, -10]
    assert rules.experts.points == (Fraction(5), Fraction(5, 2))
    assert (rules.votes.cap, rules.votes.ties) == (Fraction(1, 4), "best")
    assert rules.combination.lots_commitment.startswith("ab12")
    assert rules.selection is not None
    assert (rules.selection.places["major;other"], rules.selection.floor) == (3, Fraction("60.5"))
    assert rules.publication.ranking == "selected"
    assert rules.digest == hashlib.sha256(FULL.encode()).hexdigest()


def test_what_is_left_out_is_neutral() -> None:
    rules = rules_of()
    assert (rules.round.title, rules.round.timezone, rules.groups.by, rules.criteria) == ("", "", (), ())
    windows, ballot, experts, votes = rules.windows, rules.ballot, rules.experts, rules.votes
    assert (windows.application, windows.recommendation, windows.voting, windows.scoring) == (None,) * 4
    days = (windows.review_working_days, windows.appeal_working_days, windows.objection_working_days)
    assert (*days, windows.commit_grace_s, windows.hold_decision_working_days) == (5, 3, 5, 30, 3)
    assert (ballot.choices_min, ballot.choices_max, ballot.persons_per_phone) == (1, 1, 1)
    assert (ballot.group_max, ballot.channels_min, ballot.held_shown_after_h) == (0, 0, 0)
    assert (ballot.per, ballot.identity, ballot.stratum) == ("round", "phone", "none")
    assert (rules.quotas, rules.outage, rules.selection) == ({}, None, None)
    assert (experts.adjust, experts.aggregate, experts.order, experts.fallback) == (
        "none",
        "mean",
        "criterion_first",
        "mean",
    )
    assert (experts.trim_low, experts.trim_high, experts.panel_min, experts.marks_min) == (0, 0, 1, 15)
    assert experts.ridge == 1
    assert (experts.aggregate_decimals, experts.component_decimals, experts.points) == (None, None, ())
    assert (votes.transform, votes.per, votes.cap, votes.points, votes.ties) == ("raw", "all", None, (), "average")
    combination, publication = rules.combination, rules.publication
    assert combination.votes == combination.experts == 0
    assert combination.experts_transform == "none"
    assert (votes.decimals, combination.decimals, combination.experts_decimals) == (None,) * 3
    assert (combination.rounding, combination.tie_break, combination.lots_commitment) == ("half_up", (), "")
    assert (publication.ranking, publication.ballots, publication.small_group_min) == ("all", "totals", 0)


def test_what_a_criterion_or_a_selection_leaves_out_is_neutral() -> None:
    rules = rules_of('[[criteria]]\nid = "idea"', "[selection]")
    (criterion,) = rules.criteria
    assert criterion.weight == criterion.minimum == criterion.step == 0
    assert criterion.maximum is None
    assert rules.selection is not None
    assert (rules.selection.places, rules.selection.reserve, rules.selection.floor) == ({}, 0, None)
    assert rules.selection.tie_at_cut == "exclude"


def test_a_byte_order_mark_and_crlf_are_accepted_and_part_of_the_digest() -> None:
    data = b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode()
    rules = parse_rules(data)
    assert rules.round.title == "滨湖区评选"
    assert rules.digest == hashlib.sha256(data).hexdigest()


MISTAKES = [
    ("schema = 1", "schema = 2", "schema must be 1"),
    ("schema = 1", 'schema = "1"', "schema must be a whole number"),
    ("schema = 1", "schema = true", "schema must be a whole number"),
    ('id = "lakeside-2030"', 'id = "Lakeside"', "lowercase letters, digits or -"),
    ('id = "lakeside-2030"', 'id = "' + "a" * 65 + '"', "must be 1 to 64"),
    ('title = "滨湖区评选"', "title = 5", "title must be a text"),
    ('title = "滨湖区评选"', 'title = "a\\nb"', "control character"),
    ('timezone = "Asia/Shanghai"', 'timezone = "Asia/Kunming"', 'timezone "Asia/Kunming" is unknown'),
    ('timezone = "Asia/Shanghai"', 'timezone = "../../etc/passwd"', "is unknown"),
    ('timezone = "Asia/Shanghai"', 'timezone = "Asia"', "is unknown"),
    ("closes = 2030-05-12T12:00:00+08:00", "closes = 2030-05-06T09:00:00+08:00", "closes at or before it opens"),
    ("closes = 2030-05-12T12:00:00+08:00", "closes = 2030-05-12T12:00:00", "with offset"),
    ("closes = 2030-05-12T12:00:00+08:00", 'closes = "2030-05-12"', "with offset"),
    (", closes = 2030-05-12T12:00:00+08:00", "", "closes must be a date and time"),
    ("commit_grace_s = 20", "commit_grace_s = -1", "whole number from 0"),
    ("commit_grace_s = 20", "commit_graces = 20", 'unknown key "commit_graces" in [windows]'),
    ("municipal_unit = 1", 'municipal_unit = "1"', "municipal_unit must be a whole number"),
    ("choices_min = 2", "choices_min = 7", "choices_min 7 is above choices_max 6"),
    ("choices_min = 2", "choices_min = 0", "whole number from 1"),
    ("channels_min = 2", "channels_min = 7", "no ballot is possible"),
    ('per = "day"', 'per = "week"', 'per "week" is unknown; use one of: round, day'),
    ('success_below = "0.9"', 'success_below = "1.5"', "success_below is a share"),
    ('by = ["level", "category"]', 'by = ["level", "unit"]', 'by names "unit"'),
    ('by = ["level", "category"]', 'by = ["level", "level"]', 'names "level" twice'),
    ('by = ["level", "category"]', 'by = "level"', "by must be a list"),
    ('id = "innovation"', 'id = "in novation"', "letters, digits, _ or -"),
    ('id = "effect"', 'id = "innovation"', 'criterion "innovation" is there twice'),
    ('weight = "0.4"', "weight = 0.4", 'weight must be a decimal in quotes, like "0.25", not 0.4'),
    ('weight = "0.4"', 'weight = "0,4"', 'weight must be a decimal in quotes, like "0.25", not "0,4"'),
    ('weight = "0.4"', 'weight = "-0.4"', "weight must not be below 0"),
    ('weight = "0.4"', 'weigth = "0.4"', 'unknown key "weigth" in [criteria] number 1'),
    ('max = "10"', 'max = "-10"', "max is not above min"),
    ('step = "0.5"', 'step = "-1"', "step must not be below 0"),
    ('adjust = "additive"', 'adjust = "zscore"', "none, z_score, additive"),
    ("panel_min = 5", "panel_min = 2", "panel_min 2 must be above trim_low + trim_high = 2"),
    ("aggregate_decimals = 2", 'aggregate_decimals = "2"', 'or "" for unrounded'),
    ("aggregate_decimals = 2", "aggregate_decimals = 21", "whole number from 0 to 20"),
    ('points = [5, "2.5"]', "points = [5, 2.5]", "points must be a decimal in quotes"),
    ('points = [5, "2.5"]', "points = [5, -1]", "points below 0"),
    ('ridge = "0.5"', 'ridge = "0"', "ridge must be above 0"),
    ("points = [3, 2, 1]", "points = []", "rank_points needs points"),
    ('cap = "0.25"', 'cap = "1.25"', "cap is a share above 0 and at most 1"),
    ('cap = "0.25"', 'cap = "0"', "cap is a share above 0"),
    ('"criterion:effect", ', '"criterion:merit", ', 'tie_break names "criterion:merit"'),
    ('lots_commitment = "AB12', 'lots_commitment = "12', "64 hex digits"),
    ('floor = "60.5"', "floor = 60.5", "floor must be a decimal in quotes"),
    ('tie_at_cut = "include"', "tie_at_cut = 1", "tie_at_cut 1 is unknown"),
    ("reserve = 2", "reserve = 2.0", "reserve must be a whole number"),
    ("small_group_min = 20", "small_group = 20", 'unknown key "small_group" in [publication]'),
    ('stratum = "phone_region"', 'stratum = "declared"', 'use per = "all"'),
    ("[publication]", "[publications]", 'unknown table "publications"; remove it or use one of: schema'),
    ("small_group_min = 20", "small_group_min = = 20", "is not valid TOML"),
    ("small_group_min = 20", 'small_group_min = 20\nranking = "all"', "is not valid TOML"),
]


@pytest.mark.parametrize(("right", "wrong", "reason"), MISTAKES)
def test_a_mistake_is_told_with_its_line(right: str, wrong: str, reason: str) -> None:
    assert right in FULL
    text = FULL.replace(right, wrong)
    with pytest.raises(InputError) as refused:
        parse_rules(text.encode(), "my/rules.toml")
    assert refused.value.file == "my/rules.toml"
    assert reason in refused.value.reason
    changed = [old != new for old, new in zip(FULL.split("\n"), text.split("\n"), strict=False)].index(True) + 1
    elsewhere = {'stratum = "declared"': line_of('per = "stratum"'), "ranking": line_of("ranking =") + 3}
    expected = next((line for key, line in elsewhere.items() if wrong.find(key) >= 0), changed)
    assert refused.value.line == expected


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "schema = 1 is missing"),
        ("schema = 1\n[combination]\n", 1, "[round] is missing"),
        ('schema = 1\n[round]\nid = "x"\n', 1, "[combination] is missing"),
        ("schema = 1\n\n[round]\n[combination]\n", 3, "[round] has no id"),
        ("schema = 1\nround = 5\n[combination]\n", 2, "round must be a table"),
        ('schema = 1\ncriteria = 5\n[round]\nid = "x"\n[combination]\n', 2, "criteria must be tables"),
        ('schema = 1\n[round]\nid = "x"\n[combination]\n[publication]\nranking = "selected"', 6, "needs a [selection]"),
        ('schema = 1\n[round]\nid = "x"\n[combination]\n[experts]\ntrim_low = 1', 6, "panel_min 1 must be above"),
        ('schema = 1\n[round]\nid = "x"\n[combination]\n[votes]\ntransform = "rank_points"', 5, "needs points"),
        ('schema = 1\n[round]\nid = "x"\n[combination]\n[ballot]\nchoices_max = 2\nchoices_min = 3', 7, "above"),
        ('schema = 1\ntitle = """\nunclosed', 3, "is not valid TOML"),
        ("schema = " + "[" * 5000, 1, "is not valid TOML"),
        ("schema = " + "1" * 5000, 1, "is not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_rules(text: str, line: int, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_rules(text.encode())
    assert (refused.value.line, reason in refused.value.reason) == (line, True), str(refused.value)


def test_a_machine_without_time_zone_data_takes_any_name_of_the_right_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    text = FULL.replace("Asia/Shanghai", "Asia/Nowhere")
    assert parse_rules(text.encode()).round.timezone == "Asia/Nowhere"


def test_bytes_that_are_not_utf_8_are_told_with_their_line() -> None:
    with pytest.raises(InputError, match=r"^rules.toml:3: is not UTF-8; save it as UTF-8$"):
        parse_rules(b'schema = 1\n[round]\ntitle = "\xc0\xa5"\n')


def test_an_enormous_file_is_refused_unread() -> None:
    with pytest.raises(InputError, match="larger than 1048576 bytes"):
        parse_rules(b"#" * 1_048_577)


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (['[combination]\nvotes = "0.3"\nexperts = "0.6"'], "the weights of [combination] add up to 0.9, not 1"),
        (['[[criteria]]\nid = "a"\nweight = "0.9"'], "the weights of the criteria add up to 0.9, not 1"),
        (['[combination]\nexperts = "1"'], "experts count and there are no criteria"),
        (['[votes]\nper = "stratum"'], "votes are transformed per stratum and ballots have none"),
        (['[votes]\ntransform = "t_score"', '[combination]\nvotes = "1"'], "t_score lets bought votes squeeze"),
        (['[ballot]\nidentity = "phone_and_id"'], "identity verification provider"),
        (["[ballot]\npersons_per_phone = 2"], "persons_per_phone above 1 has no effect"),
        (["[experts]\ntrim_low = 1\npanel_min = 2"], "no effect with aggregate = mean"),
        (['[experts]\naggregate = "trimmed_mean"'], "it equals mean"),
        (['[experts]\norder = "sheet_first"', '[combination]\ntie_break = ["criteria"]'], "separates nobody"),
        (['[combination]\ntie_break = ["lots"]'], "nobody can check the seed"),
        ([f'[combination]\nlots_commitment = "{"0" * 64}"'], "lots are not in tie_break"),
        (['[combination]\nvotes = "1"'], "votes count and there is no voting window"),
        ([ONE_CRITERION, '[combination]\nexperts = "1"'], "experts count and there is no scoring window"),
    ],
)
def test_what_is_likely_a_mistake_is_warned_of(sections: list[str], sentence: str) -> None:
    assert any(sentence in warning for warning in warnings(rules_of(*sections)))


def test_a_transform_that_weighs_nothing_is_not_warned_of() -> None:
    found = warnings(rules_of('[votes]\ntransform = "t_score"', ONE_CRITERION, '[combination]\nexperts = "1"'))
    assert found == ["experts count and there is no scoring window"]


@pytest.mark.parametrize("advice", Advice)
def test_every_warning_is_told_in_chinese_with_its_values(advice: Advice) -> None:
    """Also a warning that was stored as a sentence; what is not of the catalogue stays as it is."""
    names = re.findall(r"\{(\w+)\}", advice.english)
    assert sorted(names) == sorted(re.findall(r"\{(\w+)\}", advice.chinese))
    values = {name: f"0.9, criterion:{name} (or)" for name in names}
    sentence = Warned(advice, values).english
    assert advice_in(sentence, "zh") == advice.chinese.format(**values)
    assert advice_in(sentence, "en") == sentence
    assert advice_in(f"is {sentence}", "zh") == f"is {sentence}"


def test_sound_rules_have_no_warnings() -> None:
    text = FULL.replace('identity = "phone_and_id"', 'identity = "phone"').replace("persons_per_phone = 2\n", "")
    assert warnings(parse_rules(text.encode())) == []


def test_voting_before_applications_close_is_warned_of() -> None:
    text = FULL.replace("closes = 2030-04-01", "closes = 2030-06-01")
    assert "voting opens before applications close" in warnings(parse_rules(text.encode()))


def test_nominal_weights_split_the_experts_by_criterion() -> None:
    # criteria 1 and 3 of 4 parts of 0.6
    rules = rules_of(
        '[[criteria]]\nid = "a"\nweight = "1"\n[[criteria]]\nid = "b"\nweight = "3"',
        '[combination]\nvotes = "0.4"\nexperts = "0.6"',
    )
    assert nominal_weights(rules) == {
        "votes": Fraction("0.4"),
        "experts": Fraction("0.6"),
        "criterion:a": Fraction("0.15"),
        "criterion:b": Fraction("0.45"),
    }


@pytest.mark.parametrize(
    ("experts", "needed"),
    [
        ("", False),
        ('adjust = "z_score"', True),
        ('aggregate = "rank_points"\npoints = [1]', True),
        ('order = "sheet_first"', True),
    ],
)
def test_which_methods_need_to_know_one_expert_across_candidates(experts: str, needed: bool) -> None:
    assert needs_expert_identity(rules_of(f"[experts]\n{experts}")) is needed
