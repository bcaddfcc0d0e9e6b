"""Diagnosis: what can be read off a network, layer by layer, and which symptoms that shows."""
