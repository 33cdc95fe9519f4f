"""Airflow as `strandline up` runs it: its configuration, its database, and the client of its REST API."""
