"""Rounds: files in, frozen and hashed rounds out, and what may still happen to them afterwards."""
