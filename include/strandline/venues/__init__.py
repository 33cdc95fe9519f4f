"""One folder per venue, behind the same small interfaces; knows its venue and nothing of us."""
