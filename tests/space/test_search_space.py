"""Spaces: conditions, known constraints, sampling in narrow regions, enumeration, identity, files."""

from __future__ import annotations

import numpy as np
import pytest

from engine import Categorical, Float, Int, SearchSpace
from engine.errors import InvalidInput, InvalidStudy


def pipeline() -> SearchSpace:
    return SearchSpace(
        [
            Categorical("model", ["svm", "tree"]),
            Float("C", 0.1, 10.0, log=True, when={"model": "svm"}),
            Categorical("kernel", ["rbf", "linear"], when={"model": "svm"}),
            Float("gamma", 0.1, 1.0, when={"kernel": "rbf"}),
            Int("depth", 1, 5, when={"model": "tree"}),
        ]
    )


def test_inactive_parameters_are_absent_down_the_chain() -> None:
    space = pipeline()
    for params in space.decode(np.random.default_rng(0).random((200, 5))):
        expected = {"model", "depth"} if params["model"] == "tree" else {"model", "C", "kernel"}
        if params.get("kernel") == "rbf":
            expected |= {"gamma"}
        assert set(params) == expected
        assert space.check(params) == params


def test_encoding_and_decoding_are_inverse() -> None:
    space = pipeline()
    X = space.snap(np.random.default_rng(0).random((100, 5)))
    np.testing.assert_allclose(space.encode(space.decode(X)), X, atol=1e-12)


def test_snapping_twice_is_snapping_once() -> None:
    space = pipeline()
    X = space.snap(np.random.default_rng(0).random((100, 5)))
    np.testing.assert_array_equal(space.snap(X), X)


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"model": "svm", "C": 1.0, "kernel": "linear", "gamma": 0.5}, "gamma: is inactive"),
        ({"model": "svm", "kernel": "linear"}, "C: has no value"),
        ({"modle": "svm"}, "Did you mean model"),
    ],
)
def test_a_configuration_is_checked_by_name(params: dict, word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        pipeline().check(params)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: SearchSpace([]), "empty"),
        (lambda: SearchSpace([Float("x", 0, 1), Float("x", 0, 1)]), "twice"),
        (lambda: SearchSpace([Float("x", 0, 1, when={"y": 1})]), "y is not a parameter"),
        (lambda: SearchSpace([Float("y", 0, 1), Float("x", 0, 1, when={"y": 1})]), "needs a categorical or an int"),
        (lambda: SearchSpace([Int("y", 0, 1), Float("x", 0, 1, when={"y": 7})]), "can never be 7"),
        (lambda: SearchSpace([Int("a", 0, 1, when={"b": 1}), Int("b", 0, 1, when={"a": 1})]), "circle"),
        (lambda: SearchSpace([Int("a", 0, 9)], ["a > 10"]), "no point"),
        (lambda: SearchSpace([Float("a", 0, 1), Float("b", 0, 1)], ["a + b > 3"]), "no point"),
        (lambda: SearchSpace([Int("fast", 0, 9)], ["fats > 1"]), "Did you mean fast"),
        (lambda: SearchSpace([Int("a", 0, 9)], ["__import__('os') == a"]), "functions are known"),
        (lambda: SearchSpace([Int("a", 0, 9)], ["a.real > 1"]), "not supported"),
        (lambda: SearchSpace([Int("a", 0, 9)], ["a +"]), "not an expression"),
        (lambda: SearchSpace([Int("a", 0, 9)], ["a + 1"]), "must compare"),
    ],
)
def test_a_space_that_cannot_be_says_why(make, word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        make()


CONSTRAINED = {
    "order": ([Int("fast", 2, 100), Int("slow", 3, 300)], ["fast < slow"], lambda p: p["fast"] < p["slow"]),
    "simplex": (
        [Float(f"w{i}", 0.0, 1.0) for i in range(8)],
        ["w0 + w1 + w2 + w3 + w4 + w5 + w6 + w7 <= 1"],
        lambda p: sum(p.values()) <= 1 + 1e-12,
    ),
    "narrow": (
        [Float("x", 0.0, 1.0), Float("y", 0.0, 1.0), Float("z", 0.0, 1.0)],
        ["abs(x - y) < 0.0005", "abs(y - z) < 0.0005"],
        lambda p: abs(p["x"] - p["y"]) < 0.0005 and abs(p["y"] - p["z"]) < 0.0005,
    ),
    "choice": (
        [Categorical("c", ["a", "b"]), Int("k", 1, 50)],
        ["c == 'a' or k >= 40"],
        lambda p: p["c"] == "a" or p["k"] >= 40,
    ),
    "conditional": (
        [Categorical("c", ["a", "b"]), Int("k", 1, 50, when={"c": "a"})],
        ["k > 45"],
        lambda p: p["c"] == "b" or p["k"] > 45,
    ),
}


@pytest.mark.parametrize("name", CONSTRAINED)
def test_samples_satisfy_the_known_constraints_and_differ(name: str) -> None:
    parameters, constraints, holds = CONSTRAINED[name]
    space = SearchSpace(parameters, constraints)
    X = space.sample(50, np.random.default_rng(0))
    assert X.shape == (50, len(parameters))
    assert space.feasible(X).all()
    assert all(holds(p) for p in space.decode(X))
    assert len({space.key(p) for p in space.decode(X)}) >= 5


def test_violation_grows_with_the_distance() -> None:
    space = SearchSpace([Float("a", 0.0, 1.0), Float("b", 0.0, 1.0)], ["a < b"])
    v = space.violation(np.array([[0.2, 0.8], [0.5, 0.5], [0.8, 0.5], [0.9, 0.1]]))
    assert v[0] == 0
    assert 0 < v[1] < v[2] < v[3]


def test_a_division_by_zero_breaks_a_constraint_and_nothing_else() -> None:
    space = SearchSpace([Int("a", 0, 3), Int("b", 0, 3)], ["a / b < 2"])
    assert not space.feasible(space.encode([{"a": 1, "b": 0}]))[0]
    assert space.feasible(space.encode([{"a": 1, "b": 1}]))[0]


def test_a_finite_space_is_enumerated_once_each() -> None:
    space = SearchSpace(
        [Categorical("c", ["a", "b"]), Int("k", 1, 4, when={"c": "a"}), Int("m", 0, 2)], constraints=["m < 2"]
    )
    rows = space.enumerate()
    assert rows is not None
    keys = {space.key(p) for p in space.decode(rows)}
    assert len(rows) == len(keys) == (4 + 1) * 2
    assert SearchSpace([Float("x", 0, 1)]).enumerate() is None


def test_equal_configurations_have_equal_keys() -> None:
    space = pipeline()
    a = {"model": "svm", "C": 0.1 + 0.2, "kernel": "linear"}
    assert space.key(a) == space.key({"model": "svm", "C": 0.3, "kernel": "linear"})
    assert space.key(a) != space.key({"model": "svm", "C": 0.31, "kernel": "linear"})


def test_a_space_survives_the_way_through_a_file() -> None:
    space = SearchSpace([*pipeline().parameters, Float("s", 0.0, 1.0, step=0.25)], ["s <= 0.5"])
    assert SearchSpace.from_dict(space.to_dict()) == space


def test_a_file_reports_every_wrong_parameter() -> None:
    with pytest.raises(InvalidStudy) as caught:
        SearchSpace.from_dict(
            {"parameters": {"a": {"type": "int", "low": 3, "high": 1}, "b": {"type": "flot"}, "c": {"type": "float"}}}
        )
    assert [e.field for e in caught.value.errors] == ["parameters.a", "parameters.b.type", "parameters.c.low"]
