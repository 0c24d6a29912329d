"""Votes granted anew after an exclusion: "somebody voted as me"."""
