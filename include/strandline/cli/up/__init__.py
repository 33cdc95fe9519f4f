"""`strandline up`: the whole system on one machine, started in order, supervised, and ended completely."""
