"""Assisted voting: stations where a helper signs people in, who then vote unseen."""
