"""The cycle's own steps over history."""
