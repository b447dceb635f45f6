"""Metrics that look at maps alone: rank correlations, answers and rationales, masks and boxes,
agreement between methods.
"""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from metric_cases import RECORDS, TEXTS, golden_case, golden_heat, heat_of, measured, named, square
from PIL import Image
from sklearn.metrics import f1_score
from tiny import example, tiny

import explainers as ex
from explainers import evaluation as ev
from explainers.evaluation.localisation import average_precision, boxes_of, overlap, seen_mask
from explainers.evaluation.plausibility import hits_in_top

# ------------------------------------------------------------------------------------- correlations


@named([one for one in RECORDS if one.get("metric") == "kendall"])
def test_kendall_between_classes_is_the_authors_own(record):
    case = golden_case(record["model"], record["classes"][0])
    other = record["classes"][1]
    assert other == case.explained - 1
    for target in (None, other):  # the readout token's score as the authors set it, in both maps
        heat = golden_heat(case, record, target)
        case.explaining(target).cache[record["method"], *sorted(record["options"].items())] = heat
    assert measured(
        "kendall", case, case.heat(record["method"], **record["options"]), **record["how"]
    ) == pytest.approx(record["value"], abs=1e-12)


def test_a_map_that_knows_no_classes_is_one_with_itself(reader):
    case = ev.case_of(reader, TEXTS[1])
    for key in ("kendall", "class_sensitivity"):
        assert measured(key, case, case.heat("rollout")) == 1.0
        assert abs(measured(key, case, case.heat("random"))) < 1
    assert len(case.cache["others"]) >= 1


def test_a_constant_map_ranks_nothing():
    flat, rising = torch.ones(5), torch.arange(5.0)
    for kind in ("spearman", "kendall"):
        assert ev.rank_correlation(flat, 2 * flat, kind) == 1.0
        assert (
            ev.rank_correlation(flat, rising, kind)
            == ev.rank_correlation(rising, flat, kind)
            == 0.0
        )
        assert ev.rank_correlation(rising, rising.exp(), kind) == pytest.approx(1)
        assert ev.rank_correlation(rising, -rising, kind) == pytest.approx(-1)
        assert math.isnan(ev.rank_correlation(flat[:1], flat[:1], kind))


@given(
    st.lists(st.floats(-10, 10, allow_subnormal=False), min_size=2, max_size=12),
    st.floats(0.01, 100),
)
def test_rank_correlation_is_symmetric_bounded_and_blind_to_scale(values, scale):
    first, second = (
        torch.tensor(values, dtype=torch.float64),
        torch.tensor(values[::-1], dtype=torch.float64),
    )
    for kind in ("spearman", "kendall"):
        rho = ev.rank_correlation(first, second, kind)
        assert -1 - 1e-12 <= rho <= 1 + 1e-12
        assert rho == pytest.approx(ev.rank_correlation(second, first, kind))
        assert rho == pytest.approx(
            ev.rank_correlation(first, second * 2.0 ** round(math.log2(scale)), kind)
        )


def test_spearman_is_with_the_slopes_times_what_enters(reader):
    case = ev.case_of(reader, TEXTS[1])
    saliency = (case.trace.hidden[0] * case.trace.grad.hidden[0]).norm(dim=-1)
    assert measured("spearman", case, heat_of(saliency, case.heat("gae"))) == pytest.approx(1)
    assert measured(
        "spearman", case, heat_of(-saliency, case.heat("gae")), specials=False
    ) == pytest.approx(-1)
    assert measured("spearman", case, heat_of(torch.zeros_like(saliency), case.heat("gae"))) == 0.0


# --------------------------------------------------------------------------- answers and rationales


def test_hits_in_the_top_are_the_authors_own():
    record = next(one for one in RECORDS if one.get("metric") == "precision_at_k")
    assert hits_in_top(-torch.arange(40.0), 18, 22, record["how"]["k"]) == record["value"]


