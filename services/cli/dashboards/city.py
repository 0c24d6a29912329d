"""City view: how the vote of a city goes, for whoever is called first. The same headings and words as /status."""

from services.cli.dashboards.panels import RATE, Board, Kind, Panel, Query, Row, Unit, level, quantiles, rate

_NOW = Row(
    "现在",
    "Now",
    (
        Panel(
            "投票人数",
            "Turnout",
            ("正在投票的评选活动。", "Distinct voters of rounds that are open."),
            (Query('sum(voting_turnout{phase="open"})', "投票人数"),),
            kind=Kind.FIGURE,
            width=4,
            height=4,
        ),
        Panel(
            "距离截止",
            "Until voting closes",
            ("最先截止的一个。", "The soonest of the open windows; 0 while none is open."),
            (level("voting_closes_in_seconds", how="max"),),
            Unit.LEFT,
            Kind.FIGURE,
            4,
            4,
        ),
        Panel(
            "记录",
            "Ballots recorded",
            ("每秒记录的选票。", "Ballots that were acknowledged, each second."),
            (Query('sum(decision:ballots:rate1m{decision="recorded"})', "记录"),),
            Unit.PER_SECOND,
            Kind.FIGURE,
            4,
            4,
        ),
        Panel(
            "等待：99% 以内",
            "Wait, 99 of 100",
            ("从收到到答复。", "From the request's head to the answer."),
            (Query("ballot_seconds:p99_1m", "p99"),),
            Unit.SECONDS,
            Kind.FIGURE,
            4,
            4,
            amber=0.5,
            red=1,
        ),
        Panel(
            "被限流拦过一次的比例",
            "Stopped once by a limit",
            (
                "按全部是真人算，是上限；他们可以再试。",
                "An upper bound: as if all of them were honest people's first tries.",
            ),
            (Query("ballots:limited:ratio1h", "上限"),),
            Unit.SHARE,
            Kind.FIGURE,
            4,
            4,
            amber=0.01,
            red=0.05,
        ),
        Panel(
            "需要注意",
            "Alerts that fire",
            ("现在有几个告警。", "How many alerts fire now; the runbook has a chapter for each."),
            (Query('count(ALERTS{alertstate="firing", severity!="info"}) or vector(0)', "告警"),),
            kind=Kind.FIGURE,
            width=4,
            height=4,
            amber=1,
            red=3,
        ),
    ),
)

_BALLOTS = Row(
    "选票",
    "Ballots",
    (
        Panel(
            "选票的答复",
            "Ballots by decision",
            ("每秒，按答复。", "Requests each second, by what was answered."),
            (Query("decision:ballots:rate1m", "{{decision}}"),),
            Unit.PER_SECOND,
            width=12,
            stacked=True,
        ),
        Panel(
            "选票的状态",
            "Ballots by state",
            ("按评选活动所处阶段和选票状态。", "Of rounds that go on or ended within a week."),
            (level("voting_ballots", "phase", "state"),),
            width=6,
        ),
        Panel(
            "投票时间",
            "Voting windows",
            ("各阶段有几个评选活动。", "Rounds by phase."),
            (level("voting_rounds", "phase"),),
            width=6,
        ),
        Panel(
            "投票人数变化",
            "Turnout over time",
            ("不分候选项目、单位和地区。", "Never by candidate, unit or district."),
            (level("voting_turnout", "phase"),),
            width=12,
        ),
        Panel(
            "等待",
            "Wait",
            ("从收到到答复。", "From the request's head to the answer."),
            quantiles("ballot_seconds", "0.50", "0.95", "0.99"),
            Unit.SECONDS,
            width=12,
            red=1,
        ),
    ),
)

_CODES = Row(
    "验证码",
    "Codes",
    (
        Panel(
            "请求和登录",
            "Asked for and signed in",
            ("每秒，按结果。", "Codes asked for and sign-ins each second, by outcome."),
            (
                rate("codes_total", "outcome"),
                Query(f"sum by (outcome) (rate(sessions_total[{RATE}]))", "登录 {{outcome}}"),
            ),
            Unit.PER_SECOND,
            width=12,
        ),
        Panel(
            "验证码用量",
            "Budget used",
            ("占上限的比例；到上限就暂停发送。", "Share of the budgets; sending pauses at 1."),
            (Query("span:codes_spent:ratio", "{{span}}"),),
            Unit.SHARE,
            width=6,
            amber=0.8,
            red=1,
        ),
        Panel(
            "通道",
            "Providers",
            ("每秒，按通道和结果。", "Codes handed over each second."),
            (rate("code_deliveries_total", "provider", "outcome"),),
            Unit.PER_SECOND,
            width=6,
        ),
    ),
)

_HEALTH = Row(
    "服务",
    "Services",
    (
        Panel(
            "服务",
            "Services up",
            ("每个服务有几个实例应答。", "Instances of each service that Prometheus reaches."),
            (Query('sum by (job) (up{job=~"registry|voting|scoring"})', "{{job}}"),),
            width=6,
        ),
        Panel(
            "内部错误",
            "Internal errors",
            ("占请求的比例。", "Share of requests answered with 5xx."),
            (Query("job:http_errors:ratio5m", "{{job}}"),),
            Unit.SHARE,
            width=6,
            red=0.01,
        ),
        Panel(
            "接收",
            "Behind the others",
            ("多久以前是完整的。", "Seconds since a follower was last known complete."),
            (Query("job_stream:follower_lag_seconds:max", "{{job}} {{stream}}"),),
            Unit.SECONDS,
            width=6,
            red=30,
        ),
        Panel(
            "等待决定的存疑选票",
            "Held, undecided",
            ("要两个人决定。", "Two people decide each of them."),
            (Query('sum(suspected_ballots{state="held"})', "held"),),
            width=6,
            amber=1,
        ),
    ),
)

BOARD = Board("city", "城市视图", "City view", (_NOW, _BALLOTS, _CODES, _HEALTH), since="now-6h")
