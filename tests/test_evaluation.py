"""Metrics of faithfulness: against their authors' own numbers, on models that can be computed by
hand, and by the laws that they keep.
"""

import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from tiny import GOLDENS, close, example, tiny

import explainers as ex
from explainers import evaluation as ev
from explainers.evaluation.faithfulness import ATTCAT_ZEROES, attcat_order, mean_log_ratio
from explainers.evaluation.perturbation import order, perturbed, removing, resized_map
from explainers.evaluation.registry import Measurement

RECORDS = json.loads((GOLDENS / "evaluation.json").read_text())
OF_TEXTS = [
    one for one in RECORDS if one.get("metric") in ("aopc", "logodds") and "left_after_6" not in one
]


def named(records: list[dict]):
    return pytest.mark.parametrize(
        "record", records, ids=[f"{one['name']}-{one.get('class', '')}" for one in records]
    )


def golden_case(model: str, target) -> ev.Case:
    """The fixed input, its first and last token marked special as [CLS] and [SEP]: bare ids do not
    say so.
    """
    coded = tiny(model).encode(example(model))
    if not coded.grid:
        special_tokens = torch.zeros(len(coded.labels), dtype=torch.bool)
        special_tokens[0] = special_tokens[-1] = True
        coded = replace(coded, special_tokens=special_tokens)
    return ev.case_of(tiny(model), ev.Example(coded), target)


def golden_heat(case: ev.Case, record: dict, target=None) -> ex.Heatmap:
    heat = case.heat(record["method"], target=target, **record["options"])
    by_the_metric = (
        record["method"] in ATTCAT_ZEROES and record["how"]
    )  # what `reproduce` does itself
    if "first" in record and not by_the_metric:  # the authors set the readout token's own score
        heat = replace(
            heat,
            scores=torch.cat(
                [torch.tensor([float(record["first"])]).to(heat.scores), heat.scores[1:]]
            ),
        )
    return heat


def explained(case: ev.Case, queries: list[ev.Query]) -> list[float]:
    return [
        float(row[case.explained]) for row in ev.answers(case.model, [case] * len(queries), queries)
    ]


def number_of(case: ev.Case, heat: ex.Heatmap, key: str, answers: list, **options):
    """What a metric makes of these answers, whatever it asked."""
    measurement = ev.METRICS[key].start(case, heat, **options)
    measurement.answer(answers)
    return measurement.number


# ----------------------------------------------------------------------------- the authors' numbers


@named(OF_TEXTS)
def test_deletion_and_padding_are_the_authors_own(record):
    case = golden_case(record["model"], record["class"])
    heat, metric = golden_heat(case, record), ev.METRICS[record["metric"]]
    queries = metric.start(case, heat, **record["how"]).queries
    if "left" in record:
        assert [case.coded.tensors["input_ids"][0][one.keep].tolist() for one in queries] == record[
            "left"
        ]
    if "probabilities" in record:
        close(explained(case, queries), record["probabilities"], 1e-9)
    else:
        assert metric.measure(case, heat, **record["how"]) == pytest.approx(
            record["value"], rel=1e-9
        )


@named([one for one in RECORDS if "left_after_6" in one])
def test_what_is_taken_first_is_the_authors_own(record):
    case = golden_case(record["model"], record["class"])
    places = attcat_order(
        case, golden_heat(case, record), specials=record["how"]["reproduce"] == "attcat-pairs"
    )
    kept = removing(case, places, [6], "delete")[0].keep
    assert case.coded.tensors["input_ids"][0][kept].tolist() == record["left_after_6"]


@named([one for one in RECORDS if "probability" in one])
def test_the_probability_before_is_the_authors_own(record):
    case = golden_case(record["model"], record["class"])
    assert float(case.probabilities[record["class"]]) == pytest.approx(
        record["probability"], rel=1e-9
    )


# ----------------------------------------------------------------- what the model is asked, and how

TEXTS = [
    "the movie was not good",
    "a boring film but some of the actors were really good",
    "it is unbelievable",
    "the film was not bad",
]


