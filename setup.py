"""Build step beside pyproject.toml: a wheel carries experiments/ as study/experiments; the repository has one copy."""

from pathlib import Path
from shutil import copytree, ignore_patterns

from setuptools import setup
from setuptools.command.build_py import build_py

LEFT_OUT = ignore_patterns("*.ipynb", "without_tensorflow.py", "__pycache__", "quickstart")


class WithExperiments(build_py):
    """Copies the grids, the budgets and the example plugins into what is built; a checkout uses them where they are."""

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "study", "experiments")
            copytree("experiments", target, ignore=LEFT_OUT, dirs_exist_ok=True)


setup(cmdclass={"build_py": WithExperiments})
