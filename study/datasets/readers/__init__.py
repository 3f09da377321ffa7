"""Readers: one file for each form in which datasets come."""
