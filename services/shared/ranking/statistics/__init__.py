"""What is published beside a ranking, so that nobody has to trust it: agreement, weights, intervals, sensitivity.

Pure and exact like the rest of the core: every number is a fraction, chance comes from a named seed alone, and a number
is rounded only where it is written. Nothing here changes a result. `report.py` puts it together.
"""
