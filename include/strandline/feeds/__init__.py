"""The sidecar: drives the venues' feeds and writes ticks."""
