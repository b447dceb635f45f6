"""Every relevance rule a second time, one neuron at a time, and the laws that they keep."""

import pytest
import torch
import torch.nn.functional as F
from rules import drawn, relevance_of
from tiny import ARCHITECTURES, DUAL, defined, example, fresh, tiny

import explainers as ex
from explainers import lrp
from explainers.lrp import ATTNLRP, CPLRP, ORIGINAL, OURS, ChainRules
from explainers.methods import METHODS

EPS = 1e-9


def test_a_share_of_nothing_is_nothing():
    """Where nothing was added there is nothing to share: 0, and not a large number."""
    shares = lrp.share(torch.tensor([1.0, 2.0, 3.0, 0.0]), torch.tensor([0.0, 2.0, -4.0, 0.0]))
    torch.testing.assert_close(shares, torch.tensor([0.0, 1.0, -0.75, 0.0]))


def test_linear_gives_each_input_what_it_added_with_the_sign_that_wins():
    x, weight, bias = drawn(2, 4), drawn(3, 4, seed=1), drawn(3, seed=2)
    y, given, (got,) = relevance_of(lambda x: F.linear(x, weight, bias), x)
    torch.testing.assert_close(y, x @ weight.T + bias)
    wanted = torch.zeros_like(x)
    for n in range(2):
        for k in range(3):
            shares = [max(0.0, float(x[n, j] * weight[k, j])) for j in range(4)]
            for j in range(4):
                wanted[n, j] += given[n, k] * shares[j] / (sum(shares) + EPS)
    torch.testing.assert_close(got, wanted)


def test_the_older_linear_rule_hands_out_the_relevance_of_either_sign():
    x, weight = drawn(2, 4), drawn(3, 4, seed=1)
    _, given, (got,) = relevance_of(lambda x: F.linear(x, weight), x, table=ORIGINAL)
    wanted = torch.zeros_like(x)
    for n in range(2):
        for k in range(3):
            for sign in (1, -1):
                side = [j for j in range(4) if x[n, j] * sign > 0 and weight[k, j] * sign > 0]
                whole = sum(float(x[n, j] * weight[k, j]) for j in side)
                for j in side:
                    wanted[n, j] += given[n, k] * x[n, j] * weight[k, j] / (whole + EPS)
    torch.testing.assert_close(got, wanted)


def test_gpt2s_linear_layer_has_the_same_rule():
    x, weight, bias = drawn(2, 4), drawn(3, 4, seed=1), drawn(3, seed=2)
    for table in (OURS, ORIGINAL):
        as_linear = relevance_of(lambda x: F.linear(x, weight, bias), x, table=table)[2][0]
        torch.testing.assert_close(
            relevance_of(lambda x: torch.addmm(bias, x, weight.T), x, table=table)[2][0], as_linear
        )


def test_a_product_is_shared_half_and_half_by_what_each_pair_made():
    a, b = drawn(2, 3), drawn(3, 2, seed=1)
    y, given, (got_a, got_b) = relevance_of(torch.matmul, a, b)
    wanted_a, wanted_b = torch.zeros_like(a), torch.zeros_like(b)
    for i in range(2):
        for k in range(2):
            for j in range(3):
                part = given[i, k] * a[i, j] * b[j, k] / (y[i, k] + EPS) / 2
                wanted_a[i, j] += part
                wanted_b[j, k] += part
    torch.testing.assert_close(got_a, wanted_a), torch.testing.assert_close(got_b, wanted_b)


def test_a_product_with_a_constant_is_not_halved():
    a, constant = drawn(2, 3), drawn(3, 2, seed=1)
    _, given, (got,) = relevance_of(lambda a: a @ constant, a)
    torch.testing.assert_close(got.sum(), given.sum())


@pytest.mark.parametrize("table", [OURS, ORIGINAL], ids=["ours", "original"])
def test_a_skip_connection_is_shared_by_what_either_side_added(table):
    a, b = drawn(1, 3), drawn(1, 3, seed=1)
    _, given, (got_a, got_b) = relevance_of(torch.add, a, b, table=table)
    plain = []
    for x in (a, b):
        row = [float(given[0, i] * x[0, i] / (a[0, i] + b[0, i] + EPS)) for i in range(3)]
        plain.append(torch.tensor([row], dtype=torch.float64))
    plain_a, plain_b = plain
    if table is ORIGINAL:
        wanted_a, wanted_b = plain_a, plain_b
    else:
        whole = plain_a.sum().abs() + plain_b.sum().abs()
        wanted_a, wanted_b = (
            side * (side.sum().abs() / (whole + EPS) * given.sum()) / (side.sum() + EPS)
            for side in (plain_a, plain_b)
        )
    torch.testing.assert_close(got_a, wanted_a), torch.testing.assert_close(got_b, wanted_b)