def test_asking_together_is_asking_one_at_a_time(reader):
    """Deleted, blanked, hidden; several examples, maps and repetitions: every answer is that of the
    changed input alone.
    """
    cases, queries = [], []
    for text in TEXTS:
        case = ev.case_of(reader, text)
        for name in ("attcat", "random"):
            places = order(case, case.heat(name))
            for how, attend in (("delete", True), ("pad", True), ("mask", True), ("mask", False)):
                asked = removing(case, places, range(len(places) + 1), how, attend=attend)
                cases, queries = cases + [case] * len(asked), queries + asked
    together = ev.answers(reader, cases, queries)
    for case, query, got in zip(cases, queries, together):
        ids = case.coded.tensors["input_ids"][0].clone()
        if query.fill == "delete":
            inputs = {"input_ids": ids[query.keep][None]}
        else:
            ids[~query.keep] = {"pad": 0, "mask": 4}[query.fill]
            inputs = (
                {"input_ids": ids[None]}
                if query.attend
                else {"input_ids": ids[None], "attention_mask": query.keep.long()[None]}
            )
        with torch.no_grad():
            wanted = reader.net(**inputs).logits[0].softmax(-1)
        torch.testing.assert_close(got, wanted)


def test_equal_questions_are_asked_once(reader):
    case = ev.case_of(reader, TEXTS[1])
    heat, asked = case.heat("attcat"), []
    hook = reader.blocks[0].register_forward_hook(
        lambda block, args, output: asked.append(len(output))
    )
    try:
        queries = (
            ev.METRICS["aopc"].start(case, heat, fill="pad").queries
            + ev.METRICS["logodds"].start(case, heat).queries
            + ev.METRICS["aopc"].start(case, heat, fill="pad").queries
        )
        ev.answers(reader, [case] * len(queries), queries)
    finally:
        hook.remove()
    assert len(queries) == 30 and sum(asked) == 10


def test_nothing_taken_out_is_the_clean_input_and_asks_nothing(reader):
    case = ev.case_of(reader, TEXTS[0])
    query = ev.Query(torch.ones(len(case.coded.labels), dtype=torch.bool), "delete")
    assert ev.answers(reader, [case], [query])[0] is case.probabilities
    torch.testing.assert_close(case.probabilities, case.trace.logits.softmax(-1))


def test_a_text_without_specials_is_never_deleted_whole():
    case = ev.case_of(tiny("gpt2-classifier"), {"input_ids": torch.tensor([[5, 6, 7, 8, 9]])})
    queries = removing(case, order(case, case.heat("random")), [5], "delete")
    assert queries[0].keep.sum() == 1
    assert perturbed(case.model, case, queries[0].keep[None], "delete")[0]["input_ids"].shape == (
        1,
        1,
    )


def test_measured_together_is_measured_alone(reader):
    """Records are in the order of the examples, whatever order the work was done in, and random
    draws depend on the input alone.
    """
    examples = [ev.Example(text, label="POSITIVE", id=str(i)) for i, text in enumerate(TEXTS)]
    how = dict(
        methods=["attcat", "gae"],
        metrics=["aopc", "logodds:fill=mask", "deletion:steps=4"],
        target="label",
        seed=3,
    )
    together = ev.measure(reader, examples, **how)
    alone = [
        record for example in reversed(examples) for record in ev.measure(reader, example, **how)
    ]
    assert [(one["id"], one["method"]) for one in together] == [
        (str(i), name) for i in range(4) for name in ("attcat", "gae", "random")
    ]
    for one in together:
        other = next(
            two for two in alone if (two["id"], two["method"]) == (one["id"], one["method"])
        )
        assert one == pytest.approx(other)
    other_seed = ev.measure(reader, examples, **how | {"seed": 4})
    changed = {one["method"] for one, two in zip(together, other_seed) if one != pytest.approx(two)}
    assert changed == {"random"}


# ----------------------------------------------------------------------- computed by hand, and laws


