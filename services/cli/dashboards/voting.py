"""Voting hot path: where a ballot's time goes, from the socket to the commit and into the tally."""

from services.cli.dashboards.panels import RATE, Board, Panel, Query, Row, Unit, level, quantiles, rate

_ARRIVAL = Row(
    "到达",
    "Arrival",
    (
        Panel(
            "记录与没有接受",
            "Ballots by decision",
            ("每秒，按答复。", "Requests each second, by what was answered."),
            (rate("ballot_decisions_total", "decision"),),
            Unit.PER_SECOND,
            stacked=True,
        ),
        Panel(
            "等待：99% 以内",
            "Wait",
            ("从收到到答复。", "From the request's head to the answer."),
            quantiles("ballot_seconds", "0.50", "0.95", "0.99"),
            Unit.SECONDS,
            red=1,
        ),
        Panel(
            "在途",
            "In flight",
            ("正在答复的选票请求。", "Ballot requests being answered now, by instance."),
            (level("ballots_in_flight", "instance"),),
        ),
    ),
)

_BATCHES = Row(
    "分批",
    "Batches",
    (
        Panel(
            "每批选票（平均）",
            "Ballots in a batch",
            ("越忙，每批越大。", "Grows with load: that is what makes it cheap."),
            (
                Query(f"sum(rate(batch_ballots_sum[{RATE}])) / sum(rate(batch_ballots_count[{RATE}]))", "平均"),
                *quantiles("batch_ballots", "0.99"),
            ),
        ),
        Panel(
            "等批次",
            "Wait for a batch",
            ("每批第一张选票等了多久。", "How long the first ballot of a batch waited for its turn."),
            quantiles("batch_wait_seconds", "0.50", "0.99"),
            Unit.SECONDS,
        ),
        Panel(
            "队列",
            "Queue",
            ("满了就请人稍后再来。", "Full: ballots are turned away with a time to come back."),
            (level("ballot_queue_length"), level("ballot_queue_max")),
        ),
    ),
)

_SERVERS = Row(
    "闸口与账本",
    "Turnstile and ledger",
    (
        Panel(
            "闸口的意见",
            "Turnstile by word",
            ("每秒，按意见。", "What it said of ballots each second."),
            (rate("turnstile_decisions_total", "decision"),),
            Unit.PER_SECOND,
            stacked=True,
        ),
        Panel(
            "闸口耗时",
            "Time at Valkey",
            ("超过 50 毫秒就由进程自己限流。", "Past 50 ms the limits inside each process take over."),
            quantiles("turnstile_seconds", "0.50", "0.99"),
            Unit.SECONDS,
            red=0.05,
        ),
        Panel(
            "由进程自己限流的选票",
            "Decided without Valkey",
            ("Valkey 不在时。", "While Valkey was away; workers that reach it."),
            (rate("turnstile_local_total"), rate("turnstile_breaker_total"), level("turnstile_available")),
        ),
        Panel(
            "写入一批：99% 以内",
            "Commit of a batch",
            ("含提交。", "One batch in PostgreSQL, commit included."),
            quantiles("ledger_seconds", "0.50", "0.99"),
            Unit.SECONDS,
            red=1,
        ),
        Panel(
            "重新写入",
            "Batches run again",
            ("结果不明的批次，幂等地重做。", "Their outcome was unknown; the same batch ran again."),
            (rate("ledger_retries_total"),),
            Unit.PER_SECOND,
        ),
        Panel(
            "时钟",
            "Clocks",
            ("与 PostgreSQL 的偏差；超过 1 秒不收选票。", "Against PostgreSQL; past 1 s a worker takes no ballots."),
            (
                Query("max by (job) (clock_offset_seconds)", "{{job}} 最快"),
                Query("min by (job) (clock_offset_seconds)", "{{job}} 最慢"),
            ),
            Unit.SECONDS,
        ),
    ),
)

_TALLY = Row(
    "计票",
    "Tally",
    (
        Panel(
            "计入人数和票数",
            "Taken up by the tally",
            ("每秒计入的选票。", "Ledger rows each second."),
            (rate("ballots_counted_total"),),
            Unit.PER_SECOND,
        ),
        Panel(
            "计票落后（张）",
            "Tally behind, in ballots",
            ("账本里还没有计入的。", "Ledger rows not taken up yet."),
            (level("tally_lag_ballots", how="max"),),
        ),
        Panel(
            "计票落后（秒）",
            "Tally behind, in seconds",
            ("最早一张等了多久。", "Age of the oldest of them."),
            (level("tally_lag_seconds", how="max"),),
            Unit.SECONDS,
            red=60,
        ),
        Panel(
            "延长与封存",
            "Extended and sealed",
            ("过去一小时。", "Windows extended by the outage rule, tallies sealed, within an hour."),
            (
                Query("sum(increase(extensions_total[1h]))", "延长"),
                Query("sum(increase(sealed_rounds_total[1h]))", "封存"),
            ),
        ),
    ),
)

BOARD = Board("voting", "投票热路径", "Voting hot path", (_ARRIVAL, _BATCHES, _SERVERS, _TALLY))
