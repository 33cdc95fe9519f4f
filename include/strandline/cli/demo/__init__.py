"""`strandline demo`: the whole system on simulated venues, with a scenario in which it trades soon."""