def test_aopc_and_log_odds_by_hand():
    """Four words, two levels: the top two and all four are taken."""
    case = golden_case("bert", 0)
    said = torch.tensor([0.8, 0.1, 0.1], dtype=torch.float64)
    case = replace(case, cache={}, trace=replace(case.trace, logits=said.log()))
    rows = [torch.tensor([0.4, 0.3, 0.3]), torch.tensor([0.2, 0.4, 0.4])]
    heat = case.heat("attcat")
    found = partial(number_of, case, heat)
    assert found("aopc", rows) == pytest.approx((0.4 + 0.6) / 2)
    assert found("aopc", rows, of="predicted") == pytest.approx((0.4 + 0.6) / 2)
    assert found("logodds", rows) == pytest.approx((math.log(0.5) + math.log(0.25)) / 2)
    curve = [torch.tensor([p]) for p in (1.0, 0.5, 0.0)]
    assert found("deletion", curve) == pytest.approx(0.5)
    bins = [torch.tensor([p]) for p in (0.8, 0.7, 0.9, 0.4, 0.3)]
    assert found("comprehensiveness", bins) == pytest.approx((0 + 0.1 - 0.1 + 0.4 + 0.5) / 5)
    alti = found("comprehensiveness", bins, reproduce="alti")
    assert alti == pytest.approx((0 + 0.1 + 0.1 + 0.4 + 0.5) / 6)
    alti = found("sufficiency", bins, reproduce="alti")
    assert alti == pytest.approx((0 + 0 - 0.1 - 0.1 - 0.1) / 6)


class Words:
    """A model whose answer can be computed by hand: the logit of POSITIVE is the sum of the words'
    weights, of NEGATIVE its negative.
    """

    def __init__(self, tokenizer):
        self.table = torch.zeros(200, dtype=torch.float64)
        for word, weight in {
            "good": 3.0,
            "really": 1.0,
            "like": 2.0,
            "bad": -3.0,
            "boring": -2.0,
        }.items():
            self.table[tokenizer.convert_tokens_to_ids(word)] = weight

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        logit = self.table[ids].sum(-1)
        return torch.stack([-logit, torch.zeros_like(logit), logit], -1)


@pytest.fixture
def additive(reader, monkeypatch) -> ex.Model:
    """The tiny reader's answers replaced, after the pass, by those of a sum over words: the
    oracle's map is known.
    """
    words, given = Words(reader.tokenizer), ex.Model.answer

    def answer(self, inputs, attended=None, **tape):
        said = given(self, inputs, attended, **tape)
        return type(said)(said.outputs, words(inputs["input_ids"]) + 0 * said.class_logits)

    monkeypatch.setattr(ex.Model, "answer", answer)
    return reader


def oracle(case: ev.Case) -> ex.Heatmap:
    """What each word adds to the logit of the explained class."""
    scores = Words(case.model.tokenizer).table[case.coded.tensors["input_ids"][0]] * (
        1 if case.explained == 2 else -1
    )
    return replace(case.heat("random"), scores=scores, method="oracle")


def test_numbers_that_can_be_computed_by_hand(additive):
    """Words of weight 3, 0, 1, -2: after deleting two of four the logit is -2."""
    case = ev.case_of(additive, "good movie really boring", "POSITIVE")
    chance = lambda logit: math.exp(logit) / (math.exp(logit) + 1 + math.exp(-logit))
    assert float(case.probabilities[2]) == pytest.approx(chance(2))
    heat, p = oracle(case), [chance(2), chance(-1), chance(-2), chance(-2), chance(0)]
    assert ev.METRICS["aopc"].measure(case, heat, levels=4) == pytest.approx(
        sum(p[0] - one for one in p[1:]) / 4
    )
    assert ev.METRICS["logodds"].measure(case, heat, levels=2, fill="delete") == pytest.approx(
        sum(math.log(p[k] / p[0]) for k in (2, 4)) / 2
    )
    assert ev.METRICS["deletion"].measure(case, heat) == pytest.approx(
        (p[0] / 2 + p[1] + p[2] + p[3] + p[4] / 2) / 4
    )
    put_in = [chance(0), chance(3), chance(4), chance(4), chance(2)]
    assert ev.METRICS["insertion"].measure(case, heat) == pytest.approx(
        (put_in[0] / 2 + sum(put_in[1:4]) + put_in[4] / 2) / 4
    )
    assert ev.METRICS["sufficiency"].measure(case, heat) == pytest.approx(
        sum(p[0] - chance(logit) for logit in (3, 3, 3, 3, 4)) / 5
    )
    assert ev.METRICS["comprehensiveness"].measure(case, heat) == pytest.approx(
        (4 * (p[0] - p[1]) + p[0] - p[2]) / 5
    )
    case = replace(case, label=2, cache={})
    assert ev.METRICS["masking"].measure(case, heat) == pytest.approx(
        {"aopc": sum(p[0] - p[k] for k in (0, 0, 0, 1, 1, 2, 2, 2, 3, 3)) / 10, "accuracy": 3 / 10}
    )
    assert ev.METRICS["rationale_accuracy"].measure(case, heat) == {"20": 1.0, "40": 1.0}
    curve = ev.METRICS["positive_perturbation"].measure(case, heat)
    assert [curve[str(share)] for share in range(0, 100, 10)] == [
        1,
        1,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ] and curve["area"] == pytest.approx(25)


