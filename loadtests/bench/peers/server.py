"""Runs a peer's ASGI application exactly as our services run theirs: uvicorn, uvloop, httptools, no access log, frozen
garbage, one process. `python -m loadtests.bench.peers.server MODULE:NAME PORT`, started by the comparison.
"""

from __future__ import annotations

import gc
import importlib
import sys

import uvicorn


def main(arguments: list[str]) -> int:
    module, _, name = arguments[0].partition(":")
    application = getattr(importlib.import_module(module), name)
    config = uvicorn.Config(
        application, host="127.0.0.1", port=int(arguments[1]), loop="uvloop", http="httptools", ws="none",
        lifespan="auto", access_log=False, log_level="warning", server_header=False, date_header=False,
        proxy_headers=False, timeout_keep_alive=75, backlog=4096,
    )  # fmt: skip
    gc.collect()
    gc.freeze()
    uvicorn.Server(config).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
