"""What people order: rows, halts, resets, and exits. Each order is one call, one transaction and one strand."""