def test_an_oracle_beats_random_orders_and_these_are_at_chance(additive):
    """The oracle's order is the best there is and its reverse the worst; among random orders each
    word comes first equally often.
    """
    case = ev.case_of(
        additive, "the movie was really good but the film was boring and bad", "POSITIVE"
    )
    best = oracle(case)
    worst = replace(best, scores=-best.scores)
    drawn = [case.heat("random", draw=draw) for draw in range(30)]
    for name, sign in (
        ("aopc", 1),
        ("comprehensiveness", 1),
        ("insertion", 1),
        ("logodds", -1),
        ("sufficiency", -1),
        ("deletion", -1),
    ):
        metric = ev.METRICS[name]
        scores = [sign * metric.measure(case, heat) for heat in drawn]
        assert sign * metric.measure(case, best) >= max(scores) and sign * metric.measure(
            case, worst
        ) <= min(scores), name
        assert metric.better == ("higher" if sign == 1 else "lower")
    assert len({tuple(order(case, heat).tolist()) for heat in drawn}) == 30
    places = order(case, best).tolist()
    first = torch.tensor(
        [float(order(case, case.heat("random", draw=draw))[0] == places[0]) for draw in range(600)]
    ).mean()
    assert first == pytest.approx(1 / len(places), abs=4 * (1 / len(places) / 600) ** 0.5)


MAP_METRICS = [
    "aopc",
    "logodds",
    "comprehensiveness",
    "sufficiency",
    "deletion:steps=4",
    "insertion:steps=4",
    "positive_perturbation",
    "negative_perturbation",
    "masking",
    "rationale_accuracy",
    "spearman",
]


@pytest.mark.parametrize("name", ["bert", "vit"])
def test_metrics_do_not_depend_on_the_scale_of_the_scores(name):
    pytest.importorskip("captum")
    case = replace(golden_case(name, 1), label=0)
    heat = case.heat("attcat")
    larger = replace(heat, scores=heat.scores * 1000)
    for spec in [*MAP_METRICS, "infidelity:samples=4"]:
        key, options = (
            spec.partition(":")[0],
            dict([spec.partition(":")[2].split("=")]) if ":" in spec else {},
        )
        numbers = [ev.METRICS[key].measure(case, one, **options) for one in (heat, larger)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-6), spec


# ----------------------------------------------------------------------------------------- pictures


def shown(case: ev.Case, pixels: torch.Tensor) -> ex.Heatmap:
    """A heatmap with a map of its own pixel by pixel."""
    return replace(case.heat("gae"), pixels=pixels)


@named([one for one in RECORDS if one["name"].startswith("perturbation")])
def test_perturbed_pictures_are_the_authors_own(record):
    """Float32, as their run.

    Where the cut falls among pixels of one height (the border is clamped), which of them go is left
    to the sort.
    """
    case = ev.case_of(
        tiny("vit", torch.float32), ev.Example(example("vit", torch.float32), label=3), 3
    )
    metric, heat = ev.METRICS[record["metric"]], case.heat("gae")
    queries = metric.start(case, heat).queries
    assert [int((~query.keep).sum()) for query in queries] == record["taken"]
    answers = ev.answers(case.model, [case] * len(queries), queries)
    found = number_of(case, heat, metric.key, answers)
    assert [found[str(10 * k)] for k in range(1, 10)] == record["hits"] and found[
        "area"
    ] == pytest.approx(record["chefer"])
    closed = number_of(case, heat, metric.key, answers, area="ti")
    assert closed["area"] == pytest.approx(100 * record["ti"])
    heights = (
        resized_map(heat, (32, 32))
        .flatten()
        .sort(descending=metric.key == "positive_perturbation")
        .values
    )
    clear = torch.tensor([abs(heights[k] - heights[k - 1]) > 1e-7 for k in record["taken"]])
    apart = (torch.stack(answers) - torch.tensor(record["logits"]).softmax(-1)).abs().amax(-1)
    assert clear.sum() >= 5 and apart[clear].max() < 1e-6 and apart.max() < 0.03


