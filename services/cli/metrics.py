"""Every metric of the embedded platform's own servers and processes, told by the supervisor of `pingxuan up`.

A registry of its own: whoever imports it tells nothing else. A deployment's orchestrator counts these itself.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge

EMBEDDED = CollectorRegistry()

embedded_up = Gauge("embedded_up", "1 while the process runs.", ["process"], registry=EMBEDDED)
embedded_restarts_total = Counter(
    "embedded_restarts_total", "Times a process was started again after it had ended by itself.", ["process"],
    registry=EMBEDDED,
)  # fmt: skip
embedded_memory_bytes = Gauge(
    "embedded_memory_bytes", "Memory of a process and its children, shared memory counted once.", ["process"],
    registry=EMBEDDED,
)  # fmt: skip
embedded_cpu_seconds_total = Counter(
    "embedded_cpu_seconds_total", "CPU time of a process and its children.", ["process"], registry=EMBEDDED
)
embedded_disk_free_bytes = Gauge(
    "embedded_disk_free_bytes", "Free space where the platform's home lies.", registry=EMBEDDED
)
