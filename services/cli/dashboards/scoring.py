"""Scoring progress: who has yet to score, and how far the results are. Never a mark."""

from services.cli.dashboards.panels import Board, Kind, Panel, Query, Row, Unit, level

_NOW = Row(
    "现在",
    "Now",
    (
        Panel(
            "还缺的评分表",
            "Sheets missing",
            ("评分开始后、公布前。", "Owed by experts whose window has opened, until publication."),
            (level("scoring_sheets_missing"),),
            kind=Kind.FIGURE,
            width=6,
            height=4,
            amber=1,
        ),
        Panel(
            "距离评分截止",
            "Until scoring closes",
            ("最先截止的一个。", "The soonest open window; 0 while none is open."),
            (level("scoring_closes_in_seconds", how="max"),),
            Unit.LEFT,
            Kind.FIGURE,
            6,
            4,
        ),
        Panel(
            "没有开始的专家",
            "Experts not begun",
            ("可以打电话提醒。", "Worth a call."),
            (Query('sum(scoring_experts{progress="not_begun"})', "没有开始"),),
            kind=Kind.FIGURE,
            width=6,
            height=4,
            amber=1,
        ),
        Panel(
            "收到的计票",
            "Tallies taken over",
            ("服务启动以来。", "From voting, since the service began."),
            (level("scoring_tallies_total"),),
            kind=Kind.FIGURE,
            width=6,
            height=4,
        ),
    ),
)

_SHEETS = Row(
    "评分表",
    "Sheets",
    (
        Panel(
            "评分表的状态",
            "Sheets by state",
            ("没有公布的评选。", "Of rounds that are not published."),
            (level("scoring_sheets", "state"),),
        ),
        Panel(
            "专家的进度",
            "Experts by progress",
            ("完成、进行中、没有开始。", "Done, working, not begun."),
            (level("scoring_experts", "progress"),),
        ),
        Panel(
            "还缺的变化",
            "Missing over time",
            ("到截止时应当是零。", "To be zero by the end of the window."),
            (level("scoring_sheets_missing"),),
        ),
        Panel(
            "评分表上的操作",
            "Acts on sheets",
            ("过去一小时。", "Within an hour, by act."),
            (Query("sum by (act) (increase(scoring_sheet_acts_total[1h]))", "{{act}}"),),
            width=12,
        ),
        Panel(
            "办公室的操作",
            "Acts of the office",
            ("过去一小时：抽取、会议、纸质表、提议。", "Within an hour: draws, meetings, paper, proposals."),
            (Query("sum by (act) (increase(scoring_office_acts_total[1h]))", "{{act}}"),),
            width=12,
        ),
    ),
)

_RESULTS = Row(
    "结果",
    "Results",
    (
        Panel(
            "排名与公布",
            "Rankings and publications",
            ("过去一天。", "Within a day."),
            (
                Query("sum(increase(scoring_rankings_total[1d]))", "排名"),
                Query("sum(increase(scoring_publications_total[1d]))", "公布"),
            ),
            width=12,
        ),
        Panel(
            "名单",
            "Lists",
            ("过去一天，登记服务。", "Made from rankings by the registry within a day; refused ones fit no round."),
            (
                Query("sum(increase(registry_lists_made_total[1d]))", "名单"),
                Query("sum(increase(registry_rankings_refused_total[1d]))", "拒绝"),
            ),
            width=12,
        ),
    ),
)

BOARD = Board("scoring", "评分进度", "Scoring progress", (_NOW, _SHEETS, _RESULTS), since="now-24h")
