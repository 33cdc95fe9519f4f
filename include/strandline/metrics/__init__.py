"""Figures for Prometheus, computed from Postgres at scrape."""