def test_precision_of_an_answer():
    model = ex.load("question-answering", device="cpu")
    context = "Mary Shelley wrote it in 1818."
    case = ev.case_of(model, ev.Example(("Who wrote it?", context), data={"answer": (0, 12)}))
    answer = [i for i, label in enumerate(case.coded.labels) if case.coded.segments[i] == 1][:2]
    pointing = heat_of(
        [float(i in answer) for i in range(len(case.coded.labels))], case.heat("random")
    )
    assert measured("precision_at_k", case, pointing, k=4) == {
        "hits": 2.0,
        "precision": 0.5,
        "perfect": 2.0,
    }
    assert measured("precision_at_k", case, pointing, k=1)["precision"] == 1.0
    both = measured("precision_at_k", case, case.heat("attcat"), k=3, ends="absolute")
    summed = sum(case.heat("attcat", target=end).scores.abs() for end in ("start", "end"))
    assert both["hits"] == hits_in_top(summed, *answer, 3)
    lost = replace(case, example=replace(case.example, data={"answer": (0, 1000)}))
    assert all(map(math.isnan, measured("precision_at_k", lost, pointing).values()))


def test_token_f1_by_hand_and_by_scikit_learn(reader):
    """Words are what spaces separate: "good," is one word of two tokens, and "unbelievable" of
    several.
    """
    text = "the movie was not good, it is unbelievable and boring"
    case = ev.case_of(
        reader,
        ev.Example(
            text,
            data={
                "rationale": [
                    (text.index("not"), text.index(",")),
                    (text.index("boring"), len(text)),
                ]
            },
        ),
    )
    words = text.split()
    gold = np.array([word in ("not", "good,", "boring") for word in words])
    scores = torch.zeros(len(case.coded.labels), dtype=torch.float64)
    for i, span in enumerate(case.coded.spans):
        if span:
            word = len(text[: span[0]].split(" ")) - 1
            scores[i] = {"not": 3.0, "good,": 2.0, "unbelievable": 1.0}.get(words[word], -1.0)
    found = measured("token_f1", case, heat_of(scores, case.heat("random")))
    top = np.array([word in ("not", "good,", "unbelievable", "the", "movie") for word in words])
    assert found["5"] == pytest.approx(f1_score(gold, top)) == pytest.approx(2 * 2 / (5 + 3))
    assert found["10"] == found["80"] == pytest.approx(2 * 3 / (10 + 3))  # there are ten words
    summed = measured("token_f1", case, heat_of(scores, case.heat("random")), words="sum")
    assert summed["5"] == pytest.approx(found["5"])
    unmarked = replace(case, example=replace(case.example, data={"rationale": []}))
    assert all(map(math.isnan, measured("token_f1", unmarked, case.heat("random")).values()))


def test_words_that_were_not_read_cap_the_recall(reader):
    text = " ".join(
        ["good"] * 40 + ["movie"] * 40
    )  # 64 tokens at most, two of them special: 62 words are read
    case = ev.case_of(
        reader, ev.Example(text, data={"rationale": [(text.index("movie"), len(text))]})
    )
    scores = [
        0.0 if span is None else float(span[0] >= text.index("movie")) for span in case.coded.spans
    ]
    heat = heat_of(scores, case.heat("random"))
    assert measured("token_f1", case, heat)["20"] == pytest.approx(2 * 20 / (20 + 40))
    assert measured("token_f1", case, heat, gold="read")["20"] == pytest.approx(2 * 20 / (20 + 22))
    assert measured("token_f1", case, heat)["80"] == pytest.approx(2 * 22 / (62 + 40))


# ------------------------------------------------------------------------------------- localisation


def test_segmentation_is_the_authors_own():
    record = next(one for one in RECORDS if one.get("metric") == "segmentation")
    case = golden_case("vit", record["class"])
    case = replace(
        case, example=replace(case.example, data={"mask": square(slice(8, 24), slice(4, 20))})
    )
    for at in ("mask", "model"):  # the mask has the model's resolution
        found = measured("segmentation", case, case.heat("gae"), at=at, precision="both")
        assert (found["correct"], found["labelled"]) == (record["correct"], record["labelled"])
        assert [found["intersection_background"], found["intersection_object"]] == record[
            "intersections"
        ]
        assert [found["union_background"], found["union_object"]] == record["unions"]
        assert found["pixel_accuracy"] == pytest.approx(record["pixel_accuracy"]) and found[
            "miou"
        ] == pytest.approx(record["miou"])
        assert found["f1_rows"] == pytest.approx(record["f1_rows"])
        assert found["average_precision"] == pytest.approx(
            record["ap_both"], abs=5e-5
        )  # whether R and 1 − R tie is up to the last digit


