"""Layers of image networks: windows over images, and what is computed in them. No strategy here."""
