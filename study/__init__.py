"""A comparative study harness for transfer learning on facial emotions."""

import os

#: ONNX Runtime 1.29 and later report to Microsoft from the import on, unless this is set before.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
