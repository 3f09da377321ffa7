"""`python -m study.run` is `study run`."""

from study.cli.app import run_app
from study.cli.run import app

if __name__ == "__main__":
    run_app(app)
