"""Compact letters: shared exactly where recipes are not different, also where that is not transitive."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from study.analysis.comparisons import compact_letters


def matrix(recipes: int, pairs: list[tuple[int, int]]) -> np.ndarray:
    different = np.zeros((recipes, recipes), dtype=bool)
    for first, second in pairs:
        different[first, second] = different[second, first] = True
    return different


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    recipes = draw(st.integers(1, 9))
    return matrix(recipes, [pair for pair in combinations(range(recipes), 2) if draw(st.booleans())])


@given(matrices())
@settings(max_examples=100, deadline=None)
def test_two_recipes_share_a_letter_exactly_where_they_are_not_different(different: np.ndarray) -> None:
    letters = compact_letters(different)
    for first, second in combinations(range(len(different)), 2):
        assert bool(set(letters[first]) & set(letters[second])) == (not different[first, second])


@given(matrices())
@settings(max_examples=50, deadline=None)
def test_no_letter_is_superfluous(different: np.ndarray) -> None:
    letters = compact_letters(different)
    holders = [{one for one, text in enumerate(letters) if letter in text} for letter in set("".join(letters))]
    assert not any(one < other for one in holders for other in holders)
    assert len({frozenset(one) for one in holders}) == len(holders)


def test_a_chain_in_which_only_the_ends_differ() -> None:
    assert compact_letters(matrix(3, [(0, 2)])) == ["a", "ab", "b"]


def test_the_example_of_eight_treatments_by_hand() -> None:
    # 0 differs from 4-7, 1 from 6 and 7, 2 from 7: four overlapping groups.
    pairs = [(0, 4), (0, 5), (0, 6), (0, 7), (1, 6), (1, 7), (2, 7)]
    assert compact_letters(matrix(8, pairs)) == ["a", "ab", "abc", "abcd", "bcd", "bcd", "cd", "d"]


def test_all_alike_share_one_letter_and_all_different_none() -> None:
    assert compact_letters(matrix(3, [])) == ["a", "a", "a"]
    assert compact_letters(matrix(3, [(0, 1), (0, 2), (1, 2)])) == ["a", "b", "c"]
    assert compact_letters(matrix(0, [])) == []


def test_after_the_alphabet_come_capitals() -> None:
    assert compact_letters(~np.eye(28, dtype=bool))[-3:] == ["z", "A", "B"]
