"""A ranking taken away as a file: whole or of one group, as its reader may see it; a losing unit's own sheet."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import openpyxl
import pytest
from pypdf import PdfReader

from services.scoring.exports import files
from services.shared.messages import REGISTRY_ROUNDS, Party
from tests.integration.scoring.conftest import Scoring, scored_rules
from tests.support.waiting import wait_until

RANKINGS = "/rounds/small/rankings"
SELECTION = "[selection]\nplaces = { major = 1, key = 1 }\n"
MARKS = {"xu": ("90", "80"), "li": ("70", "71.5")}


async def proposed(office: Scoring, more: str = SELECTION) -> None:
    """c1 before c3 among the major ones, c2 alone among the key ones; nothing is public."""
    message = await office.add_round(scored_rules(more=more), experts=list(MARKS))
    parties = {
        "c1": [Party("lead", "单位1", "u-1")],
        "c3": [Party("lead", "单位1", "u-3"), Party("partner", "丙", "u-4")],
    }
    cards = [msgspec.structs.replace(card, parties=parties.get(card.candidate, [])) for card in message.candidates]
    office.versions["small"] += 1
    version = office.versions["small"]
    await office.send(REGISTRY_ROUNDS, msgspec.structs.replace(message, candidates=cards, version=version))
    for candidate, less in (("c1", 0), ("c2", 5), ("c3", 30)):
        for expert, marks in MARKS.items():
            await office.score(expert, candidate, *(str(float(mark) - less) for mark in marks))
    await office.add_tally({"c1": 300, "c2": 200, "c3": 100})
    answer = await office.call("POST", RANKINGS, "ann")
    assert answer.status_code == 201, answer.text

    async def made() -> bool:
        return bool(await office.desk.pool.fetchval("SELECT count(*) FROM ranking_statistics"))

    await wait_until(made, 60, "the statistics are made")


async def publish(office: Scoring) -> None:
    assert (await office.call("POST", f"{RANKINGS}/1/confirmations", "bob")).status_code == 201


def pages_of(data: bytes) -> list[str]:
    return ["".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(data)).pages]


async def test_the_printed_ranking_names_rows_digests_version_and_statistics(office: Scoring) -> None:
    await proposed(office)
    assert (await office.call("GET", f"{RANKINGS}/1.pdf")).json()["reason"] == "unknown_ranking"
    draft = await office.call("GET", f"{RANKINGS}/1.pdf", "ann")
    assert (draft.status_code, draft.headers["content-type"]) == (200, "application/pdf")
    assert "尚未公布" in pages_of(draft.content)[0]
    await publish(office)
    public = await office.call("GET", f"{RANKINGS}/1.pdf")
    assert public.headers["cache-control"] == "no-cache"
    text, facts = "".join(pages_of(public.content)), (await office.call("GET", f"{RANKINGS}/1")).json()
    assert "内部材料" not in text
    for told in ("综合排名(第1版)", "项目2", "单位1", "ann、bob", "专家一致性", "实际权重", "重新抽样2,000次", "第1页"):
        assert told.replace("(", "（").replace(")", "）") in text, told
    for name in ("digest", "rules_digest", "tally_digest", "sheets_digest"):
        assert facts[name] in text, name
    assert (await office.call("GET", f"{RANKINGS}/1.pdf")).content == public.content


async def test_every_form_is_cut_to_a_group(office: Scoring) -> None:
    await proposed(office)
    await publish(office)
    cut = "?group=level%3Dmajor&text=项目3"
    csv = (await office.call("GET", f"{RANKINGS}/1.csv{cut}")).text.splitlines()
    whole = (await office.call("GET", f"{RANKINGS}/1.csv")).text.splitlines()
    assert (csv[0], len(csv), csv[1] in whole, ",c3," in csv[1]) == (whole[0], 2, True, True)
    book = openpyxl.load_workbook(io.BytesIO((await office.call("GET", f"{RANKINGS}/1.xlsx{cut}")).content))
    assert [row[3] for row in book["排名"].iter_rows(min_row=2, values_only=True)] == ["c3"]
    assert ("筛选", "level=major，项目3") in list(book["依据"].iter_rows(values_only=True))
    rows = (await office.call("GET", f"{RANKINGS}/1.json{cut}")).json()["rows"]
    assert [row["candidate"] for row in rows] == ["c3"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "PDF_ROWS_MAX", 1)
        refused = await office.call("GET", f"{RANKINGS}/1.pdf")
        assert (refused.status_code, refused.json()["reason"]) == (422, "bad_filter")
    printed = "".join(pages_of((await office.call("GET", f"{RANKINGS}/1.pdf{cut}")).content))
    assert ("项目3" in printed, "项目2" in printed) == (True, False)


async def test_the_public_prints_only_the_selected_where_the_rules_say_so(office: Scoring) -> None:
    await proposed(office, SELECTION + '[publication]\nranking = "selected"\n')
    await publish(office)
    public = "".join(pages_of((await office.call("GET", f"{RANKINGS}/1.pdf")).content))
    whole = await office.call("GET", f"{RANKINGS}/1.pdf", "ann")
    assert ("项目3" in public, "项目3" in "".join(pages_of(whole.content))) == (False, True)
    assert whole.headers["cache-control"] == "no-store"


async def test_versions_come_in_pages(office: Scoring) -> None:
    await proposed(office)
    again = await office.call("POST", RANKINGS, "bob")
    assert again.json()["version"] == 2
    first = (await office.call("GET", f"{RANKINGS}?limit=1", "eve")).json()
    assert ([each["version"] for each in first["rankings"]], first["next"]) == ([1], 1)
    rest = (await office.call("GET", f"{RANKINGS}?limit=1&after=1", "eve")).json()
    assert ([each["version"] for each in rest["rankings"]], rest["next"]) == ([2], None)
    assert (await office.call("GET", f"{RANKINGS}?limit=0", "eve")).json()["reason"] == "bad_filter"


READERS = [
    ("ann", "c3", 200),
    ("eve", "c2", 200),
    ("own", "c3", 200),
    ("partner", "c3", 200),
    ("own", "c1", 404),
    ("stranger", "c3", 404),
    ("nobody", "c3", 404),
    ("xu", "c3", 403),
    ("", "c3", 401),
]


async def test_a_losing_units_own_sheet_is_for_that_unit_and_the_office(office: Scoring) -> None:
    for name, unit in (("own", "u-3"), ("partner", "丙"), ("stranger", "u-9"), ("nobody", "")):
        await office.add_staff(name, "applicant", unit=unit)
    await proposed(office)
    path = f"{RANKINGS}/1/own-sheets"
    hidden = await office.call("GET", f"{path}/c3", "own")
    assert (hidden.status_code, hidden.json()["reason"]) == (404, "unknown_ranking")
    assert (await office.call("GET", f"{path}/c3", "ann")).status_code == 200
    await publish(office)
    for name, candidate, status in READERS:
        assert (await office.call("GET", f"{path}/{candidate}", name)).status_code == status, (name, candidate)
    told: dict[str, Any] = (await office.call("GET", f"{path}/c3", "own")).json()
    assert (told["row"]["votes"], told["sheet"]["outcome"], told["sheet"]["distance"][0]) == (100, "", "-")
    assert told["sheet"]["marks"][0].keys() == {"criterion", "marks", "median", "group_median"}
    assert (await office.call("GET", f"{path}/c2", "ann")).json()["sheet"] is None
    listed = (await office.call("GET", path, "own")).json()
    assert ([row["candidate"] for row in listed["items"]], listed["next"]) == (["c3"], None)
    assert len((await office.call("GET", path, "ann")).json()["items"]) == 3


@pytest.mark.parametrize("name", ["1.doc", "1.", "0.pdf", "x.pdf"])
async def test_an_unknown_file_is_not_found(office: Scoring, name: str) -> None:
    await office.add_round(scored_rules())
    assert (await office.call("GET", f"{RANKINGS}/{name}")).json()["reason"] == "unknown_ranking"
