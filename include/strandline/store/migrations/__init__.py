"""The schema's history; each step goes forward and back."""
