"""A look at the next candidates changes nothing."""

from __future__ import annotations

from engine import Float, Int, Optimizer, SearchSpace


def _told(n: int) -> Optimizer:
    optimizer = Optimizer(SearchSpace([Float("x", 0, 1), Float("y", 0, 1)]), seed=3)
    for _ in range(n):
        (s,) = optimizer.ask(1)
        optimizer.tell(s, (s.params["x"] - 0.3) ** 2 + (s.params["y"] - 0.6) ** 2)
    return optimizer


def test_a_preview_shows_what_ask_then_suggests_and_leaves_no_trace():
    looked, plain = _told(12), _told(12)
    shown = looked.preview()
    assert shown
    assert looked.number == 12
    assert not looked.pending
    (suggestion,) = looked.ask(1)
    assert suggestion.params == shown[0]["params"]
    assert suggestion == plain.ask(1)[0]


def test_a_preview_is_empty_before_a_model_and_when_nothing_is_left():
    assert _told(1).preview() == []
    optimizer = Optimizer(SearchSpace([Int("k", 1, 2)]), seed=0)
    for s in optimizer.ask(2):
        optimizer.tell(s, float(s.params["k"]))
    assert optimizer.preview() == []
