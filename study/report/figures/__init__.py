"""Figures of the report: each knows its data, by which it is checked, and draws itself when asked."""
