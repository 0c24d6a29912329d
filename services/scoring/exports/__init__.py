"""A ranking as a file for the office and for everybody: `.csv`, `.xlsx`, `.pdf`, `.json`, whole or of one group."""
