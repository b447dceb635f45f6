"""Two kinds of tokens that look at each other: the rules against loops over single numbers, and
DETR against its own attentions.
"""

import pytest
import slow_twins as slow
import torch
from objects import detr, drawn, picture

import explainers as ex
from explainers.methods import bimodal

S, Q = 4, 3  # tokens of the two kinds


def as_is(*tensors: torch.Tensor) -> list:
    return [tensor.tolist() for tensor in tensors]


def same(got: torch.Tensor, wanted: list) -> None:
    torch.testing.assert_close(
        got, torch.tensor(wanted, dtype=torch.float64), rtol=1e-12, atol=1e-14
    )


def test_attention_that_raises_the_score():
    attention, gradient = drawn(2, S, Q), drawn(2, S, Q, seed=1) - 0.5
    same(bimodal.positive_relevance(attention, gradient), slow.raised(attention, gradient))
    assert (bimodal.positive_relevance(attention, gradient) >= 0).all() and not torch.equal(
        bimodal.positive_relevance(attention, gradient), (attention * gradient).mean(0)
    )


def test_what_others_gave_sums_to_one_beside_the_token_itself():
    ss = torch.eye(S).double() + drawn(S, S)
    same(bimodal.normalised(ss), slow.normalised(ss.tolist()))
    torch.testing.assert_close(bimodal.normalised(ss).sum(-1), torch.full((S,), 2.0).double())


def test_a_token_that_nothing_reached_has_only_itself():
    ss = torch.eye(S).double() + drawn(S, S) * torch.tensor([1.0, 0, 1, 1])[:, None]
    assert (
        bimodal.normalised(ss)[1].tolist() == [0, 1, 0, 0]
        and bimodal.normalised(ss).isfinite().all()
    )
    assert torch.equal(bimodal.normalised(torch.eye(S)), torch.eye(S))


def test_tokens_that_attend_to_one_another():
    ss, sq, paid = torch.eye(S).double() + drawn(S, S), drawn(S, Q, seed=1), drawn(S, S, seed=2)
    got = bimodal.self_attention(ss, sq, paid)
    for one, before in zip(got, (ss, sq)):
        same(one, slow.plus(before.tolist(), slow.times(*as_is(paid, before))))
        assert (one >= before).all()


def test_tokens_that_attend_to_others():
    """Nothing before: what reaches s of q is attention itself. Later: what q had gathered, too."""
    ss, qq = torch.eye(S).double() + drawn(S, S), torch.eye(Q).double() + drawn(Q, Q, seed=1)
    sq, qs, paid = drawn(S, Q, seed=2), drawn(Q, S, seed=3), drawn(S, Q, seed=4)
    for got, wanted in zip(
        bimodal.cross_attention(ss, sq, qq, qs, paid),
        slow.cross_attention(*as_is(ss, sq, qq, qs, paid)),
    ):
        same(got, wanted)
    first = bimodal.cross_attention(
        torch.eye(S).double(),
        torch.zeros_like(sq),
        torch.eye(Q).double(),
        torch.zeros_like(qs),
        paid,
    )
    assert torch.equal(first[0], torch.eye(S).double()) and torch.equal(first[1], paid)


def test_no_rule_changes_what_it_is_given():
    given = [
        torch.eye(S).double(),
        drawn(S, Q),
        torch.eye(Q).double(),
        drawn(Q, S, seed=1),
        drawn(S, Q, seed=2),
    ]
    before = [tensor.clone() for tensor in given]
    bimodal.cross_attention(*given)
    bimodal.self_attention(given[0], given[1], drawn(S, S))
    assert all(torch.equal(*both) for both in zip(given, before))


# --------------------------------------------------------------------------------------------- DETR


@pytest.mark.parametrize("query, label", [(0, None), (3, None), (2, 1), (-1, 0)])
def test_an_object_of_detr_by_plain_autograd_on_the_stock_models_attentions(query, label):
    net = detr()
    net.set_attn_implementation("eager")
    said = net(**picture(), output_attentions=True)
    logits = said.logits[0, query, :3]
    score = logits.max() if label is None else logits[label]
    groups = (said.encoder_attentions, said.decoder_attentions, said.cross_attentions)
    maps = []
    for group in groups:
        layers = []
        for attention in group:
            slopes = torch.autograd.grad(score, attention, retain_graph=True)[0]
            layers.append(slow.raised(attention[0].detach(), slopes[0]))
        maps.append(layers)
    wanted = slow.of_object(*maps, query)
    got = bimodal.of_object(net, picture(), query, label)
    assert got.shape == (24,) and not got.requires_grad and (got > 0).any()
    same(got, wanted)


def test_what_is_masked_gave_nothing():
    """The right half of the picture is padding."""
    mask = torch.zeros(1, 64, 96, dtype=torch.long)
    mask[..., :48] = 1
    places = bimodal.of_object(detr(), picture() | {"pixel_mask": mask}, 1).reshape(4, 6)
    assert places[:, :3].any() and not places[:, 3:].any()


def test_frozen_weights_and_no_grad_around_the_call_change_nothing():
    net = detr()
    free = bimodal.of_object(net, picture(), 1)
    try:
        net.requires_grad_(False)
        with torch.no_grad():
            assert torch.equal(bimodal.of_object(net, picture(), 1), free)
    finally:
        net.requires_grad_(True)


@pytest.mark.parametrize(
    "query, label, said",
    [
        (5, None, "There is no object 5: this model has objects 0 to 4"),
        (0, 3, "There is no class 3"),
    ],
)
def test_an_object_or_a_class_that_is_not_there_is_refused(query, label, said):
    with pytest.raises(ex.Refusal, match=said):
        bimodal.of_object(detr(), picture(), query, label)


def test_a_model_with_attention_of_its_own_is_refused():
    with pytest.raises(
        ex.Refusal, match="TableTransformerForObjectDetection does not have the attention of DETR"
    ):
        bimodal.of_object(detr("TableTransformer"), picture(), 0)
