"""The survey: a look at every node of a Ray cluster before the first run, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from study.core.errors import UsageError
from study.execution.executors.ray.cluster import Cluster
from study.execution.executors.ray.inputs import Supplies
from study.execution.executors.ray.worker import Marks, NodeFacts, look

#: How long it may take.
LIMIT_S = 300.0


def survey(ray: Any, cluster: Cluster, supplies: Supplies, marks: Marks, may_grow: bool) -> None:
    """Look what is installed on each node, send it what it lacks, and say which folders all share with the driver.

    ``marks`` are those of the first run's folders, and a cluster without room may be one that grows by itself.

    Raises:
        UsageError: a node differs from the driver in what is installed, or none holds a run.
    """
    nodes = alive(ray)
    if not cluster.fit(nodes) and not may_grow:
        wanted = " and ".join(f"{amount:g} {name}" for name, amount in cluster.resources.items())
        raise UsageError(
            f"no node of the Ray cluster has the {wanted} that a run takes: lower --cpus-per-run or --gpus-per-run, or "
            "say with --jobs how many runs an autoscaler should make room for."
        )
    facts = _ask(ray, nodes, supplies, marks)
    wrong = sorted({f"{one.name} has {one.misfit}" for one in facts if one.misfit})
    if wrong:
        raise UsageError(f"what is installed must be the same on all nodes: {'; '.join(wrong)}.")
    for one in {content_files for fact in facts for content_files in fact.missing}:
        supplies.send(one)
    cluster.log(_line(cluster, nodes, facts, bool(marks)))


def alive(ray: Any) -> list[dict[str, Any]]:
    """Return what Ray says of each node that it takes to be there."""
    return [node for node in ray.nodes() if node["Alive"]]


def _ask(ray: Any, nodes: Sequence[Mapping[str, Any]], supplies: Supplies, marks: Marks) -> list[NodeFacts]:
    """Return what the nodes found about themselves, without those that are gone or slow: their runs look again."""
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    task = ray.remote(look)
    asked = {
        task.options(num_cpus=0, scheduling_strategy=affinity(node["NodeID"], soft=False)).remote(
            supplies.reference, marks
        ): node
        for node in nodes
    }
    ray.wait(list(asked), num_returns=len(asked), timeout=LIMIT_S)
    errors = ray.exceptions
    facts: list[NodeFacts] = []
    for ref, node in asked.items():
        try:
            facts.append(ray.get(ref, timeout=1.0))
        except (errors.NodeDiedError, errors.TaskUnschedulableError, errors.GetTimeoutError):
            continue
        except errors.RayError as error:
            reason = (str(error).strip().splitlines() or [""])[-1]
            raise UsageError(
                f"node {node['NodeManagerHostname']} of the Ray cluster cannot run a study ({reason}): install the "
                "same package there as here."
            ) from error
    return facts


def _line(cluster: Cluster, nodes: Sequence[Mapping[str, Any]], facts: Sequence[NodeFacts], marked: bool) -> str:
    processors, gpus = (sum(node["Resources"].get(name, 0.0) for node in nodes) for name in ("CPU", "GPU"))
    missing = sum(bool(one.missing) for one in facts)
    data = "seen by all" if not missing else f"sent once to each of {missing} that do not see them"
    shared = "not shared: a run whose node is lost starts over"
    if all(one.shared for one in facts):
        shared = "shared" if marked else "not looked at yet"
    return (
        f"Ray: {len(nodes)} node{'s' if len(nodes) != 1 else ''} with {processors:g} CPU and {gpus:g} GPU, "
        f"room for {cluster.fit(nodes)} at a time; images {data}; results folder {shared}"
    )
