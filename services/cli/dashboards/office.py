"""Office: applications, reviews, objections and projects that wait for somebody, and who signs in."""

from services.cli.dashboards.panels import Board, Panel, Query, Row, Unit, level, quantiles, rate

_WAITING = Row(
    "等人处理",
    "What waits for somebody",
    (
        Panel(
            "申报",
            "Applications by stage",
            ("已发布的申报通知。", "Of announced calls."),
            (level("registry_applications", "stage"),),
            width=12,
        ),
        Panel(
            "初审期限",
            "Reviews due",
            ("已过期的，和一个工作日内到期的。", "Overdue, or due within a working day."),
            (level("registry_reviews_due", "when"),),
            width=6,
            amber=1,
        ),
        Panel("异议", "Objections", ("按状态。", "By state."), (level("registry_objections", "state"),), width=6),
        Panel(
            "逾期的异议",
            "Objections overdue",
            ("今天之前应当答复的。", "Were to be answered by today."),
            (level("registry_objections_overdue"),),
            width=6,
            red=1,
        ),
        Panel(
            "逾期的项目事项",
            "Projects overdue",
            ("检查、整改、验收、超支。", "Inspections, findings, acceptances, over-spends."),
            (level("registry_projects_overdue", "what"),),
            width=6,
            red=1,
        ),
        Panel(
            "入账",
            "Bookings",
            ("过去一天；凭证用过的被拒绝。", "Within a day; a voucher counts once."),
            (
                Query("sum by (kind) (increase(registry_project_bookings_total[1d]))", "{{kind}}"),
                Query("sum(increase(registry_vouchers_used_twice_total[1d]))", "凭证用过"),
            ),
            width=12,
        ),
    ),
)

_STAFF = Row(
    "工作人员与文件",
    "Staff and files",
    (
        Panel(
            "登录",
            "Staff sign-ins",
            ("每秒，按结果。", "Each second, by outcome."),
            (rate("registry_sign_ins_total", "outcome"),),
            Unit.PER_SECOND,
        ),
        Panel(
            "口令核对耗时",
            "Password checks",
            ("含排队。", "Waiting for their turn included."),
            quantiles("registry_password_hash_seconds", "0.50", "0.99"),
            Unit.SECONDS,
            red=2.5,
        ),
        Panel(
            "导入评选活动",
            "Rounds loaded",
            ("过去一天。", "Within a day, by outcome."),
            (Query("sum by (outcome) (increase(registry_rounds_loaded_total[1d]))", "{{outcome}}"),),
        ),
        Panel(
            "收到的文件",
            "Files received",
            ("字节每秒，按用途。", "Bytes each second, by purpose."),
            (rate("registry_attachments_bytes_total", "purpose"),),
            Unit.BYTES_PER_SECOND,
            width=12,
        ),
        Panel(
            "没有收的文件",
            "Files refused",
            ("过去一天，按原因。", "Within a day, by reason."),
            (Query("sum by (reason) (increase(registry_attachments_refused_total[1d]))", "{{reason}}"),),
            width=12,
        ),
    ),
)

BOARD = Board("office", "申报与办公室", "Office", (_WAITING, _STAFF), since="now-7d")
