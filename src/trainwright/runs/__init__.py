"""Runs: what one training left behind, how good it was, and the store that keeps it."""
