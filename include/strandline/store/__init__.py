"""Postgres: schema, migrations, connections, roles, and the embedded server."""
