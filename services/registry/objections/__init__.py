"""Objections (异议) against a list: filed by anybody, answered by the office, the objector hidden from the unit."""
