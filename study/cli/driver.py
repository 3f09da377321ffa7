"""What `study run` does: plan, execute what is missing, write the report."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from study.analysis.power import seeds_for_a_plan
from study.cli.app import say
from study.cli.options import split_names
from study.cli.run_options import AUTO_JOBS, MOST_MINUTES, Flags
from study.cli.summary import next_commands, ranked_table
from study.core.environment import usable_cores
from study.core.errors import StoreError, UsageError, WriteError
from study.core.record import Record
from study.core.registry import load_plugins
from study.core.spec import Spec
from study.core.store import PUBLISHED, Store, studies
from study.datasets.audit.near_duplicates import find_near, near_groups
from study.datasets.cache import default_dir
from study.datasets.image_set import ImageSet
from study.datasets.load import load, synthetic_settings
from study.datasets.readers.ferplus import read_ferplus
from study.datasets.synthetic import set_name
from study.execution.executors import EXECUTORS, Executor
from study.execution.locks import Locks
from study.execution.progress import make_display, run_name
from study.execution.queue import Work
from study.execution.recovery import recover
from study.execution.time_limit import TimeLimit
from study.execution.weights_kept import WeightsKept
from study.models.entry import ModelEntry
from study.planning.concurrency import Paces, choose_jobs, free_memory_mb, measure_concurrency
from study.planning.grid import Choices, Grid, check_share, parse_seeds, read_grid, resolve_specs, select_pairs
from study.planning.plan import Estimates, Plan, duration, make_plan, speeds_here
from study.planning.time_budget import choose_budget, cut, fit_time_budget, is_fast, speeds_from
from study.protocols import Protocol
from study.protocols.budgets import Budget, Speed, budget_names, read_budget
from study.trackers import Tracker, check_tracker, open_tracker
from study.training.backend import chosen_backend, require_backend
from study.training.device import visible_gpus
from study.training.environment import THREADS
from study.training.precision import resolve_precision

#: Exit code where ``--time-limit`` ended the command before its last run.
MORE_TO_DO = 3
A_DAY_S = 24 * 3600


def run(given: Flags) -> int:
    """Plan, execute and report; return the exit code: 0 all done, 1 some runs failed, 3 the time is up before the end.

    Raises:
        StudyError: wrong usage, data or store.
        KeyboardInterrupt: Ctrl-C or SIGTERM; what was finished is kept.
    """
    limit = TimeLimit(given.time_limit_s) if given.time_limit_s else None
    load_plugins(given.plugins)
    for name in split_names(given.track):
        check_tracker(name)
    grid = read_grid(given.grid)
    pairs = select_pairs(grid, split_names(given.models), split_names(given.protocols))
    choices = make_choices(given, grid)  # without a budget those of full, so that slips are found before data are read
    executor = EXECUTORS.get(given.executor or "process")
    run_specs = choose_executor(given, executor)
    data, named = given.data or grid.data, given.budget or grid.budget
    drawn = choices.budget.synthetic if named else read_budget("demo").synthetic
    image_set = load(data, log=say, synthetic=drawn, archive_gib=given.archive_gib)
    describe(image_set)
    store = Store(given.results, given.study or image_set.name)
    measure = functools.partial(
        measure_concurrency,
        image_shape=image_set.image_shape,
        classes=len(image_set.classes),
        plugins=given.plugins or (),
    )
    paces = Paces(default_dir(), usable_cores(), None if given.dry_run else measure)
    if not named:
        found = find_budget(given, choices, pairs, executor, image_set, store, paces)
        choices = make_choices(replace(given, budget=found), grid)
    workers = jobs_at_a_time(given, executor, choices.budget)
    labels = image_set.labels, image_set.splits, image_set.classes
    ferplus = None if given.ferplus is None else read_ferplus(given.ferplus, *labels)
    if not given.study and (name := study_name(image_set, choices.budget)) != store.study:
        store = Store(given.results, name)
    # Before any time is spent; reading them all finds damaged records now and not when the report is written.
    whole, damaged = store.examine(weights=True)
    store.refuse_other_dataset(image_set.identity, whole)
    recover(store, given.reports, whole, damaged, say, given.dry_run)
    with Locks(store.locks_folder) as locks:
        plan = plan_runs(given, pairs, choices, store, image_set, locks, paces)
        limit_min = min(given.run_limit or choices.budget.run_limit_min or 0.0, MOST_MINUTES)
        settings = f"budget {choices.budget.name}, {choices.precision}, executor {executor.name}"
        settings += f", at most {duration(limit_min * 60)} a run" if limit_min else ""
        say(f"Study: {store.study}, records in {store.folder}, {settings}")
        tell_of_published(store, [run.spec for run in plan.runs])
        wanted = given.jobs == AUTO_JOBS or leaves_cores(given, choices.budget)
        if wanted and not (executor.own_cores or executor.most_jobs == 1):
            workers = share_cores(plan, paces)
        for line in plan.lines(workers, apart=executor.own_cores):
            say(line)
        if given.dry_run:
            recipes = len({(run.spec.recipe, run.spec.protocol.train_share) for run in plan.runs})
            say(seeds_for_a_plan(sum(image_set.counts()["test"]), recipes))
        if given.dry_run or not agreed(given, plan.seconds_left(workers, apart=executor.own_cores)):
            return 0
        if plan.open and not executor.own_cores:
            require_backend()
        locks.clear_left()
        if ferplus is not None:
            store.keep_ferplus(ferplus)
        chosen = functools.partial(
            run_specs,
            workers=min(workers, len(plan.runs)),
            plugins=given.plugins or (),
            limit_s=limit_min * 60 if limit_min else None,
        )
        trackers = [open_tracker(name, store) for name in split_names(given.track)]
        more = execute_plan(plan, store, image_set, locks, chosen, trackers, limit, given.keep_weights)
        records = [record for run in plan.runs if (record := store.find(run.spec)) is not None]
        if records:
            with locks.hold("report", lambda owner: say(f"Waiting for the report that {owner} writes")):
                finish(given, store, image_set, records, trackers)
        if more:
            say(f"The time is up, {more} of {len(plan.runs)} runs are left. Run the same command to resume.")
            return MORE_TO_DO
    return 0 if len(records) == len(plan.runs) and all(record.status == "done" for record in records) else 1


def choose_executor(given: Flags, executor: Executor) -> Callable[..., Any]:
    """Return an executor's ``run_specs``, with what only it takes given.

    Raises:
        UsageError: flags that are not for it.
    """
    only = {name: getattr(given, name) for name in ("address", "cpus_per_run", "gpus_per_run")}
    run_specs: Callable[..., Any] = executor.run_specs
    if executor.options:
        run_specs = functools.partial(run_specs, **executor.options(only, say))
    elif any(value is not None for value in only.values()):
        names = " or ".join(one.name for one in EXECUTORS if one.options)
        raise UsageError(f"--address, --cpus-per-run and --gpus-per-run are for --executor {names}: give it too.")
    most = executor.most_jobs
    if most and given.jobs and given.jobs > most:
        raise UsageError(
            f"the executor {executor.name} takes --jobs {most} at most, got {given.jobs}: give --executor process."
        )
    return run_specs


def jobs_at_a_time(given: Flags, executor: Executor, budget: Budget) -> int:
    """Return how many runs go on at once; 0 where only the executor knows."""
    if given.jobs or executor.own_cores:
        return given.jobs or 0
    return 1 if visible_gpus() else min(budget.usable_jobs(), executor.most_jobs or budget.jobs)


def find_budget(
    given: Flags,
    full: Choices,
    pairs: list[tuple[ModelEntry, Protocol]],
    executor: Executor,
    image_set: ImageSet,
    store: Store,
    paces: Paces,
) -> str:
    """Return the name of the budget for a command that names none, and say why and how to ask for another.

    The study's own, where it has runs: the same command must resume. Else what fits the device at hand.
    """

    def full_s() -> float:
        planned, recorded = resolve_specs(pairs, full, image_set), speeds_here()
        workers = jobs_at_a_time(given, executor, full.budget)
        seconds = make_plan(planned, store, image_set, recorded, {}).seconds_left(workers, executor.own_cores)
        if seconds <= night_s or not is_fast(usable_cores()):
            return seconds
        measured = speeds_from([one.spec for one in planned], recorded, paces.speeds)
        return make_plan(planned, store, image_set, recorded, measured).seconds_left(workers, executor.own_cores)

    night_s = 3600 * (read_budget("tonight").hours or 0)
    name, why = choose_budget(image_set.drawn and not given.epochs, store, full_s, night_s)
    say(f"Budget: {name}, because {why}. For another: --budget {' or '.join(budget_names())}")
    return name


def agreed(given: Flags, seconds: float) -> bool:
    """Ask at a terminal whether to start what takes more than a day; elsewhere nobody is there to answer."""
    if seconds <= A_DAY_S or given.time_limit_s or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    return typer.confirm(f"This takes about {duration(seconds)}, more than a day. Start?")


def make_choices(given: Flags, grid: Grid) -> Choices:
    """Return what the flags, the grid and the budget say together, in this order."""
    budget = read_budget(given.budget or grid.budget or "full")
    seeds = parse_seeds(given.seeds) if given.seeds else grid.seeds or parse_seeds(budget.seeds)
    if given.train_share is not None:
        check_share("--train-share", given.train_share)

    def axis(name: str, otherwise: Any) -> tuple[Any, ...]:
        return grid.axes.get(name, () if otherwise is None else (otherwise,))

    return Choices(
        budget=budget,
        seeds=seeds,
        weights=given.weights,
        sides_px=(given.side,) if given.side else axis("side", grid.side_px),
        train_shares=(given.train_share,) if given.train_share else axis("train_share", grid.train_share),
        epochs=given.epochs or grid.epochs,
        precision=resolve_precision(given.precision or ("auto" if budget.hours else "float32")),
        backend=chosen_backend(),
    )


def plan_runs(
    given: Flags,
    pairs: list[tuple[ModelEntry, Protocol]],
    choices: Choices,
    store: Store,
    image_set: ImageSet,
    locks: Locks,
    paces: Paces,
) -> Plan:
    """Resolve the specs, with the budget cut to the night where it asks for that, and compare them with the store.

    Of several drivers that start at once, one measures what fits a night and the others take what it found.
    """
    speeds = speeds_here()
    measured: Mapping[str, Speed] = {}
    planned = resolve_specs(pairs, choices, image_set)
    if choices.budget.hours:
        measure = None if given.dry_run else paces.speeds
        wait = locks.hold("tonight", lambda owner: say(f"Waiting for the speeds that {owner} measures"))
        with contextlib.nullcontext() if given.dry_run else wait:
            night = fit_time_budget(planned, choices.budget, store, image_set, speeds, measure)
        for line in night.lines:
            say(line)
        planned = cut(planned, night.updates)
        measured = night.speeds
    return make_plan(planned, store, image_set, speeds, measured)


def leaves_cores(given: Flags, budget: Budget) -> bool:
    """Return whether one run after the other, which nobody has asked for, would leave cores without work."""
    return given.jobs is None and budget.jobs == 1 and usable_cores() > THREADS


def share_cores(plan: Plan, paces: Paces) -> int:
    """Return how many runs go on at once with ``--jobs auto`` and say why."""
    if gpus := visible_gpus():
        say(f"Jobs: one at a time on {gpus[0].name}, which one run keeps busy; more share its memory with --jobs N")
        return 1
    jobs, why = choose_jobs(plan.open, paces, free_memory_mb())
    say(why)
    return jobs


def execute_plan(
    plan: Plan,
    store: Store,
    image_set: ImageSet,
    locks: Locks,
    run_specs: Callable[..., Generator[Record, None, None]],
    trackers: Sequence[Tracker],
    limit: TimeLimit | None,
    keep_weights: str,
) -> int:
    """Execute the open runs and store every record as it comes; return how many are left because the time is up.

    ``run_specs`` is an executor's, with all but its jobs, the image set and ``on_event`` given.

    Raises:
        WriteError: the store cannot be written any more.
        KeyboardInterrupt: Ctrl-C or SIGTERM.
    """
    kept = WeightsKept(store, plan.runs, keep_weights)
    if not plan.open:
        kept.tell(say)
        return 0
    keep_dataset(store, image_set)
    say("")
    display = make_display(plan.open)
    try:
        with display:
            estimates = Estimates(plan.open, image_set)
            work = Work(plan.open, store, locks, display, estimates, limit, keep_weights != "none")
            with contextlib.closing(run_specs(work, image_set, on_event=work.on_event)) as records:
                for record in records:
                    work.keep(record)
                    kept.add(record)
                    if trackers and (stored := store.find(record.spec)):  # not where another driver took the run over
                        for tracker in trackers:
                            tracker.log(stored)
    except (KeyboardInterrupt, WriteError):
        say(f"Stopped after {display.finished} of {display.total} runs, which are kept; the same command goes on.")
        raise
    kept.tell(say)
    return len(work.stopped)


def study_name(image_set: ImageSet, budget: Budget) -> str:
    """Return what a study is called that has no name given: the budget's on its own faces, else the dataset's."""
    own = budget.synthetic and image_set.name == set_name(**synthetic_settings(budget.synthetic))
    return budget.name if own else image_set.name


def tell_of_published(store: Store, specs: Sequence[Spec]) -> None:
    """Say which published studies hold some of the specs: they are not this study's."""
    others = [name for name in studies(store.results) if name.startswith(f"{PUBLISHED}/") and name != store.study]
    for name in others:
        if count := Store(store.results, name).count(specs):
            say(f"  {count} of its runs are in {name} too, which this study leaves alone")


