"""Domain types: frozen records, exact numbers, timeframes, canonical bytes. Imports no other part of the library."""
