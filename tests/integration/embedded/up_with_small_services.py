"""`pingxuan up` exactly as it is, with the small service in place of each of the three."""

from functools import partial
from unittest.mock import patch

from services.cli import up
from services.cli.embedded.keys import SERVICES
from services.cli.supervisor import Platform

MODULES = dict.fromkeys(SERVICES, "tests.integration.embedded.small_service")

with patch.object(up, "Platform", partial(Platform, modules=MODULES)):
    up.up()
