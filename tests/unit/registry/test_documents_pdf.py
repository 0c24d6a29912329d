"""Printed documents: everything that was filled in stands on the paper, as text and never as code, always the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pypdf
import pytest

from services.registry.documents import forms, pdf
from services.registry.documents.wording import chinese_date, yuan
from services.registry.rounds.applications import BudgetLine, Target, TeamMember, Unit, parse_application
from services.shared.typesetting.version_code import version_code
from services.shared.vocabulary import LEVELS

SHIPPED = Path(__file__).parents[3] / "deploy" / "rounds" / "kunming-2021" / "applications"
HOSTILE = '#set page(fill: red) *粗* _斜_ $x^2$ @ref [括] ] ) " \\ <标签> `码` // 注 /* #panic("x") #read("common.typ")'
RARE = "䶮㛃𠮷𬎆"


def filled_form(**changes: Any) -> forms.ApplicationForm:
    text = (SHIPPED / "K01.toml").read_text(encoding="utf-8")
    shipped = parse_application(text, "K01.toml", [])
    assert shipped is not None
    form = forms.ApplicationForm(
        round_title="昆明市2021年社会治理创新项目申报评选",
        application="KM-2021-0001",
        title=shipped.title,
        level=shipped.level,
        category=shipped.category,
        channel_name="五华区",
        lead=shipped.lead,
        partners=tuple(shipped.partners),
        filled_on=date(2020, 9, 28),
        need_analysis=shipped.sections["need_analysis"],
        work_plan=shipped.sections["work_plan"],
        innovation_analysis=shipped.sections["innovation_analysis"],
        summary=shipped.summary,
        team=tuple(shipped.team),
        budget=tuple(shipped.budget),
        targets=tuple(shipped.targets),
        contingencies=shipped.sections["contingencies"],
        consents=(
            forms.Consent(shipped.partners[0].name),
            forms.Consent(shipped.partners[1].name, date(2020, 9, 20), "由联系人确认"),
        ),
        version_code=version_code(text.encode()),
    )
    return msgspec.structs.replace(form, **changes)


def read(content: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(BytesIO(content))


def squeezed(text: str) -> str:
    return "".join(text.split())


def text_of(content: bytes) -> str:
    """All text without blanks: where a line breaks is the layout's business. The footers between pages are cut out."""
    pages = [squeezed(page.extract_text()) for page in read(content).pages]
    return "".join(page.split("申报书KM-2021-0001")[0] for page in pages)


def test_every_field_of_the_form_stands_on_paper() -> None:
    form = filled_form()
    text = text_of(pdf.application_form_pdf(form))
    expected = [form.round_title, form.title, "重大项目", "党建引领", form.channel_name, "2020年9月28日", form.summary]
    expected += [form.need_analysis, form.work_plan, form.innovation_analysis, form.contingencies]
    for unit in (form.lead, *form.partners):
        expected += [unit.name, unit.credit_code]
    expected += [part for member in form.team for part in (member.name, member.role)]
    expected += [part for line in form.budget for part in (line.line, yuan(line.amount), line.basis)]
    expected += [
        part for each in form.targets for part in (each.target, each.measure, chinese_date(each.due or date.min))
    ]
    expected += ["257,400.00", "人民币贰拾伍万柒仟肆佰元整", "已于2020年9月20日在线同意联合申报，由联系人确认"]
    expected += ["推荐意见", "申报单位意见", "合作单位意见", "（盖章）"]
    assert [each for each in expected if squeezed(each) not in text] == []


def test_every_page_carries_the_version_code() -> None:
    form = filled_form(work_plan="居民议事协商。\n" * 400)
    pages = read(pdf.application_form_pdf(form)).pages
    assert len(pages) > 5
    assert [place for place, page in enumerate(pages) if form.version_code not in page.extract_text()] == []


def test_rare_characters_are_printed_and_embedded() -> None:
    form = filled_form(title=f"{RARE}治理", team=(TeamMember(RARE, "负责人"), TeamMember("欧·阿依古丽", "统筹")))
    content = pdf.application_form_pdf(form)
    assert text_of(content).count(RARE) >= 2
    assert "欧·阿依古丽" in text_of(content)
    fonts = [
        descendant.get_object()["/FontDescriptor"]
        for page in read(content).pages
        for font in page["/Resources"]["/Font"].values()  # type: ignore[index]
        for descendant in font.get_object()["/DescendantFonts"]
    ]
    assert fonts
    assert all("/FontFile3" in font or "/FontFile2" in font for font in fonts)


def test_a_character_that_no_font_has_is_named_by_its_number() -> None:
    assert "〔U+1F600〕治理" in text_of(pdf.application_form_pdf(filled_form(title="😀治理\u202e\u0007")))


