"""Comparison: stored runs become paired differences, intervals and verdicts. Numbers only, no JAX."""
