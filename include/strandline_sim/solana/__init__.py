"""A simulated Solana chain with Jupiter."""

from strandline_sim.solana.rate_limit import Plans
from strandline_sim.solana.tokens import DEFAULT_TOKENS, Prices, Token
from strandline_sim.solana.venue import SolanaVenue

__all__ = ["DEFAULT_TOKENS", "Plans", "Prices", "SolanaVenue", "Token"]
