"""The `strandline` command."""
