"""What metrics ask of a model: each question once, together or alone; and curves of answers."""

from itertools import product

import pytest
import torch
from metric_cases import TEXTS
from tiny import tiny

from explainers import evaluation as ev
from explainers.evaluation.perturbation import order, perturbed, removing
from explainers.evaluation.registry import Measurement

# ----------------------------------------------------------------- what the model is asked, and how


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
    alone = []
    for example in reversed(examples):
        alone += ev.measure(reader, example, **how)
    assert [(one["id"], one["method"]) for one in together] == list(
        product("0123", ("attcat", "gae", "random"))
    )
    for one in together:
        other = next(
            two for two in alone if (two["id"], two["method"]) == (one["id"], one["method"])
        )
        assert one == pytest.approx(other)
    other_seed = ev.measure(reader, examples, **how | {"seed": 4})
    changed = {one["method"] for one, two in zip(together, other_seed) if one != pytest.approx(two)}
    assert changed == {"random"}


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
