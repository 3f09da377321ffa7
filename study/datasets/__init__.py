"""Datasets: reading, caching, splitting and checking image sets."""
