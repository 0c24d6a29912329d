"""The embedded platform: real PostgreSQL, Valkey and Caddy from wheels, under one home folder.

`services/cli/supervisor.py` runs what the modules here describe. Invariant: nothing outside the home
(and, for an overlong socket path, one private temporary folder) is created or changed.
"""