def test_the_file_is_an_archivable_pdf() -> None:
    content = pdf.application_form_pdf(filled_form())
    described = read(content).trailer["/Root"]["/Metadata"].get_data().decode()  # type: ignore[index]
    assert "<pdfaid:part>2</pdfaid:part>" in described
    assert "<pdfaid:conformance>B</pdfaid:conformance>" in described


def test_texts_are_never_code() -> None:
    unit = Unit(HOSTILE, "社会组织#", "52530102MJPX0003XH")
    form = filled_form(
        round_title=HOSTILE,
        title=HOSTILE,
        lead=unit,
        need_analysis=f"{HOSTILE}\n= 标题\n- 列表",
        team=(TeamMember(HOSTILE, HOSTILE),),
        budget=(BudgetLine(HOSTILE, Decimal("1.00"), HOSTILE),),
        targets=(Target(HOSTILE, HOSTILE, None),),
    )
    text = text_of(pdf.application_form_pdf(form))
    assert text.count(squeezed(HOSTILE)) >= 9
    assert "=标题" in text


def test_a_form_of_the_greatest_length_is_complete() -> None:
    long = "".join(f"第{place}句，居民议事协商共治。" for place in range(800))[:10_000]
    units = tuple(Unit(f"第{place}合作单位{'名' * 190}", "university", "12530100MBPX00022J") for place in range(20))
    form = filled_form(
        need_analysis=long,
        partners=units,
        consents=tuple(forms.Consent(unit.name) for unit in units),
        budget=tuple(BudgetLine(f"支出{place}", Decimal("9999999.99"), "算" * 200) for place in range(100)),
    )
    content = pdf.application_form_pdf(form)
    text = text_of(content)
    assert long in text
    assert [unit.name[:8] for unit in units if text.count(unit.name) < 2] == []
    assert [line.line for line in form.budget if f"{line.line}9,999,999.99{line.basis}" not in text] == []
    assert "999,999,999.00" in text
    first = squeezed(read(content).pages[0].extract_text())
    assert "等20家" in first
    assert "填报日期" in first


def line_heights(page: pypdf.PageObject) -> list[float]:
    """Where each piece of text stands above the page's lower edge, in points, in the order of reading."""
    heights: list[float] = []

    def visit(text: str, page_matrix: list[float], text_matrix: list[float], *_: Any) -> None:
        if text.strip():
            heights.append(pypdf.mult(text_matrix, page_matrix)[5])

    page.extract_text(visitor_text=visit)
    return heights