def test_skip_connections_share_each_example_by_itself():
    a, b = drawn(2, 3), drawn(2, 3, seed=1)
    together = relevance_of(torch.add, a, b)[2]
    for i in range(2):
        given = torch.arange(1.0, 7.0, dtype=torch.float64).view(2, 3)[i : i + 1]
        for got, alone in zip(
            together, relevance_of(torch.add, a[i : i + 1], b[i : i + 1], given=given)[2]
        ):
            torch.testing.assert_close(got[i : i + 1], alone)


@pytest.mark.parametrize(
    "function",
    [
        F.gelu,
        torch.tanh,
        F.relu,
        lambda x: F.softmax(x, -1),
        lambda x: F.layer_norm(x, (3,)),
        lambda x: x * 0.25,
        lambda x: x / 8.0,
        lambda x: x + 3.0,
        lambda x: x * torch.sigmoid(1.702 * x),
        lambda x: 0.5 * x * (1.0 + torch.tanh(0.8 * (x + 0.044715 * torch.pow(x, 3.0)))),
    ],
    ids=[
        "gelu",
        "tanh",
        "relu",
        "softmax",
        "layer_norm",
        "times",
        "divided",
        "plus",
        "quick gelu",
        "new gelu",
    ],
)
def test_relevance_passes_unchanged(function):
    _, given, (got,) = relevance_of(function, drawn(2, 3))
    torch.testing.assert_close(got, given)


def test_views_and_fan_out_need_no_rule():
    x = drawn(2, 6)
    _, given, (got,) = relevance_of(
        lambda x: x.view(2, 2, 3).transpose(1, 2).reshape(2, 6)[:, 1:4].contiguous(), x
    )
    torch.testing.assert_close(got.sum(), given.sum())


def test_an_operation_without_a_rule_is_refused_by_name():
    with pytest.raises(ex.Refusal, match=r"no relevance rule for .*sin"):
        relevance_of(torch.sin, drawn(2))


def test_weights_alone_carry_no_relevance():
    table = torch.nn.Embedding(5, 3)
    with ChainRules(OURS):
        assert not table(torch.tensor([1, 2])).requires_grad
        assert not (table.weight.exp() * 2).requires_grad


# ------------------------------------------------------------------------------------------ AttnLRP


@pytest.mark.parametrize("function", [F.gelu, torch.tanh, F.relu], ids=["gelu", "tanh", "relu"])
def test_an_activation_counts_as_its_input_times_a_constant(function):
    x = drawn(5)
    y, given, (got,) = relevance_of(function, x, table=ATTNLRP)
    torch.testing.assert_close(got, given * y / x, rtol=1e-6, atol=1e-8)


def test_a_layernorm_with_its_deviation_held():
    x, gamma, beta = drawn(1, 4), drawn(4, seed=1), drawn(4, seed=2)
    y, given, (got,) = relevance_of(
        lambda x: F.layer_norm(x, (4,), gamma, beta, 1e-5), x, table=ATTNLRP
    )
    torch.testing.assert_close(y, F.layer_norm(x, (4,), gamma, beta, 1e-5))
    deviation = float((x.var(unbiased=False) + 1e-5).sqrt())
    weighed = given[0] * gamma / deviation
    torch.testing.assert_close(got[0], weighed - weighed.mean())


def test_products_halve_the_gradient_unless_attention_is_a_constant():
    a, b = drawn(2, 3), drawn(3, 2, seed=1)
    _, given, (got_a, got_b) = relevance_of(torch.matmul, a, b, table=ATTNLRP)
    (
        torch.testing.assert_close(got_a, given @ b.T / 2),
        torch.testing.assert_close(got_b, a.T @ given / 2),
    )
    _, given, (scores, values) = relevance_of(lambda a, b: F.softmax(a, -1) @ b, a, b, table=CPLRP)
    assert not scores.any()
    torch.testing.assert_close(values, F.softmax(a, -1).T @ given)