def test_a_map_that_is_the_mask_is_perfect_and_its_reverse_the_worst():
    mask = square(slice(8, 24), slice(8, 24))
    assert (
        overlap(mask.astype(float), mask)["pixel_accuracy"]
        == overlap(mask.astype(float), mask)["miou"]
        == 1
    )
    assert average_precision(mask.astype(float), mask) == 1
    assert overlap(1 - mask.astype(float), mask)["miou"] == 0
    assert average_precision(np.zeros(mask.shape), mask) == pytest.approx(
        mask.mean()
    )  # a fair coin gets the object's share
    assert math.isnan(average_precision(np.zeros(mask.shape), np.zeros_like(mask)))


def test_a_picture_that_is_all_object_or_none_is_left_out():
    case = golden_case("vit", 3)
    for mask in (np.ones((32, 32), bool), np.zeros((32, 32), bool)):
        case = replace(case, example=replace(case.example, data={"mask": mask}))
        assert all(map(math.isnan, measured("segmentation", case, case.heat("gae")).values()))


def test_a_constant_map_draws_nothing_and_points_nowhere():
    case = golden_case("vit", 3)
    mask = square(slice(8, 24), slice(8, 24))
    case = replace(
        case, example=replace(case.example, data={"mask": mask, "boxes": [(0, 0, 16, 16)]})
    )
    heat = heat_of(torch.ones(17), case.heat("gae"))
    assert measured("segmentation", case, heat)["pixel_accuracy"] == pytest.approx(1 - mask.mean())
    assert measured("pointing_game", case, heat) == {"hit": 0.0, "energy": pytest.approx(0.25)}


def test_the_pointing_game():
    case = golden_case("vit", 3)
    boxed = lambda *boxes: replace(case, example=replace(case.example, data={"boxes": boxes}))
    scores = torch.zeros(17, dtype=torch.float64)
    scores[1 + 4 * 1 + 2] = 1.0  # row 2, column 3: pixels 8 to 15 down, 16 to 23 across
    heat = heat_of(scores, case.heat("gae"))
    assert measured("pointing_game", boxed((16, 8, 24, 16)), heat)["hit"] == 1
    assert measured("pointing_game", boxed((0, 8, 16, 16)), heat)["hit"] == 0
    assert measured("pointing_game", boxed((0, 24, 8, 32), (16, 8, 24, 16)), heat)["hit"] == 1
    assert measured("pointing_game", boxed((8, 0, 32, 24)), heat) == pytest.approx(
        {"hit": math.nan, "energy": math.nan}, nan_ok=True
    )
    assert 0.4 < measured("pointing_game", boxed((16, 8, 24, 16)), heat)["energy"] < 1
    with pytest.raises(ex.Refusal, match="left, top, right, bottom"):
        measured("pointing_game", boxed((16, 8, 8, 16)), heat)


def test_the_pointing_game_draws_boxes_around_the_pieces_of_a_mask():
    case = golden_case("vit", 3)
    ring = square(slice(8, 16), slice(16, 24)) & ~square(slice(10, 14), slice(18, 22))
    mask = ring | square(slice(24, 32), slice(0, 8))
    given = lambda **data: replace(case, example=replace(case.example, data=data))
    assert boxes_of(mask) == [(16, 8, 24, 16), (0, 24, 8, 32)]
    for scores in (case.heat("gae"), case.heat("random")):
        assert measured("pointing_game", given(mask=mask), scores) == measured(
            "pointing_game", given(boxes=boxes_of(mask)), scores
        )
    assert math.isnan(
        measured("pointing_game", given(mask=np.zeros((32, 32), bool)), case.heat("gae"))["hit"]
    )
    with pytest.raises(ex.Refusal, match="needs the boxes or mask of each example"):
        measured("pointing_game", given(), case.heat("gae"))
    with pytest.raises(ex.Refusal, match="height, width"):
        measured("pointing_game", given(mask=np.zeros((3, 32, 32))), case.heat("gae"))


