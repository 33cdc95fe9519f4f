"""The embedded PostgreSQL server: nothing to install or to configure."""
