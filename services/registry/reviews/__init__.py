"""Recommendation by channels and the preliminary review."""
