"""After confirmation: subsidies, inspections, acceptance."""
