"""Paper trading: a venue's real prices, simulated fills, no keys."""
