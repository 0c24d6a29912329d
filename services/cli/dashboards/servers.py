"""PostgreSQL and Valkey as the services see them, and the processes of the embedded platform."""

from services.cli.dashboards.panels import RATE, Board, Panel, Query, Row, Unit, level, rate


def _answers(server: str, title: str, about: tuple[str, str]) -> tuple[Panel, Panel]:
    """Whether the services reach a server, and how long it takes."""
    return (
        Panel(title, "Answers", about, (level(f"{server}_up", "job", how="max"),), red=1, low_is_bad=True),
        Panel(
            "应答时间",
            "Time of an answer",
            ("一个最简单的问题。", "Of one trivial question."),
            (level(f"{server}_answer_seconds", "job", how="max"),),
            Unit.SECONDS,
        ),
    )


_POSTGRES = Row(
    "PostgreSQL",
    "as each service sees its database",
    (
        *_answers("postgres", "数据库应答", ("1：服务连得上自己的数据库。", "1: the service reaches its database.")),
        Panel(
            "连接",
            "Connections",
            ("整个服务器。", "To the whole server, and how many it takes."),
            (level("postgres_connections", how="max"), level("postgres_connections_max", how="max")),
        ),
        Panel(
            "事务",
            "Transactions",
            ("每秒，按结束方式。", "Each second, by how they ended."),
            (rate("postgres_transactions_total", "job", "outcome"),),
            Unit.PER_SECOND,
        ),
        Panel(
            "最早的事务",
            "Oldest transaction",
            ("开着的事务会挡住消息和计票。", "An open one holds up messages and the tally."),
            (level("postgres_oldest_transaction_seconds", "job", how="max"),),
            Unit.SECONDS,
            red=300,
        ),
        Panel(
            "等锁与死锁",
            "Locks",
            ("现在在等的，和过去一小时的死锁。", "Waited for now; deadlocks within an hour."),
            (
                level("postgres_lock_waits", how="max"),
                Query("sum by (job) (increase(postgres_deadlocks_total[1h]))", "死锁 {{job}}"),
            ),
        ),
        Panel(
            "内存命中",
            "Found in memory",
            ("占读取的块。", "Share of blocks read."),
            (
                Query(
                    f'sum by (job) (rate(postgres_blocks_total{{source="memory"}}[{RATE}]))'
                    f" / sum by (job) (rate(postgres_blocks_total[{RATE}]))",
                    "{{job}}",
                ),
            ),
            Unit.SHARE,
        ),
        Panel(
            "日志写入",
            "Log written",
            ("整个服务器的 WAL。", "WAL of the whole server."),
            (Query(f"max(rate(postgres_wal_bytes_total[{RATE}]))", "WAL"),),
            Unit.BYTES_PER_SECOND,
        ),
        Panel(
            "溢出到磁盘",
            "Spilled to disk",
            ("查询的临时文件。", "Temporary files of queries."),
            (rate("postgres_temporary_bytes_total", "job"),),
            Unit.BYTES_PER_SECOND,
        ),
        Panel(
            "数据量",
            "Size",
            ("每个服务的数据库。", "Of each service's database."),
            (level("postgres_database_bytes", "job", how="max"),),
            Unit.BYTES,
            width=12,
        ),
        Panel(
            "备库",
            "Standbys",
            ("连着的备库和归档。", "Standbys and archivers connected."),
            (level("postgres_standbys", how="max"),),
            width=12,
        ),
    ),
)

_VALKEY = Row(
    "Valkey",
    "limits, hints and streams; may be lost without harm",
    (
        *_answers("valkey", "Valkey 应答", ("1：服务连得上。", "1: the service reaches it.")),
        Panel(
            "命令",
            "Commands",
            ("每秒。", "Each second."),
            (Query(f"max(rate(valkey_commands_total[{RATE}]))", "命令"),),
            Unit.PER_SECOND,
        ),
        Panel(
            "内存",
            "Memory",
            ("用了的和最多能用的。", "Used, and at most."),
            (level("valkey_memory_bytes", how="max"), level("valkey_memory_max_bytes", how="max")),
            Unit.BYTES,
        ),
        Panel(
            "连接",
            "Clients",
            ("客户端和从库；过去一小时被拒的。", "Clients, replicas, and those turned away within an hour."),
            (
                level("valkey_clients", how="max"),
                level("valkey_replicas", how="max"),
                Query("max(increase(valkey_refused_connections_total[1h]))", "被拒"),
            ),
        ),
        Panel(
            "键",
            "Keys",
            ("现有的，和过去一小时被挤掉的。", "Now, and dropped for want of memory within an hour."),
            (level("valkey_keys", how="max"), Query("max(increase(valkey_evicted_keys_total[1h]))", "挤掉")),
        ),
        Panel(
            "写文件",
            "Writes its file",
            ("0：磁盘满了或坏了。", "0: its disk is full or broken; nothing acknowledged is lost."),
            (level("valkey_files_well", how="max"),),
            red=1,
            low_is_bad=True,
            width=12,
        ),
        Panel(
            "运行时间",
            "Uptime",
            ("变小就是重启过。", "Falls with a restart."),
            (level("valkey_uptime_seconds", how="max"),),
            Unit.SECONDS,
            width=12,
        ),
    ),
)

_EMBEDDED = Row(
    "pingxuan up",
    "the embedded servers",
    (
        Panel(
            "进程",
            "Processes",
            ("1：在运行。", "1: it runs."),
            (level("embedded_up", "process"),),
            red=1,
            low_is_bad=True,
        ),
        Panel(
            "重新启动",
            "Restarts",
            ("过去一小时。", "Within an hour, after they ended by themselves."),
            (Query("sum by (process) (increase(embedded_restarts_total[1h]))", "{{process}}"),),
        ),
        Panel(
            "剩余磁盘",
            "Free disk",
            ("平台目录所在的磁盘。", "Where the platform's home lies."),
            (level("embedded_disk_free_bytes", how="min"),),
            Unit.BYTES,
            amber=5e9,
            red=1e9,
            low_is_bad=True,
        ),
        Panel(
            "进程内存",
            "Memory",
            ("共享内存只算一次。", "Shared memory counted once."),
            (level("embedded_memory_bytes", "process"),),
            Unit.BYTES,
            width=12,
        ),
        Panel(
            "进程处理器", "CPU", ("几个核。", "Cores used."), (rate("embedded_cpu_seconds_total", "process"),), width=12
        ),
    ),
)

BOARD = Board("servers", "PostgreSQL 与 Valkey", "PostgreSQL and Valkey", (_POSTGRES, _VALKEY, _EMBEDDED))
