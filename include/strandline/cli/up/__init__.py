"""`strandline up`: the whole system on one machine, started in order, watched, restarted, and ended without a rest."""
