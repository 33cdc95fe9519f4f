"""The simulated Hyperliquid: a pure exchange, behind its REST and WebSocket protocols on one port."""
