"""What a careful reader would say about valid rules: warnings, nominal weights, what publication must keep.

`Advice` is the one catalogue of warnings, in the two languages of the platform: commands, files and interfaces hold the
English sentence, pages turn it into their own language by `advice_in`, also those that a round was frozen with.
"""

import re
from enum import StrEnum
from fractions import Fraction
from functools import cache
from typing import NamedTuple, Self

from services.shared.ranking.model import Rules
from services.shared.ranking.numbers import print_number


class Advice(StrEnum):
    """`NAME = "word", "English sentence", "Chinese sentence"`; both name the same values in braces."""

    english: str
    chinese: str

    def __new__(cls, word: str, english: str, chinese: str) -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.english = english
        member.chinese = chinese
        return member

    SIDES_NOT_ONE = (
        "sides_not_one",
        "the weights of [combination] add up to {total}, not 1; they are used as given",
        "投票和专家两边的权重（[combination]）加起来是 {total}，不是 1；会按写的数使用",
    )
    CRITERIA_NOT_ONE = (
        "criteria_not_one",
        "the weights of the criteria add up to {total}, not 1; they are used as given",
        "各项评分标准的权重加起来是 {total}，不是 1；会按写的数使用",
    )
    NO_CRITERIA = (
        "no_criteria",
        "experts count and there are no criteria, so that no mark can be given",
        "专家评分计入总分，却没有评分标准，专家打不了分",
    )
    NO_STRATA = (
        "no_strata",
        'votes are transformed per stratum and ballots have none; this equals per = "all"',
        '投票按分层换算，选票却不分层；效果和不分层（per = "all"）一样',
    )
    T_SCORE_SQUEEZES = (
        "t_score_squeezes",
        "t_score lets bought votes squeeze all others together; t_score_log keeps their distances",
        "用 t_score 换算时，买来的票会把其他项目挤到一起；t_score_log 能保持它们之间的距离",
    )
    ID_NEEDS_PROVIDER = (
        "id_needs_provider",
        "phone_and_id is refused at freezing unless an identity verification provider is configured",
        "身份认定写的是手机加身份证（phone_and_id）：没有配置实名核验服务的话，冻结时会被拒绝",
    )
    SHARED_PHONE_WITHOUT_ID = (
        "shared_phone_without_id",
        'persons_per_phone above 1 has no effect without identity = "phone_and_id"',
        "persons_per_phone 大于 1，只在身份认定为手机加身份证（phone_and_id）时才起作用",
    )
    TRIM_WITHOUT_EFFECT = (
        "trim_without_effect",
        "trim_low and trim_high have no effect with aggregate = {aggregate}",
        "汇总方法是 {aggregate} 时，去掉最低分、最高分（trim_low、trim_high）不起作用",
    )
    TRIMS_NOTHING = (
        "trims_nothing",
        "trimmed_mean drops no mark; it equals mean",
        "去尾平均（trimmed_mean）一个分数也没有去掉，和平均（mean）一样",
    )
    LINK_SEPARATES_NOBODY = (
        "link_separates_nobody",
        "tie_break {links} separates nobody: whole sheets are aggregated, not criteria",
        "同分时比较 {links} 分不出先后：汇总的是整张评分表，不是单项",
    )
    LOTS_UNCHECKED = (
        "lots_unchecked",
        "lots decide ties and lots_commitment is empty, so that nobody can check the seed",
        "同分由抽签决定，抽签承诺（lots_commitment）却是空的，谁都没法核对种子",
    )
    LOTS_UNUSED = (
        "lots_unused",
        "lots_commitment is there and lots are not in tie_break",
        "写了抽签承诺（lots_commitment），同分的办法（tie_break）里却没有抽签（lots）",
    )
    NO_VOTING_WINDOW = (
        "no_voting_window",
        "votes count and there is no voting window",
        "投票计入总分，却没有写投票时间",
    )
    NO_SCORING_WINDOW = (
        "no_scoring_window",
        "experts count and there is no scoring window",
        "专家评分计入总分，却没有写评分时间",
    )
    VOTING_BEFORE_CLOSE = (
        "voting_before_close",
        "voting opens before applications close",
        "申报还没有截止，投票就开始了",
    )
    SEED_NOT_HERE = (
        "seed_not_here",
        "the rules commit to a seed of lots, but reveal.toml is not here: lots cannot break a tie",
        "规则承诺了抽签种子，这里却没有 reveal.toml：同分时没法抽签",
    )
    EVERY_EXPERT = (
        "every_expert",
        "there is no experts.toml: every account with the role expert may score",
        "没有 experts.toml：所有专家账号都可以评分",
    )


class Warned(NamedTuple):
    """A warning and the values that its sentence names."""

    advice: Advice
    values: dict[str, str]

    @property
    def english(self) -> str:
        return self.advice.english.format(**self.values)


