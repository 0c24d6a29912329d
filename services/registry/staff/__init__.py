"""Accounts, passwords and sessions of staff. Everything that changes an account leaves a StaffMessage."""
