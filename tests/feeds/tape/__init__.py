"""A long proof of market data: a tape of trades, a venue that sends it, and tables that must tell the same.

The venue is a process of its own and shares no code with the library or the simulator. The proof goes through the
outside of the sidecar: its command line, its sockets, its tables.
"""
