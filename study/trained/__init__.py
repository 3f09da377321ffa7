"""Serving: using a trained run after its study: choosing it, running it, exporting it, explaining it."""
