"""The page of a dataset's audit."""
