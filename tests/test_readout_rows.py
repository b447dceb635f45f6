"""Which rows of a map belong to a score that is read from several tokens."""

from dataclasses import replace

import pytest
import torch
from asked import ASKED

import explainers as ex
from explainers.methods import METHODS

ROWS = [key for key, method in METHODS.items() if method.at_readout]

BY_CLASS = [key for key in ROWS if METHODS[key].class_specific]


@pytest.mark.parametrize(
    "key", [*(key for key in ROWS if key not in BY_CLASS and key != "attention_flow"), "grads"]
)
def test_the_row_of_an_answer_is_the_mean_of_those_of_its_ends(finder, key):
    """Where another target gives another map only by the row that is read; of the gradients,
    because they add up.
    """
    trace = finder.trace(ASKED, "actors were")
    start, end = (finder.trace(ASKED, part) for part, _ in trace.target.parts())
    whole, start, end = map(METHODS[key], (trace, start, end))
    assert not torch.equal(start, end)
    torch.testing.assert_close(whole, (start + end) / 2)


@pytest.mark.parametrize("key", ROWS)
def test_the_row_of_a_token_read_twice_is_that_of_the_token(finder, key):
    """An answer of one token: both its logits are read there. "No answer" is read at [CLS], by both
    of its logits as well.
    """
    trace = finder.trace(ASKED, "good")
    assert trace.read_at == [trace.target.span[0]] and trace.readout.sum() == 1
    one_hot = torch.eye(len(trace.attended))[trace.target.span[0]]
    assert torch.equal(METHODS[key](trace), METHODS[key](replace(trace, readout=one_hot)))


def test_a_margin_is_read_from_all_its_logits_alike(finder):
    trace = finder.trace(ASKED, "actors were - no answer")
    first, last = trace.target.first.span
    assert (
        trace.readout[[0, first, last]].tolist() == [0.5, 0.25, 0.25] and trace.readout.sum() == 1
    )
    rows = trace.attention[-1].mean(0)
    torch.testing.assert_close(
        METHODS["raw_attention"](trace), rows[0] / 2 + rows[first] / 4 + rows[last] / 4
    )


@pytest.mark.parametrize(
    "cls, own", [("keep", None), ("zero", lambda row: 0.0), ("min", lambda row: float(row.min()))]
)
def test_of_several_rows_each_loses_the_token_s_own_share(finder, cls, own):
    trace = finder.trace(ASKED, "actors were")
    rows = [
        METHODS["transatt"](replace(trace, readout=torch.eye(len(trace.attended))[i]))
        for i in trace.read_at
    ]
    for row, i in zip(rows, trace.read_at):
        row[i] = row[i] if own is None else own(row)
    torch.testing.assert_close(METHODS["transatt"](trace, cls=cls), sum(rows) / 2)


def test_what_is_read_from_a_mean_is_a_mean_over_all_rows(finder):
    trace = finder.trace(ASKED, "start")
    n = len(trace.attended)
    everywhere = replace(trace, readout=torch.full((n,), 1 / n))
    torch.testing.assert_close(everywhere.read(trace.attention), trace.attention.mean(2))
    torch.testing.assert_close(
        METHODS["raw_attention"](everywhere), trace.attention[-1].mean((0, 1))
    )
    for key in ROWS:
        assert torch.isfinite(METHODS[key](everywhere)).all(), key


def test_a_row_that_is_not_read_may_be_anything(finder):
    trace = finder.trace(ASKED, "start")
    maps = torch.full_like(trace.attention[-1], torch.nan)
    maps[:, trace.read_at] = 0.5
    assert (trace.read(maps) == 0.5).all()


def test_maps_of_rows_say_which_of_a_score_read_from_several_tokens():
    model = ex.load("question-answering", device="cpu")
    given = ("Who wrote it?", "Mary Shelley wrote it.")
    whole, part = (
        ex.compare(model, given, ["gae", "rollout", "attcat"], target)
        for target in ("Mary Shelley", "start")
    )
    assert (
        [len(heat.notes) for heat in whole] == [1, 1, 0]
        and whole[0].notes == whole[1].notes
        and "“mary” and “shelley”" in whole[0].notes[0]
    )
    assert not any(heat.notes for heat in part)
    assert whole.html().count("methods that explain one readout token") == 1
