"""Fuzzed frames through a real socket into the real sidecar: whatever comes, every frame is accounted for."""
