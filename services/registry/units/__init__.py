"""Units and channels: who applies, and through whom. Units register themselves; their district approves them."""