def keep_dataset(store: Store, image_set: ImageSet) -> None:
    """Write what reports need to know about the images where the store does not have it yet."""
    arrays = {"labels": image_set.labels, "ids": image_set.ids, "splits": image_set.splits, "hashes": image_set.hashes}
    known: Mapping[str, NDArray[Any]] = {}
    with contextlib.suppress(StoreError):  # a damaged file is written anew
        known = store.find_dataset() or {}
    if "near_groups" in known and np.array_equal(known["hashes"], image_set.hashes):
        arrays["near_groups"] = known["near_groups"]
    else:
        say("Looking for near copies, once a study")
        groups = near_groups(image_set.hashes, find_near(image_set))
        arrays["near_groups"] = groups.astype(np.int32)
    store.keep_dataset(arrays)


def finish(given: Flags, store: Store, image_set: ImageSet, records: list[Record], trackers: Sequence[Tracker]) -> None:
    """Write the report, log what is not logged yet, and print the ranked table, what failed and what to type next."""
    from study.report.local import write_local_pictures
    from study.report.write import write_report

    forms = ("html",) if store.study == store.title else ()  # a committed report has the forms that it has
    page = write_report(store, given.reports, forms=forms)
    write_local_pictures(store, image_set, given.reports)
    for line in ranked_table(store, records):
        say(line)
    failed = [record for record in records if record.status != "done"]
    if failed:
        say(f"{len(failed)} of {len(records)} runs failed; the same command tries them again:")
    for record in failed:
        say(f"  {run_name(record.spec)}: {record.reason}")
    for tracker in trackers:
        for record in records:
            tracker.log(record)
        tracker.log_report(page.parent)
        say(f"Logged: {tracker.look}")
    for line in next_commands(store, page):
        say(line)


def describe(image_set: ImageSet) -> None:
    """Say what the dataset holds, after the reader has said where it comes from."""
    height, width, channels = image_set.image_shape
    counts = {name: sum(numbers) for name, numbers in image_set.counts().items()}
    colour = "grey" if channels == 1 else f"{channels} channels"
    numbers = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    say(f"  {len(image_set):,} images ({numbers}), {len(image_set.classes)} classes, {width}x{height} {colour}")
    say(f"  {image_set.split_source}")
    for note in image_set.notes:
        say(f"  Note: {note}")