def test_masks_are_cut_as_the_model_cuts_the_picture(tmp_path):
    """A wide picture: the bundled model sees its middle, and a box in pixels of the whole one is
    found there.
    """
    model = ex.load("vit", device="cpu")
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[20:60, 140:180] = 255
    Image.fromarray(picture).save(tmp_path / "wide.png")
    case = ev.case_of(
        model,
        ev.Example(
            tmp_path / "wide.png", data={"mask": picture[..., 0] > 0, "boxes": [(140, 20, 180, 60)]}
        ),
    )
    seen = seen_mask(case, case.data["mask"])
    drawn = np.asarray(case.coded.picture.convert("L")) > 127
    assert seen.shape == drawn.shape and (seen == drawn).mean() > 0.99 and seen.any()
    assert (
        measured("pointing_game", case, heat_of(-torch.arange(257.0), case.heat("gae")))["hit"] == 0
    )
    with pytest.raises(ex.Refusal, match="height, width"):
        seen_mask(case, picture)


def test_the_centre_prior_is_highest_in_the_middle_and_the_same_for_every_picture():
    case = golden_case("vit", 3)
    patches = case.heat("centre").patches
    assert patches.max() == patches[1:3, 1:3].min() and patches.min() == patches[0, 0] == 0
    torch.testing.assert_close(patches, patches.flip(0).flip(1))
    other = ev.case_of(tiny("vit"), {"pixel_values": example("vit")["pixel_values"].flip(-1)})
    assert torch.equal(case.heat("centre").scores, other.heat("centre").scores)
    assert not torch.equal(case.heat("random").scores, other.heat("random").scores)


# ---------------------------------------------------------------------------------------- agreement


def test_agreement_by_hand():
    first, second, third = (
        heat_of([4, 3, 2, 1], name="a"),
        heat_of([4, 3, 1, 2], name="b"),
        heat_of([0, 0, 0, 0], name="c"),
    )
    found = ev.agreement([first, second, third], top=2)
    assert found.methods == ["a", "b", "c"]
    torch.testing.assert_close(
        found.correlation, torch.tensor([[1, 0.8, 0], [0.8, 1, 0], [0, 0, 1]], dtype=torch.float64)
    )
    assert (
        found.overlap[0].tolist() == [1, 1, 1]
        and ev.agreement([first, heat_of([1, 2, 3, 4])], top=2).overlap[0, 1] == 0
    )
    assert ev.agreement([first, second], kind="kendall").correlation[0, 1] == pytest.approx(4 / 6)
    assert found.table().loc["a", "b"] == pytest.approx(0.8) and found.table("overlap").shape == (
        3,
        3,
    )


def test_mean_agreement_is_over_inputs(reader):
    names = ["attcat", "gae", "random"]
    each = []
    for text in TEXTS:
        case = ev.case_of(reader, text)
        each.append(ev.agreement([case.heat(name) for name in names]))
    mean = ev.mean_agreement(each)
    assert mean.inputs == len(TEXTS) and mean.methods == names
    torch.testing.assert_close(mean.correlation, sum(one.correlation for one in each) / len(each))
    assert (mean.correlation.diagonal() == 1).all() and torch.equal(mean.overlap, mean.overlap.T)


def test_agreement_of_different_inputs_is_refused(reader):
    heats = [ev.case_of(reader, text).heat("attcat") for text in TEXTS[:2]]
    for wrong in (heats, []):
        with pytest.raises(ex.Refusal, match="one input"):
            ev.agreement(wrong)
    with pytest.raises(ex.Refusal, match="at least one token"):
        ev.agreement(heats[:1], top=0)
    with pytest.raises(ex.Refusal, match="same methods"):
        ev.mean_agreement([ev.agreement(heats[:1]), ev.agreement([heat_of([1, 2])])])


def test_every_golden_record_is_used():
    names = {one["metric"] for one in RECORDS if "metric" in one}
    assert names == {
        "aopc",
        "logodds",
        "kendall",
        "precision_at_k",
        "positive_perturbation",
        "negative_perturbation",
        "segmentation",
        "deletion",
        "insertion",
    }
    assert names <= set(ev.METRICS) and json.dumps(RECORDS)