def advice_in(sentence: str, language: str) -> str:
    """An English sentence of the catalogue in `en` or `zh`; what is not of the catalogue stays as it is."""
    if language == "en":
        return sentence
    for advice, pattern in _patterns():
        if found := pattern.fullmatch(sentence):
            return advice.chinese.format(**found.groupdict())
    return sentence


@cache
def _patterns() -> list[tuple[Advice, re.Pattern[str]]]:
    """What the sentences of the catalogue look like, whatever their values are."""
    return [(each, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(each.english)))) for each in Advice]


def warnings(rules: Rules) -> list[str]:
    """Return one sentence for each thing that is allowed and yet likely a mistake."""
    return [each.english for each in warned(rules)]


def warned(rules: Rules) -> list[Warned]:
    """The same by the words of the catalogue."""
    return [*_about_weights(rules), *_about_votes(rules), *_about_experts(rules), *_about_the_round(rules)]


def nominal_weights(rules: Rules) -> dict[str, Fraction]:
    """Return the weights as written: `votes`, `experts`, and per criterion its part of the whole.

    The key `criterion:<id>` holds experts · weight / sum of the criteria's weights (0 where that sum is 0).
    """
    combination = rules.combination
    total = sum((criterion.weight for criterion in rules.criteria), Fraction(0))
    weights = {"votes": combination.votes, "experts": combination.experts}
    for criterion in rules.criteria:
        share = criterion.weight / total if total else Fraction(0)
        weights[f"criterion:{criterion.id}"] = combination.experts * share
    return weights


def needs_expert_identity(rules: Rules) -> bool:
    """Tell whether recomputing needs to know which sheets of different candidates are one expert's."""
    experts = rules.experts
    return experts.adjust != "none" or experts.aggregate == "rank_points" or experts.order == "sheet_first"


def _about_weights(rules: Rules) -> list[Warned]:
    combination, found = rules.combination, []
    both = combination.votes + combination.experts
    if both != 1:
        found.append(_warned(Advice.SIDES_NOT_ONE, total=_plain(both)))
    criteria = sum((criterion.weight for criterion in rules.criteria), Fraction(0))
    if rules.criteria and criteria != 1:
        found.append(_warned(Advice.CRITERIA_NOT_ONE, total=_plain(criteria)))
    if combination.experts > 0 and not rules.criteria:
        found.append(_warned(Advice.NO_CRITERIA))
    return found


def _about_votes(rules: Rules) -> list[Warned]:
    found = []
    if rules.votes.per == "stratum" and rules.ballot.stratum == "none":
        found.append(_warned(Advice.NO_STRATA))
    if rules.votes.transform == "t_score" and rules.combination.votes > 0:
        found.append(_warned(Advice.T_SCORE_SQUEEZES))
    if rules.ballot.identity == "phone_and_id":
        found.append(_warned(Advice.ID_NEEDS_PROVIDER))
    elif rules.ballot.persons_per_phone > 1:
        found.append(_warned(Advice.SHARED_PHONE_WITHOUT_ID))
    return found


def _about_experts(rules: Rules) -> list[Warned]:
    experts, found = rules.experts, []
    if experts.aggregate != "trimmed_mean" and experts.trim_low + experts.trim_high > 0:
        found.append(_warned(Advice.TRIM_WITHOUT_EFFECT, aggregate=experts.aggregate))
    if experts.aggregate == "trimmed_mean" and experts.trim_low + experts.trim_high == 0:
        found.append(_warned(Advice.TRIMS_NOTHING))
    by_sheet = experts.order == "sheet_first" or experts.aggregate == "rank_points"
    links = [link for link in rules.combination.tie_break if link.startswith("criteri")]
    if by_sheet and links:
        found.append(_warned(Advice.LINK_SEPARATES_NOBODY, links=", ".join(links)))
    return found


def _about_the_round(rules: Rules) -> list[Warned]:
    found = []
    combination = rules.combination
    if "lots" in combination.tie_break and not combination.lots_commitment:
        found.append(_warned(Advice.LOTS_UNCHECKED))
    if combination.lots_commitment and "lots" not in combination.tie_break:
        found.append(_warned(Advice.LOTS_UNUSED))
    windows = rules.windows
    if windows.voting is None and combination.votes > 0:
        found.append(_warned(Advice.NO_VOTING_WINDOW))
    if windows.scoring is None and combination.experts > 0:
        found.append(_warned(Advice.NO_SCORING_WINDOW))
    if windows.application and windows.voting and windows.voting.opens < windows.application.closes:
        found.append(_warned(Advice.VOTING_BEFORE_CLOSE))
    return found


def _warned(advice: Advice, **values: str) -> Warned:
    return Warned(advice, values)


def _plain(number: Fraction) -> str:
    return print_number(number, None, "half_up")
