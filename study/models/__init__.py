"""Model entries: metadata and a builder each, found by themselves."""
