"""Trainwright: which training strategies help on your data, by how much, and how sure can you be?"""

__version__ = "0.1.0"
