"""Preliminary review (初审): opened at the deadline, two checklists, one completion, a decision, an appeal."""
