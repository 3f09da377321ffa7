"""A comparative study harness for transfer learning on facial emotions."""

__version__ = "0.1.0"
