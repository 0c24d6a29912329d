"""Every refusal that a service may answer has words of its own on a page, in Chinese and English."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Request, get
from litestar.testing import RequestFactory

from services.registry.reasons import RegistryReason
from services.scoring.reasons import Reason as ScoringReason
from services.shared.errors import CommonReason, ReasonWord, Refusal
from services.shared.pages import Pages
from services.voting.reasons import Reason as VotingReason

SERVICES = Path(__file__).parents[3] / "services"
REASONS: dict[str, Iterable[ReasonWord]] = {
    "registry": RegistryReason, "voting": VotingReason, "scoring": ScoringReason,
}  # fmt: skip
# What a page says of a word that nobody described.
GENERAL = {"zh": "这一步没有完成", "en": "This step was not completed"}
HAN = re.compile(r"[\u4e00-\u9fff]")
SAID = re.compile(r"<h1>(.*?)</h1>\s*<p class=\"lead\">(.*?)</p>", re.DOTALL)


@get("/")
async def _nothing() -> None: ...


def _asked(lang: str) -> Request[Any, Any, Any]:
    return RequestFactory(app=Litestar([_nothing])).get("/somewhere", query_params={"lang": lang})


def _said(pages: Pages, reason: ReasonWord, lang: str) -> tuple[str, str]:
    page = pages.render_error(_asked(lang), Refusal(reason)).content
    found = SAID.search(page)
    assert found is not None, reason
    return found[1], found[2]


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("service", REASONS)
def test_every_refusal_has_words_of_its_own(service: str, lang: str) -> None:
    """A person reads what happened and what to do next, never the general text, and English where English was asked."""
    pages = Pages(service, SERVICES / service)
    for reason in [*REASONS[service], *CommonReason]:
        headline, following = _said(pages, reason, lang)
        assert headline != GENERAL[lang], reason
        assert following.endswith(("。", ".")), reason
        assert bool(HAN.search(headline + following)) is (lang == "zh"), reason


def test_a_service_may_say_a_common_word_in_its_own_way() -> None:
    """Consent is a voter's to the privacy notice, and a partner's to an application."""
    of_partner = _said(Pages("registry", SERVICES / "registry"), RegistryReason.CONSENT_MISSING, "zh")
    of_voter = _said(Pages("voting", SERVICES / "voting"), VotingReason.CONSENT_MISSING, "zh")
    assert of_partner != of_voter
