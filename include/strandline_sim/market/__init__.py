"""A simulated market that several venues share: every price is a function of the seed, the symbol and the time.

Nothing is stored and nothing is walked through, so any instant can be asked for at once, and always answers the same.
"""
