"""Applications (申报书) from the first draft to the candidate."""
