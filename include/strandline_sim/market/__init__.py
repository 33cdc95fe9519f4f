"""A simulated market that several venues share: every price is a function of the seed, the symbol and the time.

It stores nothing and computes each instant directly, so that any instant is available at once and never changes.
"""
