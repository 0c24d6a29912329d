"""Calls (申报通知): a round from its first draft to its freezing, and what the channels recommend for it."""
