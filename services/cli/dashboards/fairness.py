"""Fraud and fairness: what stops floods, what it may do to honest people, and what two people decided."""

from services.cli.dashboards.panels import Board, Panel, Query, Row, Unit, level, quantiles, rate

_CODES = Row(
    "验证码",
    "Codes",
    (
        Panel(
            "请求和登录",
            "Asked for",
            ("每秒，按结果。", "Codes asked for each second: sent, or the refusal's word."),
            (rate("codes_total", "outcome"),),
            Unit.PER_SECOND,
            stacked=True,
        ),
        Panel(
            "登录",
            "Signed in",
            ("每秒：登录成功，或拒绝的原因。", "Sign-ins each second: signed in, or the refusal's word."),
            (rate("sessions_total", "outcome"),),
            Unit.PER_SECOND,
            stacked=True,
        ),
        Panel(
            "这一分钟的用量与今天的用量",
            "Codes sent and budgets",
            ("到上限就暂停发送。", "At the budget sending pauses for everybody."),
            (level("codes_spent", "span", how="max"), Query("max by (span) (codes_spent_max)", "{{span}} 上限")),
        ),
        Panel(
            "通道",
            "Providers",
            ("每秒，按通道和结果。", "Codes handed over each second."),
            (rate("code_deliveries_total", "provider", "outcome"),),
            Unit.PER_SECOND,
        ),
        Panel(
            "通道耗时",
            "Providers' time",
            ("到通道答复为止。", "Until a provider answered or was given up."),
            quantiles("code_delivery_seconds", "0.50", "0.99", by="provider"),
            Unit.SECONDS,
        ),
        Panel(
            "送达回执",
            "Delivery reports",
            ("每秒，按通道和结果。", "What the providers told later."),
            (rate("delivery_reports_total", "provider", "outcome"),),
            Unit.PER_SECOND,
        ),
    ),
)

_CHALLENGES = Row(
    "安全检查",
    "Challenges",
    (
        Panel(
            "发出和交回",
            "Handed out and answered",
            ("每秒。", "Each second; refused: wrong, late, or not ours."),
            (rate("challenges_total"), rate("challenge_answers_total", "outcome")),
            Unit.PER_SECOND,
        ),
        Panel(
            "要求再做安全检查的比例",
            "Challenge rate",
            ("占选票请求。", "Share of ballot requests asked for a challenge."),
            (Query("ballots:challenged:ratio5m", "选票"), Query("codes:harder:ratio5m", "验证码")),
            Unit.SHARE,
        ),
        Panel(
            "身份核验",
            "IDs verified",
            ("每秒，按结论。", "By the provider's verdict, each second."),
            (rate("identity_verifications_total", "verdict"),),
            Unit.PER_SECOND,
        ),
    ),
)

_HONEST = Row(
    "公平",
    "Fairness",
    (
        Panel(
            "被限流拦过一次的比例",
            "Stopped once by a limit",
            (
                "按全部是真人算，是上限；他们可以再试。",
                "An upper bound: as if all of them were honest people's first tries.",
            ),
            (Query("ballots:limited:ratio1h", "上限"),),
            Unit.SHARE,
            amber=0.01,
            red=0.05,
        ),
        Panel(
            "存疑后被恢复的比例",
            "Holds that were wrong",
            ("两个人看过，认为存疑错了。", "Of held ballots that were decided."),
            (Query("ballots:restored:ratio", "恢复"),),
            Unit.SHARE,
            amber=0.5,
        ),
        Panel(
            "决定过的存疑选票",
            "Decided",
            ("全部评选活动。", "Over all rounds, by the decision."),
            (level("decided_ballots", "state"),),
        ),
        Panel(
            "没有封存的评选里的存疑选票",
            "Held ballots by reason",
            ("按原因和现在的状态。", "In unsealed rounds, and held since."),
            (level("suspected_ballots", "reason", "state"),),
            width=12,
        ),
        Panel(
            "更难的安全检查",
            "Asked for more work",
            ("每秒；按号码或相邻号码的可疑程度。", "Requests for a code, each second."),
            (rate("codes_harder_total"),),
            Unit.PER_SECOND,
            width=12,
        ),
    ),
)

BOARD = Board("fairness", "公平与防刷", "Fraud and fairness", (_CODES, _CHALLENGES, _HONEST), since="now-6h")
