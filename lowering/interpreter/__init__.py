"""Runs a module of any level on NumPy arrays."""
