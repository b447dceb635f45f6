"""Metrics of faithfulness: against their authors' own numbers, on models that can be computed by hand, and by the laws that they keep."""

import json
import math
from dataclasses import replace

import pytest
import torch
from tiny import GOLDENS, close, example, tiny

import explainers as ex
from explainers import evaluation as ev
from explainers.evaluation.faithfulness import attcat_order
from explainers.evaluation.perturbation import order, perturbed, removing

RECORDS = json.loads((GOLDENS / "evaluation.json").read_text())
OF_TEXTS = [one for one in RECORDS if one.get("metric") in ("aopc", "logodds") and "left_after_6" not in one]


def named(records: list[dict]):
    return pytest.mark.parametrize("record", records, ids=[f"{one['name']}-{one.get('class', '')}" for one in records])


def golden_case(model: str, target) -> ev.Case:
    """The fixed input, its first and last token marked special as [CLS] and [SEP]: bare ids do not say so."""
    coded = tiny(model).encode(example(model))
    if not coded.grid:
        special = torch.zeros(len(coded.labels), dtype=torch.bool)
        special[0] = special[-1] = True
        coded = replace(coded, special=special)
    return ev.case_of(tiny(model), ev.Example(coded), target)


def golden_heat(case: ev.Case, record: dict, target=None) -> ex.Heatmap:
    heat = case.heat(record["method"], target=target, **record["options"])
    if "first" in record:                                   # the authors set the readout token's own score
        heat = replace(heat, scores=torch.cat([torch.tensor([float(record["first"])]).to(heat.scores), heat.scores[1:]]))
    return heat


def explained(case: ev.Case, queries: list[ev.Query]) -> list[float]:
    return [float(row[case.explained]) for row in ev.answers(case.model, [case] * len(queries), queries)]


# ------------------------------------------------------------------------------------------------- the authors' numbers

@named(OF_TEXTS)
def test_deletion_and_padding_are_the_authors_own(record):
    case = golden_case(record["model"], record["class"])
    heat, metric = golden_heat(case, record), ev.METRICS[record["metric"]]
    queries = metric.ask(case, heat, **record["how"])
    if "left" in record:
        assert [case.coded.tensors["input_ids"][0][one.keep].tolist() for one in queries] == record["left"]
    if "probabilities" in record:
        close(explained(case, queries), record["probabilities"], 1e-9)
    else:
        assert metric.measure(case, heat, **record["how"]) == pytest.approx(record["value"], rel=1e-9)


@named([one for one in RECORDS if "left_after_6" in one])
def test_what_is_taken_first_is_the_authors_own(record):
    case = golden_case(record["model"], record["class"])
    places = attcat_order(case, golden_heat(case, record), specials=record["how"]["reproduce"] == "attcat-pairs")
    kept = removing(case, places, [6], "delete")[0].keep
    assert case.coded.tensors["input_ids"][0][kept].tolist() == record["left_after_6"]


@named([one for one in RECORDS if "probability" in one])
def test_the_probability_before_is_the_authors_own(record):
    case = golden_case(record["model"], record["class"])
    assert float(case.probabilities[record["class"]]) == pytest.approx(record["probability"], rel=1e-9)


# ------------------------------------------------------------------------------------------- what the model is asked, and how

TEXTS = ["the movie was not good", "a boring film but some of the actors were really good", "it is unbelievable", "the film was not bad"]


def test_asking_together_is_asking_one_at_a_time(reader):
    """Deleted, blanked, hidden; several examples, maps and repetitions: every answer is that of the changed input alone."""
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
        if query.how == "delete":
            inputs = {"input_ids": ids[query.keep][None]}
        else:
            ids[~query.keep] = {"pad": 0, "mask": 4}[query.how]
            inputs = {"input_ids": ids[None]} if query.attend else {"input_ids": ids[None], "attention_mask": query.keep.long()[None]}
        with torch.no_grad():
            wanted = reader.net(**inputs).logits[0].softmax(-1)
        torch.testing.assert_close(got, wanted)


def test_equal_questions_are_asked_once(reader):
    case = ev.case_of(reader, TEXTS[1])
    heat, asked = case.heat("attcat"), []
    hook = reader.blocks[0].register_forward_hook(lambda block, args, output: asked.append(len(output)))
    try:
        queries = ev.METRICS["aopc"].ask(case, heat, fill="pad") + ev.METRICS["logodds"].ask(case, heat) + ev.METRICS["aopc"].ask(case, heat, fill="pad")
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
    assert perturbed(case.model, case, queries[0].keep[None], "delete")[0]["input_ids"].shape == (1, 1)


def test_measured_together_is_measured_alone(reader):
    """Records are in the order of the examples, whatever order the work was done in, and random draws depend on the input alone."""
    examples = [ev.Example(text, label="POSITIVE", id=str(i)) for i, text in enumerate(TEXTS)]
    how = dict(methods=["attcat", "gae"], metrics=["aopc", "logodds:fill=mask", "deletion:steps=4"], target="label", seed=3)
    together = ev.measure(reader, examples, **how)
    alone = [record for example in reversed(examples) for record in ev.measure(reader, example, **how)]
    assert [(one["id"], one["method"]) for one in together] == [(str(i), name) for i in range(4) for name in ("attcat", "gae", "random")]
    for one in together:
        other = next(two for two in alone if (two["id"], two["method"]) == (one["id"], one["method"]))
        assert one == pytest.approx(other)
    other_seed = ev.measure(reader, examples, **how | {"seed": 4})
    changed = {one["method"] for one, two in zip(together, other_seed) if one != pytest.approx(two)}
    assert changed == {"random"}


# ----------------------------------------------------------------------------------------------- computed by hand, and laws

def test_aopc_and_log_odds_by_hand():
    """Four words, two levels: the top two and all four are taken."""
    case = golden_case("bert", 0)
    case = replace(case, made={})
    case.__dict__["probabilities"] = torch.tensor([0.8, 0.1, 0.1], dtype=torch.float64)
    rows = [torch.tensor([0.4, 0.3, 0.3]), torch.tensor([0.2, 0.4, 0.4])]
    heat = case.heat("attcat")
    assert ev.METRICS["aopc"].read(case, heat, rows) == pytest.approx((0.4 + 0.6) / 2)
    assert ev.METRICS["aopc"].read(case, heat, rows, of="predicted") == pytest.approx((0.4 + 0.6) / 2)
    assert ev.METRICS["logodds"].read(case, heat, rows) == pytest.approx((math.log(0.5) + math.log(0.25)) / 2)
    assert ev.METRICS["deletion"].read(case, heat, [torch.tensor([p]) for p in (1.0, 0.5, 0.0)]) == pytest.approx(0.5)
    bins = [torch.tensor([p]) for p in (0.8, 0.7, 0.9, 0.4, 0.3)]
    assert ev.METRICS["comprehensiveness"].read(case, heat, bins) == pytest.approx((0 + 0.1 - 0.1 + 0.4 + 0.5) / 5)
    assert ev.METRICS["comprehensiveness"].read(case, heat, bins, reproduce="alti") == pytest.approx((0 + 0.1 + 0.1 + 0.4 + 0.5) / 6)
    assert ev.METRICS["sufficiency"].read(case, heat, bins, reproduce="alti") == pytest.approx((0 + 0 - 0.1 - 0.1 - 0.1) / 6)