@named([one for one in RECORDS if one["name"].startswith("rise")])
def test_deletion_and_insertion_are_rises_own(record):
    case = golden_case("vit", record["class"])
    lifted = case.heat("gae").patches[None, None]
    own = torch.nn.functional.interpolate(lifted, (32, 32), mode="bilinear")[0, 0]
    own = (own - own.min()) / (own.max() - own.min()) + 1e-6 * torch.arange(
        1024.0, dtype=torch.float64
    ).view(32, 32)
    metric, heat = ev.METRICS[record["metric"]], shown(case, own)
    queries = metric.start(case, heat, **record["how"]).queries
    close(explained(case, queries), record["probabilities"], 1e-4)
    assert metric.measure(case, heat, **record["how"]) == pytest.approx(record["value"], rel=1e-4)


def test_a_patch_taken_out_is_all_its_pixels_taken_out():
    case = golden_case("vit", 3)
    places = order(case, case.heat("gae"))
    by_patch = removing(case, places, range(17), "black")
    rows = (
        torch.stack([query.keep for query in by_patch])[:, 1:]
        .unflatten(1, (4, 4))
        .repeat_interleave(8, 1)
        .repeat_interleave(8, 2)
    )
    by_pixel = [ev.Query(keep, "black") for keep in rows]
    for one, two in zip(
        ev.answers(case.model, [case] * 17, by_patch), ev.answers(case.model, [case] * 17, by_pixel)
    ):
        torch.testing.assert_close(one, two)


# ------------------------------------------------------------------------------------------- curves


