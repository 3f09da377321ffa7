"""Tables of the report, each shown as Markdown and kept as CSV."""
