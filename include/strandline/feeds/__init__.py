"""The sidecar: runs the venues' feeds and writes their ticks to the database."""
