"""Boltzmann machines: energies, sampling, learning and partition functions, as pure functions of arrays."""
