"""The leaderboard's rows are the report's, and filters and orders do what they say."""

import pytest

from study.report.sections.glance import ranking_picture
from study.web.overview import ELSEWHERE, LEAKY, NOT_CONVERGED, ORDERS, RANKED, filtered, leaderboard_rows, ordered


@pytest.fixture(scope="module")
def rows(data):
    return leaderboard_rows(data)


def test_the_page_ranks_as_the_report_does(data, rows):
    ours = [(row["rank"], row["recipe"]) for row in rows if row["rank"]]
    assert ours == [(one.rank, str(one.recipe)) for one in data.ranked]


def test_the_intervals_are_those_of_the_reports_figure(data, rows):
    theirs = {row["recipe"]: row["interval"] for row in ranking_picture(data, data.found).data["rows"]}
    ours = {row["recipe"]: [row["low"] / 100, row["high"] / 100] for row in rows if ELSEWHERE not in row["kinds"]}
    assert set(ours) == set(theirs)
    assert all(ours[recipe] == pytest.approx(theirs[recipe]) for recipe in ours)


def test_a_recipe_that_has_not_converged_says_so_before_its_name(rows):
    late = [row for row in rows if row["unconverged"]]
    assert late and all("not converged: 1 of 1 runs" in row["notes"] for row in late)
    assert [row for row in rows if row["name"].startswith(NOT_CONVERGED)] == late


def test_leaky_rows_are_marked_and_never_ranked(rows):
    leaky = [row for row in rows if LEAKY in row["kinds"]]
    assert leaky and all(row["rank"] is None and "leaky" in row["notes"] for row in leaky)
    assert filtered(rows, kinds=[RANKED]) == [row for row in rows if row["rank"]]


def test_filters_narrow_and_empty_ones_do_not(rows):
    assert filtered(rows) == rows
    chosen = filtered(rows, models=["cnn2"], protocols=["baseline", "augment"])
    assert {(row["model"], row["protocol"]) for row in chosen} == {("cnn2", "baseline"), ("cnn2", "augment")}
    assert [row["protocol"] for row in filtered(chosen, converged=True)] == ["baseline"]
    assert filtered(rows, seeds=2) == []


@pytest.mark.parametrize("by", ORDERS)
def test_every_order_puts_the_best_first_and_the_worst_first_on_demand(rows, by):
    key, more_is_better = ORDERS[by]
    there = [row[key] for row in ordered(rows, by) if row[key] is not None]
    assert there == sorted(there, reverse=more_is_better)
    assert [row[key] for row in ordered(rows, by, reverse=True) if row[key] is not None] == there[::-1]


def test_rows_without_a_value_come_last_either_way(rows):
    for reverse in (False, True):
        assert ordered(rows, "Rank (validation accuracy)", reverse)[-1]["rank"] is None
