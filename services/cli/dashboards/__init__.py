"""Grafana's dashboards as code: each board is a list of rows of panels; `pingxuan reference dashboards --write` makes
the JSON files of deploy/grafana from them. Nothing here runs in production.
"""

from services.cli.dashboards.city import BOARD as CITY
from services.cli.dashboards.fairness import BOARD as FAIRNESS
from services.cli.dashboards.office import BOARD as OFFICE
from services.cli.dashboards.scoring import BOARD as SCORING
from services.cli.dashboards.servers import BOARD as SERVERS
from services.cli.dashboards.services import BOARD as SERVICES
from services.cli.dashboards.voting import BOARD as VOTING

BOARDS = (CITY, VOTING, FAIRNESS, SCORING, OFFICE, SERVICES, SERVERS)
