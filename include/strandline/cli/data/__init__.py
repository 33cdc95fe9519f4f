"""`strandline data`: what market data there are, and archived days back."""
