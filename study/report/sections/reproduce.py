"""The commands that train what a study holds and check its report, and the versions and keys behind it."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from study.analysis.influence import linearise
from study.analysis.metric import Metric, ordered
from study.analysis.pairs import MARGIN
from study.analysis.runs import ScoredRun
from study.core.record import Record
from study.core.spec import RANDOM_FEATURES, RunProtocol
from study.report.collect import StudyData
from study.report.section import Section, section
from study.report.table import Column, Table, hidden, text_columns
from study.report.wording import NOTHING, code

TEMPLATE = """\
```sh
{{ commands }}
```

{% if not card.drawn %}
`PATH` is the data set with the fingerprint above.
{% endif %}
{% if data.updates_file %}
The budget measures the machine it runs on. For the updates of these runs, first copy `{{ data.updates_file }}` from \
this study's folder in `results/` into the new one.
{% endif %}
In training, all random choices derive from the run's seed.
{% if versions %}
{{ folded("Versions and machine", versions.markdown()) }}
{% endif %}
{{ folded("Run keys", keys.markdown()) }}


"""


@section("reproduce", title="How to reproduce", place=200)
def write(data: StudyData) -> Section:
    """Return what trains the same runs and checks the report."""
    return Section.of(
        TEMPLATE,
        card=data.card,
        commands="\n".join(commands(data)),
        keys=run_keys_table(data),
        versions=_versions_table(data) if data.finished else None,
        data=data,
    )


def commands(data: StudyData) -> list[str]:
    """Return ``study run`` for every block of runs that were made together, every import, then the report."""
    margin = f"{100 * data.found.margin:g}" if data.found else f"{100 * MARGIN:g}"
    report = ["study", "report", data.study, "--margin", margin]
    source = "synthetic" if data.card.drawn else "PATH"
    runs = [_run(data.study, source, block) for block in blocks(data.trained)]
    runs += [_import(data.study, record) for record in data.records if record.imported]
    return [shlex.join(words) for words in (*runs, report, ["study", "report", data.name, "--check"])]


def blocks(records: Iterable[Record]) -> list[list[Record]]:
    """Split records into blocks in which every model was run under every protocol with every seed.

    Recipes with equal seeds and settings are joined: first the protocols of a model, then models with equal protocols.
    """
    recipes: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        spec = record.spec
        flags = (spec.side_px, spec.protocol.train_share, "" if _fixed(record) else spec.weights.sha256)
        recipes.setdefault((*spec.recipe, *flags), []).append(record)
    of_model: dict[tuple[object, ...], list[Record]] = {}
    for (model, *_), runs in recipes.items():
        of_model.setdefault((model, _seeds(runs), tuple(_settings(runs))), []).extend(runs)
    joined: dict[tuple[object, ...], list[Record]] = {}
    for (_, seeds, settings), runs in of_model.items():
        joined.setdefault((seeds, settings, _names(runs, "protocol")), []).extend(runs)
    return list(joined.values())


def _run(study: str, source: str, block: Sequence[Record]) -> list[str]:
    seeds = ",".join(map(str, _seeds(block))) + ("," if len(_seeds(block)) == 1 else "")  # "3" would be a count
    return [
        *("study", "run", "--data", source, "--study", study),
        *("--models", ",".join(_names(block, "model")), "--protocols", ",".join(_names(block, "protocol"))),
        *("--seeds", seeds),
        *_settings(block),
    ]


def _import(study: str, record: Record) -> list[str]:
    seed = ["--seed", str(record.spec.seed)] if record.spec.seed else []
    return ["study", "import", "predictions.csv", "--name", record.spec.model.name, "--study", study, *seed]


def _settings(records: Sequence[Record]) -> list[str]:
    """Return the flags whose value is one and the same in all records."""
    specs = [record.spec for record in records]
    sources: set[object] = {spec.weights.source for spec in specs if spec.model.family == "transfer"}
    sources = {"FILE" if source == "file" else source for source in sources if not all(map(_fixed, records))}
    values: dict[str, set[object]] = {
        "--budget": {spec.budget for spec in specs},
        "--epochs": {epochs for spec in specs for epochs in _epochs(spec.protocol)},
        "--side": {spec.side_px for spec in specs},
        "--train-share": {spec.protocol.train_share for spec in specs if spec.protocol.train_share < 1},
        "--precision": {spec.precision for spec in specs},
        "--weights": sources if sources <= {"none", RANDOM_FEATURES, "imagenet", "FILE"} else set(),
    }
    return [word for flag, found in values.items() if len(found) == 1 for word in (flag, str(*found))]


def _epochs(protocol: RunProtocol) -> set[int]:
    """Return the epochs of every phase, or of all together where the protocol's ``--epochs`` means that."""
    lengths = [phase.epochs for phase in protocol.phases]
    return {sum(lengths)} if protocol.epochs_in_all else set(lengths)


