"""The leaderboard's rows are the report's, and filters and orders do what they say."""

import pytest

from study.report.collect import collect
from study.web.rows import LEAKY, ORDERS, RANKED, Filters, filtered, leaderboard_rows, ordered


@pytest.fixture(scope="module")
def rows(overview):
    return leaderboard_rows(overview)


def test_the_page_ranks_as_the_report_does(store, overview, rows):
    ours = [(row["rank"], row["recipe"]) for row in rows if row["rank"]]
    assert ours == [(one.rank, str(one.recipe)) for one in collect(store).ranked]


def test_a_recipes_interval_is_the_reports(store, overview):
    data = collect(store)
    recipe = data.standings[0].recipe
    ours, theirs = overview.interval(recipe), data.found.scores.score(recipe)
    assert (ours.value, ours.low, ours.high) == (theirs.value, theirs.low, theirs.high)


def test_leaky_rows_are_marked_and_never_ranked(rows):
    leaky = [row for row in rows if LEAKY in row["kinds"]]
    assert leaky and all(row["rank"] is None and "leaky" in row["notes"] for row in leaky)
    assert filtered(rows, Filters(kinds=[RANKED])) == [row for row in rows if row["rank"]]


def test_filters_narrow_and_empty_ones_do_not(rows):
    assert filtered(rows, Filters()) == rows
    chosen = filtered(rows, Filters(models=["cnn2"], protocols=["baseline", "augment"]))
    assert {(row["model"], row["protocol"]) for row in chosen} == {("cnn2", "baseline"), ("cnn2", "augment")}
    assert [row["protocol"] for row in filtered(chosen, Filters(converged=True))] == ["baseline"]
    assert filtered(rows, Filters(seeds=2)) == []


@pytest.mark.parametrize("by", ORDERS)
def test_every_order_puts_the_best_first_and_the_worst_first_on_demand(rows, by):
    key, more_is_better = ORDERS[by]
    there = [row[key] for row in ordered(rows, by) if row[key] is not None]
    assert there == sorted(there, reverse=more_is_better)
    assert [row[key] for row in ordered(rows, by, reverse=True) if row[key] is not None] == there[::-1]


def test_rows_without_a_value_come_last_either_way(rows):
    for reverse in (False, True):
        assert ordered(rows, "Rank (validation accuracy)", reverse)[-1]["rank"] is None
