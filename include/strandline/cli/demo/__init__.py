"""`strandline demo`: the whole system on a market that was made for watching it."""
