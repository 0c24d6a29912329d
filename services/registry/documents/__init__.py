"""Everything that is printed or handed out as a file."""
