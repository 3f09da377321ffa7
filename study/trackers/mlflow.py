"""Runs in MLflow's own form: a local SQLite file and a folder of reports, no server, nothing sent."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.core.record import Record
from study.core.store import Store
from study.trackers import tracker
from study.trackers.content import Content, content_of

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

KEY, VERSION = "study.key", "study.version"
_REPORT = "report"
#: What MLflow takes of a name and of a batch.
_MOST_PARAMS, _MOST_METRICS = 100, 1000


@tracker("mlflow", needs="mlflow")
class Log:
    """An experiment of the study's name in ``<folder>/mlflow.db``."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._database = folder / "mlflow.db"
        folder.mkdir(parents=True, exist_ok=True)
        self._client = _client(self._database)
        found = self._client.get_experiment_by_name(store.study)
        artifacts = (folder.resolve() / "mlflow" / store.study).as_uri()
        self._experiment = (
            found.experiment_id if found else self._client.create_experiment(store.study, artifact_location=artifacts)
        )

    @property
    def look(self) -> str:
        """What a person types to see what was logged (with all of MLflow installed)."""
        return f"mlflow ui --backend-store-uri sqlite:///{self._database}"

    def log(self, record: Record) -> None:
        """Log a stored record; whatever is no finished run of our own making is passed over."""
        if record.status != "done" or record.imported:
            return
        earlier = self._runs(record.key)
        if any(run.data.tags.get(VERSION) == record.predictions_sha256 for run in earlier):
            return
        for run in earlier:
            self._client.delete_run(run.info.run_id)  # the same run before it was done again
        self._write(content_of(self._store.load_arrays(record)))

    def log_report(self, folder: Path) -> None:
        """Log the study's report from its folder: the page with its figures and tables."""
        for run in self._runs(_REPORT):
            self._client.delete_run(run.info.run_id)
        run = self._client.create_run(self._experiment, run_name=_REPORT, tags={KEY: _REPORT})
        for part in ("README.md", "report.html"):
            if (folder / part).is_file():
                self._client.log_artifact(run.info.run_id, str(folder / part))
        for part in ("figures", "tables"):
            if (folder / part).is_dir():
                self._client.log_artifacts(run.info.run_id, str(folder / part), part)
        self._client.set_terminated(run.info.run_id)

    def _runs(self, key: str) -> list[Any]:
        return list(self._client.search_runs([self._experiment], f"tags.`{KEY}` = '{key}'"))

    def _write(self, content: Content) -> None:
        """Log a run; its version goes last, so that half a run is logged anew."""
        from mlflow.entities import Metric, Param

        start_ms, end_ms = round(1000 * content.start_s), round(1000 * content.end_s)
        run = self._client.create_run(self._experiment, start_ms, {KEY: content.key}, run_name=content.key)
        place = run.info.run_id
        params = [Param(name, value) for name, value in content.params.items()]
        metrics = [Metric(name, value, end_ms, 0) for name, value in content.metrics.items() if _fits(name)]
        metrics += [
            Metric(f"curve_{name}", point.value, round(1000 * point.time_s), point.epoch)
            for name, points in content.curves.items()
            for point in points
        ]
        for first in range(0, len(params), _MOST_PARAMS):
            self._client.log_batch(place, params=params[first : first + _MOST_PARAMS])
        for first in range(0, len(metrics), _MOST_METRICS):
            self._client.log_batch(place, metrics=metrics[first : first + _MOST_METRICS])
        self._client.log_text(place, content.report, "report.md")
        self._client.set_terminated(place, end_time=end_ms)
        self._client.set_tag(place, VERSION, content.version)


def _fits(name: str) -> bool:
    """Tell whether MLflow takes a name; classes may be called anything."""
    return all(letter.isalnum() or letter in "_-. /" for letter in name)


def _client(database: Path) -> MlflowClient:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that MLflow imports
        from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)  # the steps of making tables
    return MlflowClient(f"sqlite:///{database.resolve()}")
