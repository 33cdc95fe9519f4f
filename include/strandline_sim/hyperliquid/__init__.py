"""A simulated Hyperliquid: a pure exchange, and its REST and WebSocket protocols on one port."""
