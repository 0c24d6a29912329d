"""The rules a first call begins with, where there is no earlier one to copy: the city's defaults without its dates."""

RULES = """\
schema = 1

[round]
id = "new-call"
title = ""
timezone = "Asia/Shanghai"

[windows]
review_working_days = 5
appeal_working_days = 3
objection_working_days = 5
commit_grace_s = 30
hold_decision_working_days = 3

[quotas]
district = 4
zone = 4
municipal_unit = 1

[ballot]
choices_min = 3
choices_max = 9
group_max = 3
channels_min = 2
per = "round"
identity = "phone"

[groups]
by = ["level"]

[[criteria]]
id = "innovation"
title = "创新性"
weight = "0.2"
min = "0"
max = "100"
step = "1"

[[criteria]]
id = "exemplarity"
title = "示范性"
weight = "0.2"
min = "0"
max = "100"
step = "1"

[[criteria]]
id = "practicality"
title = "实践性"
weight = "0.2"
min = "0"
max = "100"
step = "1"

[[criteria]]
id = "breadth"
title = "广泛性"
weight = "0.2"
min = "0"
max = "100"
step = "1"

[[criteria]]
id = "effectiveness"
title = "成效"
weight = "0.2"
min = "0"
max = "100"
step = "1"

[experts]
aggregate = "trimmed_mean"
order = "criterion_first"
trim_low = 1
trim_high = 1
panel_min = 5
aggregate_decimals = 2
component_decimals = 2

[votes]
transform = "t_score_log"
decimals = 2

[combination]
votes = "0.3"
experts = "0.7"
experts_transform = "t_score"
experts_decimals = 2
decimals = 2
tie_break = ["experts", "criteria", "votes"]

[selection]
places = { major = 3, key = 10, general = 30 }
reserve = 2
tie_at_cut = "exclude"

[publication]
ranking = "all"
ballots = "totals"
small_group_min = 20
"""
CHANNELS = """\
[[channels]]
id = "city"
name = "市级单位"
kind = "municipal_unit"
"""
FILES = {"rules.toml": RULES, "channels.toml": CHANNELS}
