"""A Solana chain in a box, and Jupiter on it."""

from strandline.sim.solana.rate_limit import Plans
from strandline.sim.solana.tokens import DEFAULT_TOKENS, Prices, Token
from strandline.sim.solana.venue import SolanaVenue

__all__ = ["DEFAULT_TOKENS", "Plans", "Prices", "SolanaVenue", "Token"]
