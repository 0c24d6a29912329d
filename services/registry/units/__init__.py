"""Units (单位) and the channels they come through."""
