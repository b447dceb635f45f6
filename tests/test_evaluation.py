"""Metrics of faithfulness against their authors' own numbers."""

from dataclasses import replace
from itertools import chain

import pytest
import torch
from metric_cases import RECORDS, golden_case, golden_heat, named, number_of
from tiny import close, example, tiny

import explainers as ex
from explainers import evaluation as ev
from explainers.evaluation.faithfulness import attcat_order
from explainers.evaluation.perturbation import order, removing, resized_map

OF_TEXTS = [
    one for one in RECORDS if one.get("metric") in ("aopc", "logodds") and "left_after_6" not in one
]


def explained(case: ev.Case, queries: list[ev.Query]) -> list[float]:
    return [
        float(row[case.explained]) for row in ev.answers(case.model, [case] * len(queries), queries)
    ]


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


def shown(case: ev.Case, pixels: torch.Tensor) -> ex.Heatmap:
    """A heatmap with a map of its own pixel by pixel."""
    return replace(case.heat("gae"), pixels=pixels)


# ----------------------------------------------------------------------------------------- pictures


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
        rows = chain.from_iterable(table.values() for table in one.published.values())
        numbers = chain.from_iterable(row.values() for row in rows)
        if any(float(number) > 1 for number in numbers):
            said = f"Published numbers, {one.unit}, of the authors' models"
            assert one.unit and said in one.note(), one.key
    said = ev.find_protocol("globenc-spearman").note()
    assert "Published numbers of the authors' models on the authors' data" in said