LIST = forms.PublishedList(
    heading="昆明市社会治理创新项目拟立项名单公示",
    document_number="昆社建办通〔2020〕12号",
    issuing_office="市委社会建设工作领导小组办公室",
    issued_on=date(2020, 12, 1),
    introduction="经网络投票、专家评审和复核，现予公示。\n公示期为五个工作日。",
    groups=(forms.ListGroup("一、重大项目", (forms.ListEntry(36, f"{RARE}共治", "五华区某街道", "递补"),)),),
    closing="有异议的请实名提出。",
    version_code="7K3M-9QXZ-2ABC",
)
RETRACTION = forms.Retraction(
    document_number="昆社建办通〔2020〕13号",
    issuing_office=LIST.issuing_office,
    issued_on=date(2020, 12, 3),
    retracted_heading=LIST.heading,
    retracted_number=LIST.document_number,
    retracted_issued_on=LIST.issued_on,
    reason="名单中一个单位的名称有误。",
    replaced_by="昆社建办通〔2020〕14号",
    version_code="7K3M-9QXZ-2ABD",
)
RECOMMENDATION = forms.RecommendationPage(
    round_title="评选", channel_name="五华区", application="KM-1", title=RARE, lead_name="翠屏街道", level="major",
    category="culture", rank=5, quota=4, opinion="同意推荐。\n条件具备。", recommended_on=date(2020, 10, 1),
    version_code="7K3M-9QXZ-2ABE", exemption="报市级批准增加一个。",
)  # fmt: skip
POSTER = forms.Poster(
    round_title="昆明评选", number=36, title="小院议事", unit="大观社区", level="general",
    voting_window="11月1日9:00至11月10日18:00", round_address="https://pingxuan.example/rounds/kunming-2021",
    printed_on=date(2020, 10, 20),
)  # fmt: skip
SHEET = forms.ScoreSheet(
    round_title="昆明评选",
    panel="重大项目组",
    expert="赵𬎆",
    criteria=(forms.SheetCriterion("创新性", "新在何处。", ("90–100：前所未有", "60以下：无新意")),),
    candidates=(forms.SheetCandidate(36, "小院议事", "大观社区"), forms.SheetCandidate(37, "楼栋长", "和平社区", True)),
    printed_on=date(2020, 11, 12),
    version_code="7K3M-9QXZ-2ABF",
)
INDEX = forms.ArchiveIndex(
    round_title="昆明评选", archive_number="2020-SJ-001", issuing_office="办公室", made_on=date(2021, 12, 30),
    files=(forms.ArchivedFile("会议纪要", "办公室", date(2020, 12, 20), 3, "0123456789abcdef" * 4, "永久", "原件"),),
    version_code="7K3M-9QXZ-2ABG",
)  # fmt: skip


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            lambda: pdf.list_pdf(LIST),
            [LIST.heading, LIST.document_number, LIST.issuing_office, "2020年12月1日", "公示期为五个工作日",
             "一、重大项目", "136䶮㛃𠮷𬎆共治五华区某街道递补", LIST.closing, LIST.version_code],
        ),
        (
            lambda: pdf.retraction_pdf(RETRACTION),
            ["撤回公告", RETRACTION.document_number, LIST.heading, LIST.document_number, RETRACTION.reason,
             "现以昆社建办通〔2020〕14号为准", "2020年12月3日", RETRACTION.version_code],
        ),
        (
            lambda: pdf.recommendation_page_pdf(RECOMMENDATION),
            ["推荐意见", "五华区", RARE, "翠屏街道", "重大项目", "文化形塑", "第5位", "4个", "同意推荐。", "条件具备。",
             "报市级批准增加一个。", "（盖章）", RECOMMENDATION.version_code],
        ),
        (
            lambda: pdf.poster_pdf(POSTER),
            ["昆明评选", "36", "小院议事", "大观社区", "一般项目", "11月1日9:00至11月10日18:00", POSTER.round_address],
        ),
        (
            lambda: pdf.score_sheet_pdf(SHEET),
            ["重大项目组", "赵𬎆", "创新性", "新在何处。", "90–100：前所未有", "36号小院议事", "大观社区",
             "回避，不评分", "专家签名", "0至100分", SHEET.version_code],
        ),
        (
            lambda: pdf.archive_index_pdf(INDEX),
            ["卷内目录", "2020-SJ-001", "会议纪要", "0123456789abcdef" * 4, "2021年12月30日", "永久", "原件",
             INDEX.version_code],
        ),
    ],
    ids=["list", "retraction", "recommendation", "poster", "score sheet", "archive index"],
)  # fmt: skip
def test_every_document_says_what_it_was_given(content: Callable[[], bytes], expected: list[str]) -> None:
    made = content()
    text = squeezed("".join(page.extract_text() for page in read(made).pages))
    assert [each for each in expected if squeezed(each) not in text] == []
    assert content() == made


def test_the_same_form_gives_the_same_bytes() -> None:
    content = pdf.application_form_pdf(filled_form())
    assert pdf.application_form_pdf(filled_form()) == content
    facts = read(content).metadata
    assert facts is not None
    assert {str(facts.creation_date)[:10], str(facts.modification_date)[:10]} == {"2020-09-28"}, "no clock is read"


@pytest.mark.parametrize("level", sorted(LEVELS))
@pytest.mark.parametrize(("number", "title"), [(7, "短"), (9999, "长" * 200), (10_000, HOSTILE)])
def test_a_poster_is_one_page(level: str, number: int, title: str) -> None:
    poster = msgspec.structs.replace(POSTER, number=number, title=title, level=level, unit="单位" * 100)
    pages = read(pdf.poster_pdf(poster)).pages
    assert len(pages) == 1
    heights = line_heights(pages[0])
    assert heights == sorted(heights, reverse=True), "no text grows over the next"
    assert heights[-1] > 40, "the address stays above the margin of 14 mm"


@pytest.mark.parametrize(
    "address", ["https://pingxuan.example/rounds/x?pick=36", "https://pingxuan.example/rounds/x#36"]
)
def test_a_posters_address_preselects_nothing(address: str) -> None:
    with pytest.raises(ValueError, match="preselects nothing"):
        pdf.poster_pdf(msgspec.structs.replace(POSTER, round_address=address))


def test_a_page_with_marks_is_signed_by_itself() -> None:
    many = tuple(forms.SheetCandidate(number, f"项目{number}", "单位") for number in range(1, 12))
    pages = read(pdf.score_sheet_pdf(msgspec.structs.replace(SHEET, candidates=many))).pages
    marked = [page.extract_text() for page in pages if "评语" in page.extract_text()]
    assert len(marked) > 1
    assert all("专家签名" in text for text in marked)


def test_templates_load_nothing_from_elsewhere() -> None:
    templates = Path(pdf.__file__).with_name("templates")
    imports = [
        line
        for file in templates.glob("*.typ")
        for line in file.read_text(encoding="utf-8").splitlines()
        if "import" in line or "@" in line
    ]
    assert set(imports) == {'#import "/shared/typesetting/common.typ": *'}