def test_curves_start_and_end_where_nothing_and_everything_is_gone(reader):
    case = ev.case_of(reader, TEXTS[1])
    found = ev.curves(
        case, ["attcat", case.heat("gae"), "attcat:mask_specials=true"], levels=5, orders=3
    )
    assert list(found.deletion) == [
        "attcat",
        "gae",
        "attcat:mask_specials=true",
    ] and found.shares.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    whole = float(case.probabilities[case.explained])
    for name in ("attcat", "gae"):
        assert (
            float(found.deletion[name][0])
            == float(found.insertion[name][-1])
            == pytest.approx(whole)
        )
        assert float(found.deletion[name][-1]) == pytest.approx(float(found.insertion[name][0]))
        wanted = {
            "deletion": {"steps": 5},
            "insertion": {"steps": 5},
            "aopc": {"levels": 5},
            "logodds": {"levels": 5, "fill": "delete"},
        }
        assert found.numbers(name) == pytest.approx(
            {
                key: ev.METRICS[key].measure(case, case.heat(name), **how)
                for key, how in wanted.items()
            }
        )
    low, high, mean = found.band["deletion"]
    assert (
        found.random["deletion"].shape == (3, 6)
        and (low <= high).all()
        and (low[1:-1] < high[1:-1]).any()
    )
    torch.testing.assert_close(mean, found.random["deletion"].mean(0))


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "methods, metrics, target, said",
    [
        (["atcat"], ["aopc"], None, "did you mean 'attcat'"),
        (["attcat"], ["aopcs"], None, "did you mean 'aopc'"),
        (["attcat:state=input"], ["aopc"], None, "did you mean 'states'"),
        (["attcat"], ["aopc:filling=pad"], None, "option of aopc"),
        (["attcat"], ["aopc:fill=black"], None, "delete, mask, pad, unk"),
        (["attcat"], ["aopc:levels"], None, "name:option=value"),
        (["attcat"], ["aopc:levels=0"], None, "at least one"),
        (["attcat"], ["token_f1"], None, "needs the rationale"),
        (["attcat"], ["masking"], None, "needs the label"),
        (["attcat"], ["segmentation"], None, "for pictures"),
        (["attcat"], ["aopc"], "label", "has no label"),
        (["attcat"], ["aopc:of=label"], None, "against the gold class"),
        (["attcat"], ["aopc:fill=delete"], ("POSITIVE", "NEGATIVE"), "moves the places"),
        (["attcat"], ["kendall"], ("POSITIVE", "NEGATIVE"), "measured for classes"),
        (["centre"], ["aopc"], None, "for pictures"),
        (["random:drawn=1"], ["aopc"], None, "did you mean 'draw'"),
        (["random:draw=first"], ["aopc"], None, "takes a whole number"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(reader, methods, metrics, target, said):
    with pytest.raises(ex.Refusal, match=said):
        ev.measure(reader, TEXTS[0], methods, metrics, target)


@pytest.mark.parametrize(
    "metric, target", [("masking", None), ("aopc:of=label", None), ("aopc", "label")]
)
def test_an_unknown_label_is_refused_with_the_menu(reader, metric, target):
    with pytest.raises(ex.Refusal, match="POSITIVE"):
        ev.measure(reader, ev.Example(TEXTS[0], label="POSITVE"), ["attcat"], [metric], target)


def test_an_unknown_label_that_nothing_asks_for_is_none(reader):
    known, unknown = (
        ev.measure(reader, ev.Example(TEXTS[0], label=label), ["attcat"], ["aopc", "deletion"])
        for label in ("POSITIVE", "POSITVE")
    )
    assert known == unknown


def test_a_metric_that_cannot_be_measured_does_not_take_the_others_along(reader):
    refused, chosen = [], ["aopc", "masking", "aopc:of=label", "token_f1"]
    examples = [ev.Example(TEXTS[0], "POSITIVE", "a"), ev.Example(TEXTS[1], None, "b")]
    first, second = ev.measure(
        reader, examples, ["attcat"], chosen, refused=refused, baselines=False
    )
    assert (
        [(one["id"], one["method"], one["metric"]) for one in refused]
        == [
            ("a", "attcat", "token_f1"),
            *(("b", "attcat", name) for name in ("masking", "token_f1", "aopc:of=label")),
        ]
        and "needs the rationale" in refused[0]["reason"]
        and "has no label" in refused[3]["reason"]
    )
    assert first.keys() == {
        "id",
        "method",
        "target",
        "aopc",
        "masking.aopc",
        "masking.accuracy",
        "aopc:of=label",
        "token_f1",
    }
    assert (
        math.isnan(second["masking"])
        and math.isnan(second["aopc:of=label"])
        and math.isnan(first["token_f1"])
    )
    assert (
        second["aopc"]
        == ev.measure(reader, examples[1], ["attcat"], ["aopc"], baselines=False)[0]["aopc"]
    )


def test_what_is_refused_is_collected_and_the_rest_goes_on(reader):
    refused = []
    examples = [
        ev.Example(TEXTS[0], id="a"),
        ev.Example("", id="empty"),
        ev.Example(TEXTS[1], label="?", id="label"),
        ev.Example(TEXTS[2], id="b"),
    ]
    found = ev.measure(reader, examples, ["attcat"], ["aopc"], refused=refused, baselines=False)
    assert [one["id"] for one in found] == ["a", "label", "b"]
    assert [one["id"] for one in refused] == ["empty"] and all(
        one["reason"].endswith((".", ")")) for one in refused
    )
    found = ev.measure(
        reader, examples[0], ["attcat", "grad_cam"], ["aopc"], refused=refused, baselines=False
    )
    assert [one["method"] for one in found] == ["attcat"] and refused[-1]["method"] == "grad_cam"


def test_answers_of_a_question_are_measured_by_blanks():
    case = ev.case_of(
        ex.load("question-answering", device="cpu"),
        ("Who wrote it?", "Mary Shelley wrote it in 1818."),
    )
    heat = case.heat("occlusion")
    assert (
        case.probabilities.shape == (1,)
        and ev.METRICS["aopc"].measure(case, heat, fill="mask") > 0.1
    )
    with pytest.raises(ex.Refusal, match="take pad, mask or unk"):
        ev.METRICS["aopc"].measure(case, heat)


@pytest.mark.parametrize(
    "metric, says",
    [
        ("deletion:by=pixel", "no pixels; take by=patch"),
        ("insertion:by=pixel", "no pixels; take by=patch"),
        ("positive_perturbation:by=pixel", "no pixels; take by=patch"),
        ("precision_at_k:k=0", "The option k is at least 1; got 0."),
        ("sensitivity:samples=0", "The option samples is at least 1; got 0."),
        ("sensitivity:radius=nan", "The option radius is finite and at least 0; got nan."),
        ("infidelity:samples=0", "The option samples is at least 1; got 0."),
        ("infidelity:share=2", "The option share is above 0 and at most 1; got 2."),
    ],
)
def test_options_out_of_range_are_refused_in_a_sentence(reader, metric, says):
    with pytest.raises(ex.Refusal, match=says):
        ev.measure(reader, ev.Example(TEXTS[0], label=0), ["attcat"], [metric])


def test_erasers_equation_counts_an_empty_rationale(additive):
    """Its code averages over the five bins; its equation divides by one more, whose rationale is
    empty.
    """
    case = ev.case_of(additive, "good movie really boring", "POSITIVE")
    heat, both = oracle(case), ("comprehensiveness", "sufficiency")
    lost = float(case.probabilities[2]) - 1 / 3  # without any word the three classes are alike
    for key, first in zip(both, (0, lost)):
        mean, paper = (
            ev.METRICS[key].measure(case, heat, reproduce=how) for how in ("mean", "paper")
        )
        assert (
            paper == pytest.approx((first + 5 * mean) / 6)
            and ev.METRICS[key].measure(case, heat) == mean
        )


def test_which_end_is_better_is_said_of_each_part():
    of = lambda key, part, **options: ev.METRICS[key].better_of(part, **options)
    assert (of("masking", "aopc"), of("masking", "accuracy")) == ("higher", "lower")
    assert (
        of("masking", "aopc", first="least"),
        of("masking", "accuracy", first="least", fill="mask"),
    ) == ("lower", "higher")
    assert (
        of("precision_at_k", "hits", k="5"),
        of("precision_at_k", "perfect"),
        of("logodds", ""),
    ) == ("higher", "", "lower")


def test_published_numbers_say_their_unit_where_ours_have_another():
    """A share of 1 is never above 1."""
    for one in ev.PROTOCOLS.values():
        rows = [row for table in one.published.values() for row in table.values()]
        if any(float(number) > 1 for row in rows for number in row.values()):
            said = f"Published numbers, {one.unit}, of the authors' models"
            assert one.unit and said in one.note(), one.key
    said = ev.find_protocol("globenc-spearman").note()
    assert "Published numbers of the authors' models on the authors' data" in said


# ---------------------------------------------------------------------------- edges by value


def test_a_probability_of_zero_counts_as_the_smallest_of_float32():
    least = float(np.finfo(np.float32).tiny)
    assert mean_log_ratio(0.5, np.array([0.0])) == pytest.approx(math.log(least / 0.5))
    assert mean_log_ratio(0.0, np.array([0.5])) == pytest.approx(math.log(0.5 / least))


def test_a_random_order_is_another_one_for_another_target(reader):
    case = ev.case_of(reader, TEXTS[1])
    first, second = (case.heat("random", target=target).scores for target in (0, 1))
    assert not torch.equal(first, second)
    again = ev.case_of(reader, TEXTS[1]).heat("random", target=1).scores
    assert torch.equal(second, again)


def test_a_metric_can_ask_twice(reader):
    """Its second question may depend on the first answer."""

    def twice(case, heat):
        places = order(case, heat)
        (first,) = yield removing(case, places, [1], "pad")
        (second,) = yield removing(case, places, [2], "pad")
        return float(first[0]), float(second[0])

    case = ev.case_of(reader, TEXTS[1])
    heat = case.heat("random")
    measurement = Measurement(case, twice(case, heat))
    while not measurement.done:
        assert len(measurement.queries) == 1
        measurement.answer(ev.answers(reader, [case], measurement.queries))
    queries = removing(case, order(case, heat), [1, 2], "pad")
    wanted = [float(row[0]) for row in ev.answers(reader, [case, case], queries)]
    assert list(measurement.number) == pytest.approx(wanted)
