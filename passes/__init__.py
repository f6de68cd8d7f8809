"""Rewrites on the dialects, one pass a file."""
