"""Clusterers: each learns from weighted points and is assigned as SQL."""
