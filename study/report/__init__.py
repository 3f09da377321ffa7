"""The report: a pure function of the store that writes Markdown, figures and CSV tables."""
