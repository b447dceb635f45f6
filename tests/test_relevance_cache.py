"""Passes that methods share are kept under what they are of, never under an address."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from tiny import example, tiny

from explainers import lrp
from explainers.methods import METHODS
from explainers.models import BLANKS


def towards(share: float):
    """A rule that lets `share` of the relevance through: a table of its own for each number."""
    return lambda y, x, *_, **__: lrp.Back.apply(y, lambda r: (share * r,), x)


def test_sixty_fresh_tables_of_one_trace_each_get_their_own_relevance():
    kept, given, wanted = tiny("bert").trace(example("bert"), 0), [], []
    for i in range(
        60
    ):  # a table is gone after its round, and its address is free for the next one's
        given.append(
            lrp.relevance(kept, lrp.OURS | {F.layer_norm: towards(1 + i / 60)}).grad.hidden
        )
    for i in range(60):
        alone = tiny("bert").trace(example("bert"), 0)
        wanted.append(
            lrp.relevance(alone, lrp.OURS | {F.layer_norm: towards(1 + i / 60)}).grad.hidden
        )
    for one, other in zip(given, wanted):
        torch.testing.assert_close(one, other)


def test_a_table_that_was_changed_is_another_table():
    trace, table = tiny("bert").trace(example("bert"), 0), dict(lrp.OURS)
    before = lrp.relevance(trace, table).grad.hidden
    table[F.layer_norm] = towards(0.5)
    assert not torch.allclose(lrp.relevance(trace, table).grad.hidden, before)


def test_equal_tables_share_one_pass():
    trace = tiny("bert").trace(example("bert"), 0)
    assert lrp.relevance(trace, dict(lrp.OURS)) is lrp.relevance(trace, lrp.OURS)


CHOICES = []
for method in METHODS.values():
    for option in method.options.values():
        CHOICES += product([method.key], [option.name], option.choices)


@pytest.mark.rotates
@pytest.mark.parametrize("key", [key for key, method in METHODS.items() if "text" in method.tasks])
def test_an_answer_does_not_hang_on_what_was_asked_before(key):
    """Each choice of each option on one trace, after all the others, is what it is on its own.

    The words of a text are known where a text was given, and here tensors are.
    """
    method = METHODS[key]
    asked = [{}] + [
        {name: choice}
        for one, name, choice in CHOICES
        if one == key and choice not in (*BLANKS["image"], "word")
    ]
    asked += [{name: 3} for name in ("steps", "samples", "seed") if name in method.options]
    shared = tiny("bert").trace(example("bert"), 0)
    for options in asked:
        method(shared, **options)
    for options in asked:
        alone = method(tiny("bert").trace(example("bert"), 0), **options)
        torch.testing.assert_close(method(shared, **options), alone, msg=f"{key} {options}")
