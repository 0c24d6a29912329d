"""Projects after confirmation: grants, expenditure, inspections, acceptance and settlement."""
