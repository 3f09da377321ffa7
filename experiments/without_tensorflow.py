"""Print what this package needs where Keras runs on JAX: its dependencies and the extra `jax`, TensorFlow left out."""

import re
import tomllib
from pathlib import Path

#: KerasCV cannot be imported without TensorFlow; what it does here has twins.
LEFT_OUT = ("tensorflow", "keras-cv")


def main():
    """Print a requirement a line."""
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for need in [*project["dependencies"], *project["optional-dependencies"]["jax"]]:
        if re.split(r"[<>=!~ ]", need)[0] not in LEFT_OUT:
            print(need)


if __name__ == "__main__":
    main()
