"""The official calendar: years uploaded by the office, else the published one, else a provisional one."""