def raised_by(gamma: float, value: float, sign: int) -> float:
    """A weight, larger by the share gamma where it has that sign."""
    return value * (1 + gamma) if value * sign > 0 else value


def test_the_gamma_rule_neuron_by_neuron():
    x, weight, bias, gamma = drawn(1, 4), drawn(3, 4, seed=1), drawn(3, seed=2), 0.3
    table = {F.linear: lrp.achtibat.linear_gamma(gamma, lambda: False)}
    y, given, (got,) = relevance_of(
        lambda x: F.linear(x, weight, bias), x, table=table | lrp.ATTNLRP
    )
    wanted = torch.zeros(4, dtype=torch.float64)
    for k in range(3):
        sign = 1 if y[0, k] > 0 else -1
        parts = []
        for j in range(4):
            # an entry below zero agrees with the output where its weight does not
            agrees = sign if x[0, j] > 0 else -sign
            parts.append(float(x[0, j]) * raised_by(gamma, float(weight[k, j]), agrees))
        whole = sum(parts) + raised_by(gamma, float(bias[k]), sign)
        for j in range(4):
            wanted[j] += float(y[0, k] * given[0, k]) * parts[j] / whole / float(x[0, j])
    torch.testing.assert_close(got[0], wanted)


@pytest.mark.parametrize("gamma", [-1, float("inf"), float("nan")])
def test_a_gamma_that_makes_no_sense_is_refused(gamma):
    with pytest.raises(ex.Refusal):
        METHODS["attnlrp"](tiny("bert").trace(example("bert"), 0), gamma=gamma)


# ----------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if defined(METHODS["lrp"], name)])
def test_relevance_is_conserved_at_every_layer(name):
    for target in (0, 1) if name not in DUAL else (0,):
        sums = METHODS["lrp"].layers(tiny(name).trace(example(name), target)).sum(-1)
        torch.testing.assert_close(sums, torch.ones_like(sums), rtol=0, atol=1e-6)


def test_the_older_rules_do_not_conserve():
    assert METHODS["lrp"](tiny("bert").trace(example("bert"), 0), rules="original").sum() > 100


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_rules_change_no_value(name):
    trace = tiny(name).trace(example(name), 0)
    for table, gradient in ((OURS, False), (ATTNLRP, True)):
        if table is OURS and not defined(METHODS["lrp"], name):
            continue
        torch.testing.assert_close(
            trace.again(rules=ChainRules(table, gradient)).score, trace.score, rtol=1e-8, atol=1e-8
        )


def test_frozen_and_trainable_networks_give_the_same_relevance():
    frozen = fresh("bert")
    frozen.net.requires_grad_(False)
    for key in ("lrp", "attnlrp"):
        torch.testing.assert_close(
            METHODS[key](frozen.trace(example("bert"), 0)),
            METHODS[key](tiny("bert").trace(example("bert"), 0)),
        )


@pytest.mark.parametrize("key", ["lrp", "partial_lrp", "transatt"])
def test_a_difference_hands_out_a_unit_for_each_class(key):
    first, second, both = (tiny("bert").trace(example("bert"), target) for target in (0, 2, (0, 2)))
    relevance = [lrp.relevance(trace).grad for trace in (first, second, both)]
    for name in ("attention", "hidden"):
        torch.testing.assert_close(
            getattr(relevance[2], name),
            getattr(relevance[0], name) - getattr(relevance[1], name),
            rtol=1e-8,
            atol=1e-12,
        )
    assert METHODS[key](both)[1:].abs().max() > 1e-6


def test_a_mean_over_tokens_hands_relevance_to_what_each_added():
    """Above zero; where none is above, below. A channel at a time, and nothing is lost."""
    x = drawn(1, 3, 4)
    x[0, :, 2] = -x[0, :, 2].abs()
    _, given, (got,) = relevance_of(lambda x: x.mean(1), x)
    wanted = torch.zeros_like(x)
    for d in range(4):
        column = x[0, :, d].tolist()
        added = (
            [max(0.0, value) for value in column] if any(value > 0 for value in column) else column
        )
        for t in range(3):
            wanted[0, t, d] = given[0, d] * added[t] / sum(added)
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(got.sum(1), given, rtol=1e-6, atol=1e-8)
    for pooled in (lambda x: x.sum(dim=1), lambda x: x.mean(dim=1)):
        torch.testing.assert_close(relevance_of(pooled, x)[2][0], got)
