"""Services: rate, errors and duration of every route, messages between the services, background steps, processes."""

from services.cli.dashboards.panels import RATE, Board, Kind, Panel, Query, Row, Unit, level, rate

_ROUTES = Row(
    "请求",
    "Requests",
    (
        Panel(
            "请求",
            "Rate of every route",
            ("每秒，选票也在内。", "Requests each second, ballots among them."),
            (Query("job_route:http_requests:rate1m", "{{job}} {{method}} {{route}}"),),
            Unit.PER_SECOND,
            width=12,
            height=9,
        ),
        Panel(
            "内部错误",
            "Errors of every route",
            ("每秒的 5xx。", "Answers with 5xx each second."),
            (Query("job_route:http_errors:rate1m", "{{job}} {{method}} {{route}}"),),
            Unit.PER_SECOND,
            width=12,
            height=9,
        ),
        Panel(
            "耗时：99% 以内",
            "Duration of every route",
            ("五分钟内。", "99 of 100 took no longer, over five minutes."),
            (Query("job_route:http_request_seconds:p99_5m", "{{job}} {{method}} {{route}}"),),
            Unit.SECONDS,
            width=12,
            height=9,
        ),
        Panel(
            "耗时：一半以内",
            "Slowest routes now",
            ("五分钟内的中位数。", "Median over five minutes."),
            (Query("topk(15, job_route:http_request_seconds:p50_5m)", "{{route}}"),),
            Unit.SECONDS,
            Kind.TABLE,
            12,
            9,
        ),
        Panel(
            "按状态",
            "By status",
            ("每秒。", "Answers each second."),
            (rate("http_requests_total", "job", "status"),),
            Unit.PER_SECOND,
        ),
        Panel(
            "在途",
            "In flight",
            ("不含实时页面。", "Requests being answered, live streams not counted."),
            (
                Query(
                    "sum by (job) (http_in_flight) - sum by (job) (live_streams or 0 * http_in_flight)",
                    "{{job}}",
                ),
            ),
        ),
        Panel(
            "实时页面",
            "Live pages",
            ("按谁在看。", "Streams open now, by who watches."),
            (level("live_streams", "job", "kind"),),
        ),
        Panel(
            "拒绝的原因",
            "Refusals by reason",
            ("每秒，选票也在内。", "Each second, ballots among them."),
            (rate("refusals_total", "job", "reason"),),
            Unit.PER_SECOND,
            width=24,
        ),
    ),
)

_MESSAGES = Row(
    "服务之间的消息",
    "Messages between the services",
    (
        Panel(
            "接收",
            "Behind, in seconds",
            ("多久以前是完整的。超过 30 秒，要两个人的操作会暂停。", "Past 30 s acts of two people are refused."),
            (Query("job_stream:follower_lag_seconds:max", "{{job}} {{stream}}"),),
            Unit.SECONDS,
            red=30,
        ),
        Panel(
            "未处理",
            "Behind, in messages",
            ("还没有应用的消息。", "Messages a follower has yet to apply."),
            (level("follower_lag_entries", "job", "stream", how="max"),),
        ),
        Panel(
            "应用",
            "Applied",
            ("每秒。", "Messages applied each second."),
            (rate("follower_applied_total", "job", "stream"),),
            Unit.PER_SECOND,
        ),
        Panel(
            "发送",
            "Published",
            ("每秒。", "Messages published each second."),
            (rate("relay_published_total", "stream"),),
            Unit.PER_SECOND,
        ),
        Panel(
            "条数",
            "Newest number",
            ("发件箱里最新的编号。", "Of the outbox; it never falls but by a restore."),
            (level("relay_last_number", "stream", how="max"),),
        ),
        Panel(
            "重放与重建",
            "Replays and rebuilds",
            ("过去一小时。", "Within an hour: gaps, streams written anew, publishers restored."),
            (
                Query("sum by (stream) (increase(follower_gaps_total[1h]))", "缺口 {{stream}}"),
                Query("sum by (stream) (increase(relay_rebuilt_total[1h]))", "重建 {{stream}}"),
                Query("sum by (stream) (increase(follower_restarts_total[1h]))", "重读 {{stream}}"),
            ),
        ),
    ),
)

_PROCESSES = Row(
    "后台任务与进程",
    "Background steps and processes",
    (
        Panel(
            "失败的后台任务",
            "Steps that fail",
            ("每秒。", "Each second; the service's log names the failure."),
            (Query(f'sum by (job, loop) (rate(loop_runs_total{{result="failed"}}[{RATE}]))', "{{job}} {{loop}}"),),
            Unit.PER_SECOND,
        ),
        Panel(
            "后台任务",
            "Steps that worked",
            ("每秒。", "Runs that found something to do, each second."),
            (Query(f'sum by (job, loop) (rate(loop_runs_total{{result="worked"}}[{RATE}]))', "{{job}} {{loop}}"),),
            Unit.PER_SECOND,
        ),
        Panel(
            "处理器",
            "CPU",
            ("每个服务用了几个核。", "Cores used by each service."),
            (rate("process_cpu_seconds_total", "job"),),
        ),
        Panel(
            "内存",
            "Memory",
            ("每个服务。", "Resident memory of each service."),
            (level("process_resident_memory_bytes", "job"),),
            Unit.BYTES,
            width=12,
        ),
        Panel(
            "打开的文件",
            "Open files",
            ("每个服务。", "Descriptors open in each service."),
            (level("process_open_fds", "job"),),
            width=12,
        ),
    ),
)

BOARD = Board("services", "服务", "Services", (_ROUTES, _MESSAGES, _PROCESSES))
