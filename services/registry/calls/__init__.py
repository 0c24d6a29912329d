"""Calls (申报通知): a round before its rules are frozen."""
