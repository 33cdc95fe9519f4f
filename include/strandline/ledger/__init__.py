"""The ledger: turns fills and cash events into holdings, cash, trades and equity, and appends strands."""
