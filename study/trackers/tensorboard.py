"""Runs as TensorBoard's event files, written without TensorFlow: one folder a run, one file that follows from it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.core.files import write_atomically
from study.core.record import Record
from study.core.store import Store
from study.trackers import tracker
from study.trackers.content import Content, content_of

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary

_PREFIX = "events.out.tfevents"
_REPORT = "report"


@tracker("tensorboard", needs="tensorboard")
class Log:
    """Event files below ``<folder>/tensorboard/<study>/<run key>/``."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._all = folder / "tensorboard"
        self.folder = self._all / store.study

    @property
    def look(self) -> str:
        """What a person types to see what was logged."""
        return f"tensorboard --logdir {self._all}"

    def log(self, record: Record) -> None:
        """Log a stored record; whatever is no finished run of our own making is passed over."""
        if record.status != "done" or record.imported:
            return
        path = self.folder / record.key / f"{_PREFIX}.{record.predictions_sha256[:12]}.study"
        if path.exists():
            return
        write_atomically(path, events(content_of(self._store.load_arrays(record))))
        for other in path.parent.glob(f"{_PREFIX}*"):
            if other != path:
                other.unlink()  # of the same run, before it was done again

    def log_report(self, folder: Path) -> None:
        """Log the study's report from its folder."""
        text = (folder / "README.md").read_text(encoding="utf-8")
        written = [(0, 0.0, _text(_REPORT, text))]
        write_atomically(self.folder / _REPORT / f"{_PREFIX}.0.study", _packed(written))


def events(content: Content) -> bytes:
    """Return the event file of a run; its bytes follow from the content alone."""
    found: list[tuple[int, float, Summary]] = [(0, content.start_s, _hparams(content))]
    for name, points in content.curves.items():
        found += [(point.epoch, point.time_s, _scalar(f"curves/{name}", point.value)) for point in points]
    last = max((points[-1].epoch for points in content.curves.values()), default=0)
    found += [(last, content.end_s, _scalar(f"metrics/{name}", value)) for name, value in content.metrics.items()]
    table = "\n".join(
        ["| parameter | value |", "|:--|:--|", *(f"| {one} | {of} |" for one, of in content.params.items())]
    )
    found += [(0, content.end_s, _text("parameters", table)), (0, content.end_s, _text(_REPORT, content.report))]
    return _packed(found)


def _packed(found: list[tuple[int, float, Summary]]) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    first = min((time_s for _, time_s, _ in found), default=0.0)
    writer.write(Event(wall_time=first, file_version="brain.Event:2").SerializeToString())
    for step, time_s, summary in found:
        writer.write(Event(wall_time=time_s, step=step, summary=summary).SerializeToString())
    return buffer.getvalue()


def _scalar(tag: str, value: float) -> Summary:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=tag, simple_value=value)])


def _text(tag: str, text: str) -> Summary:
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    plugin: Any = SummaryMetadata.PluginData(plugin_name="text")
    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()])
    return Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin), tensor=tensor)])


def _hparams(content: Content) -> Summary:
    """Return the parameters as TensorBoard's table of runs wants them."""
    from tensorboard.plugins.hparams import summary_v2

    summary: Summary = summary_v2.hparams_pb(
        dict(content.params), trial_id=content.key, start_time_secs=content.start_s
    )
    return summary