def _fixed(record: Record) -> bool:
    """Tell whether the protocol itself says what its runs start from."""
    return bool(record.spec.protocol.start)


def _seeds(records: Sequence[Record]) -> tuple[int, ...]:
    return tuple(sorted({record.spec.seed for record in records}))


def _names(records: Sequence[Record], what: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(getattr(record.spec, what).name for record in records))


def run_keys_table(data: StudyData) -> Table:
    """Every record's key, state, origin and scores."""
    metrics = ordered(lambda one: not one.each_class)
    scored = {run.record.key: run for run in data.finished}

    def state(record: Record) -> str:
        late = record.outcome and not record.outcome.converged
        return "done, not converged" if late else "imported" if record.imported else record.status

    columns = [
        Column("key", "run key", code, right=False),
        Column("status", "state", right=False, value=state),
        Column("commit", "commit", right=False, value="provenance.commit"),
        Column("code", "code", right=False, value="provenance.code"),
        Column("predictions_sha256", "predictions", right=False, value=lambda record: record.predictions_sha256[:12]),
        *(Column(name, value=f"spec.{name}") for name in ("budget", "precision", "side_px")),
        Column("model", value=lambda record: data.recipe(record).model),
        Column("protocol", value=lambda record: data.recipe(record).protocol),
        Column("seed", value="spec.seed"),
    ]
    scores = hidden("validation_accuracy", *(f"test_{metric.name}" for metric in metrics))
    rows = [
        [*(column.cell(record) for column in columns), *_scores(scored.get(record.key), metrics)]
        for record in data.records
    ]
    return Table("runs", [*columns, *scores], rows)


def _scores(run: ScoredRun | None, metrics: Sequence[Metric]) -> list[float | None]:
    """Return a run's validation accuracy and its metrics on the test split, None where it has none."""
    if run is None:
        return [None] * (1 + len(metrics))
    arrays, sure = run.record.arrays, run.record.has_probabilities
    values = [
        float(linearise(one.name, arrays["test_probabilities"][None], arrays["test_labels"]).values[0])
        if sure or one.confusion
        else None
        for one in metrics
    ]
    return [run.validation.accuracy, *values]


def _versions_table(data: StudyData) -> Table:
    """With what the finished runs were made; several values are listed with their number of runs."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for run in data.finished:
        if run.record.imported:  # what they were made with is not known
            continue
        where = run.record.provenance
        names = ("study", "commit", "code", "python", "system", "processor", "threads")
        facts = {name: getattr(where, name) for name in names} | dict(where.versions)
        for name, value in (facts | {"precision": run.spec.precision, "backend": run.spec.backend}).items():
            seen[name][str(value or NOTHING)] += 1
    rows = [
        [name, ", ".join(f"{one} ({values[one]} runs)" if len(values) > 1 else one for one in sorted(values))]
        for name, values in seen.items()
    ]
    return Table("versions", text_columns("what", "value"), rows)
