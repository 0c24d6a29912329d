"""A complete rules file, every table and key written, for tests that change one thing in it."""

FULL = """schema = 1

[round]
id = "lakeside-2030"
title = "滨湖区评选"
timezone = "Asia/Shanghai"

[windows]
application    = { opens = 2030-03-01T00:00:00+08:00, closes = 2030-04-01T00:00:00+08:00 }
recommendation = { opens = 2030-04-02T09:00:00+08:00, closes = 2030-04-09T18:00:00+08:00 }
voting         = { opens = 2030-05-06T09:00:00+08:00, closes = 2030-05-12T12:00:00+08:00 }
scoring        = { opens = 2030-05-13T09:00:00+08:00, closes = 2030-05-17T18:00:00+08:00 }
review_working_days = 4
appeal_working_days = 2
objection_working_days = 6
commit_grace_s = 20
hold_decision_working_days = 1

[quotas]
district = 4
municipal_unit = 1

[ballot]
choices_min = 2
choices_max = 6
group_max = 3
channels_min = 2
per = "day"
identity = "phone_and_id"
persons_per_phone = 2
stratum = "phone_region"
held_shown_after_h = 24

[outage]
success_below = "0.9"
for_minutes = 10
within_last_hours = 24
extend_minutes = 120

[groups]
by = ["level", "category"]

[[criteria]]
id = "innovation"
title = "创新性"
weight = "0.4"
min = "0"
max = "100"
step = "0.5"

[[criteria]]
id = "effect"
title = "成效"
weight = "0.6"
min = "-10"
max = "10"
step = "1"

[experts]
adjust = "additive"
aggregate = "trimmed_mean"
order = "criterion_first"
trim_low = 1
trim_high = 1
panel_min = 5
fallback = "median"
aggregate_decimals = 2
component_decimals = 3
points = [5, "2.5"]
ridge = "0.5"
marks_min = 10

[votes]
transform = "rank_points"
per = "stratum"
cap = "0.25"
points = [3, 2, 1]
ties = "best"
decimals = 1

[combination]
votes = "0.3"
experts = "0.7"
experts_transform = "t_score"
experts_decimals = 2
decimals = 4
rounding = "half_even"
tie_break = ["experts", "criterion:effect", "criteria", "votes", "lots"]
lots_commitment = "AB12000000000000000000000000000000000000000000000000000000000034"

[selection]
places = { "major;other" = 3, "key;other" = 10 }
reserve = 2
floor = "60.5"
tie_at_cut = "include"

[publication]
ranking = "selected"
ballots = "ballots"
small_group_min = 20
"""


def line_of(fragment: str, text: str = FULL) -> int:
    """Return the number of the first line that holds the fragment."""
    return next(number for number, line in enumerate(text.split("\n"), start=1) if fragment in line)
