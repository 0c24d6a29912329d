"""`--profile`: where the CPU of an accepted ballot goes, by process and by Python function of the voting worker.

The sampler slows the worker by a few per cent: these figures say where to look, those of a plain run how much it is.
"""

from __future__ import annotations

import os
import signal

import msgspec

from loadtests.bench.measure import Bench, Running, Stretch
from loadtests.bench.sampled_voting import FILE_VARIABLE, Samples

_ROWS = 30


async def profile(bench: Bench) -> str:
    """Runs the sampled worker under load; returns a readable report."""
    stage = bench.stage
    file = stage.folder / "samples.json"
    module = "loadtests.bench.sampled_voting"
    # The file's variable has the service's own prefix, because only such names are passed on to it.
    spec = stage.voting_variant({FILE_VARIABLE: str(file)}, module)
    async with stage.running(spec) as pid:
        roots = {"voting": pid, "postgres": stage.pid("postgres"), "valkey": stage.pid("valkey")}
        running = Running(stage.port("voting"), roots, [pid])
        expected = await bench.warm(running)
        os.kill(pid, signal.SIGUSR1)
        stretch, _ = await bench.accept(running, bench.plan.seconds, per_s=expected)
        os.kill(pid, signal.SIGUSR1)
    samples = msgspec.json.decode(file.read_bytes(), type=Samples)
    return report(stretch, samples)


def report(stretch: Stretch, samples: Samples) -> str:
    """µs per ballot: by process, by function alone, by function with what it calls."""
    each = {name: used / max(1, stretch.decided) for name, used in stretch.cpu_us.items()}
    lines = [f"{stretch.per_s:.0f} ballots/s with the sampler on; CPU µs per ballot by process:"]
    lines += [f"  {used:8.1f}  {name}" for name, used in each.items()]
    scale = each["voting"] / max(1, samples.total)
    for title, counts in (("the function itself", samples.alone), ("with what it calls", samples.within)):
        lines += ["", f"CPU µs per ballot in the voting worker, {title} ({samples.total} samples):"]
        ranked = sorted(counts.items(), key=lambda item: -item[1])[:_ROWS]
        lines += [f"  {count * scale:8.1f}  {name}" for name, count in ranked]
    return "\n".join(lines)
