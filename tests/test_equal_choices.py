"""Choices among equal numbers: noise of the last digits, upwards or downwards, changes none, and a
tie is said.
"""

import re
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from metric_cases import golden_case, square
from objects import detr, picture
from tiny import TINY, fresh, tiny, varied

import explainers as ex
from explainers import evaluation as ev
from explainers.evaluation.correlation import rank_correlation
from explainers.evaluation.localisation import average_precision, overlap, stretched
from explainers.evaluation.perturbation import order
from explainers.evaluation.plausibility import hits_in_top
from explainers.methods import METHODS, best_reading, bimodal, mean_readings, optimus
from explainers.methods.optimus import Reading
from explainers.methods.rollout import without_smallest
from explainers.methods.vit_cx import zero_to_one
from explainers.outputs import Answer
from explainers.render import photo_maps, probability_plots, tokens, trials
from explainers.scores import tie
from explainers.tasks.answers import AnswerTarget, best_answers
from explainers.tasks.tags import TagTarget, best_tags

#: What rounding makes of equal numbers: the first larger, or the last.
LEANING = (-1e-7, 1e-7)

leaning = pytest.mark.parametrize("lean", LEANING, ids=["first larger", "last larger"])


def tilted(values: torch.Tensor, lean: float) -> torch.Tensor:
    """Equal numbers as another processor might round them: rising, or falling, by 1e-7 of the
    largest in all.
    """
    along = torch.linspace(0, 1, values.numel(), dtype=torch.float64).view(values.shape)
    return (values.double() + lean * values.double().abs().max() * along).to(values.dtype)


# ------------------------------------------------------------------------------------------ Optimus


@pytest.mark.parametrize("number", [0, 1, 2])
def test_noise_in_attention_changes_neither_the_reading_nor_its_faithfulness(number):
    """A mean is read from all tokens alike, so that the row of who looks at it is the same
    everywhere.
    """
    model = tiny("modernbert-mean", torch.float32)
    trace = model.trace(
        varied("modernbert-mean", number, 8), min(number, TINY["modernbert-mean"].classes - 1)
    )
    found = []
    for seed in range(6):
        noise = torch.rand(trace.attention.shape, generator=torch.Generator().manual_seed(seed))
        noisy = trace.attention * (1 + 2e-7 * (2 * noise - 1))
        again = replace(trace, recorded=trace.recorded | {"attention": noisy})
        found.append(METHODS["optimus"].measure(again))
    (scores, facts), *others = found
    for other, said in others:
        assert said == pytest.approx(facts, rel=1e-4)
        torch.testing.assert_close(other, scores, rtol=1e-3, atol=1e-4)


def test_a_row_that_is_the_same_everywhere_stays_so():
    trace = tiny("modernbert-mean", torch.float32).trace(varied("modernbert-mean", 2, 8), 2)
    rows = [
        METHODS["optimus"](trace, choice=f"{layer}/Mean/To")
        for layer in (*range(4), "Mean", "Multi")
    ]
    assert all(row.unique().numel() == 1 for row in rows)


def readings_of(trace, monkeypatch, faithfulness: list[float]) -> list[Reading]:
    """Put readings of this faithfulness in the place of those that the trace has."""
    empty = torch.zeros(len(trace.attended))
    made = [
        Reading("0", str(head), "From", empty + head, one) for head, one in enumerate(faithfulness)
    ]
    monkeypatch.setattr(optimus, "readings", lambda *given: made)
    return made


@leaning
def test_of_equally_faithful_readings_the_first_is_shown_and_the_others_are_counted(
    lean, monkeypatch
):
    trace = tiny("bert").trace(varied("bert", 0), 0)
    made = readings_of(trace, monkeypatch, [0.1, 0.3, 0.2, 0.3 + lean, 0.3 - lean])
    scores, facts = METHODS["optimus"].measure(trace)
    assert scores.equal(made[1].scores) and facts["RFT of 0/1/From"] == 0.3
    assert [value for name, value in facts.items() if "equally faithful" in name] == [3]
    assert best_reading([trace]) == "0/1/From"
    assert list(mean_readings([trace])) == [f"0/{head}/From" for head in (1, 3, 4, 2, 0)]
    assert METHODS["optimus"].layers(trace).equal(made[1].scores[None])
    readings_of(trace, monkeypatch, [0.1, 0.3, 0.2])
    assert list(METHODS["optimus"].measure(trace)[1]) == ["RFT of 0/1/From"], (
        "no word of ties where there is none"
    )


# -------------------------------------------------------------------------------- what a model says


def undecided(word_tokenizer, lean: float) -> ex.Model:
    """The tiny BERT whose second and third class have one logit, but for rounding."""
    model = fresh("bert", torch.float32)
    model.net.config.id2label = {0: "NEGATIVE", 1: "NEUTRAL", 2: "POSITIVE"}
    head = model.net.classifier
    with torch.no_grad():
        head.weight[2] = head.weight[1]
        head.bias[:] = torch.tensor([-50.0, 3.0, 3.0 * (1 + lean)])
    return ex.load(model.net, tokenizer=word_tokenizer, device="cpu")


@leaning
def test_of_equal_classes_the_first_is_predicted_and_explained(word_tokenizer, lean):
    model, text = undecided(word_tokenizer, 3 * lean), "the movie was good"
    said, heat, case = (
        ex.predict(model, text),
        ex.explain(model, text),
        ev.case_of(model, ev.Example(text, 1)),
    )
    assert (
        said.labels == ["NEUTRAL", "POSITIVE", "NEGATIVE"] and said.best == heat.target == "NEUTRAL"
    )
    assert said.equals == ("POSITIVE",) and "“POSITIVE” the same score as “NEUTRAL”" in str(said)
    assert [note for note in heat.notes if "POSITIVE" in note and "comes first" in note]
    assert case.predicted == 1 and case.trace.target.index == 1
    assert ev.METRICS["masking"].measure(case, heat)["accuracy"] == 1, (
        "the answer is the gold class as long as they tie"
    )
    certain = ex.explain(model, text, target="POSITIVE")
    assert not [note for note in certain.notes if "tie" in note], "who names a class asks for it"


def test_a_text_that_stands_there_twice_is_told_from_itself():
    said = (
        "A tie: the model gives {} the same score as “a cat”, "
        "which is taken because it comes first."
    )
    model, photo = ex.load("image-text"), ex.photo("cat")
    for texts, others in (
        (["a cat", "a cat"], "another “a cat”"),
        (["a cat", "a cat", "A cat", "a dog"], "another “a cat”, “A cat”"),
    ):
        assert ex.predict(model, (photo, texts)).tie == said.format(others)
        assert said.format(others) in ex.explain(model, (photo, texts), "raw_attention").notes
    assert tie("“in Paris”", ["“in Paris”"]) == (
        "A tie: the model gives another “in Paris” the same score as “in Paris”, "
        "which is taken because it comes first."
    )


def test_without_a_tie_nothing_is_said(reader):
    said, heat = ex.predict(reader, "the movie was good"), ex.explain(reader, "the movie was good")
    assert (
        said.equals == () and said.tie == "" and not [note for note in heat.notes if "tie" in note]
    )


@leaning
def test_of_equal_answers_the_first_in_the_text_is_taken(lean):
    logits = torch.full((10, 2), -9.0)
    logits[[3, 6], 0] = 5.0
    logits[[3, 6], 1] = torch.tensor([5.0, 5.0 * (1 + lean)])
    logits[0] = torch.tensor([5.0, 5.0 * (1 + 2 * lean)])  # "no answer" has the same score
    logits[3:6, 1] = torch.tensor([5.0, -9.0, -9.0])
    context = [False, *[True] * 9]
    ends = AnswerTarget(tuple(context), lambda first, last: f"{first} to {last}")
    target = ends.resolve(Answer(None, None, logits[None]), 0)
    assert target.span == (3, 3) and target.name == "“3 to 3”"
    assert target.equals == ("“3 to 6”", "“6 to 6”", "no answer in this text")
    assert (
        "gives “3 to 6”, “6 to 6”, “no answer in this text” the same score as “3 to 3”, which"
        in target.tie
    )
    said = best_answers(logits, ends)
    assert (
        said.labels[:4] == ["3 to 3", "3 to 6", "6 to 6", "no answer in this text"]
        and len(said.equals) == 3
    )
    chosen = replace(ends, spans=((6, 6), (3, 3)), may_be_none=False).resolve(
        Answer(None, None, logits[None]), 0
    )
    assert chosen.span == (6, 6), "the places that were asked for, in their order"


@leaning
def test_of_equal_labels_the_first_word_has_it(lean):
    logits = torch.full((6, 3), -9.0)
    logits[2, 1], logits[4, 2] = 5.0, 5.0 * (1 + lean)
    tag = TagTarget((1, 2, 3, 4), (1, 2), lambda token, column: f"{column} at {token}")
    target = tag.resolve(Answer(None, None, logits[None]), 0)
    assert target.name == "1 at 2" and target.equals == ("2 at 4",)
    said = best_tags(logits, tag)
    assert said.labels == ["1 at 2", "2 at 4"] and said.equals == ("2 at 4",)


@leaning
def test_of_equal_classes_of_an_object_the_first_is_explained(lean):
    net, query = deepcopy(detr()), 1
    bias = net.class_labels_classifier.bias
    with torch.no_grad():
        bias[0] = -50
        logits = net(**picture()).logits[0, query]
        bias[1:3] += 9 - logits[1:3]  # two classes of different weights have the logit 9
        bias[2] += 9e-4 * lean  # in float64
    likeliest, first, second = (
        bimodal.of_object(net, picture(), query, label=label) for label in (None, 1, 2)
    )
    assert not torch.allclose(first, second, rtol=1e-2)
    torch.testing.assert_close(likeliest, first)


# ------------------------------------------------------------------------------------------ metrics


def with_scores(case: ev.Case, scores: torch.Tensor) -> ex.Heatmap:
    return replace(case.heat("gradient"), scores=scores.float())


@leaning
def test_equal_scores_are_taken_out_from_first_to_last(reader, lean):
    case = ev.case_of(reader, "the movie was good and bad")
    heat = with_scores(case, tilted(torch.full((8,), 0.25), lean))
    assert order(case, heat).tolist() == [1, 2, 3, 4, 5, 6]
    assert ev.METRICS["aopc"].start(case, heat, reproduce="attcat").queries == []
    left = ev.without_top(case, heat, 2)
    assert left.keep.tolist() == [True, False, False, *[True] * 5] and left.tied
    html = trials.without_html(heat, left)
    assert "of equal scores, the first are removed" in html
    apart = ev.without_top(case, with_scores(case, torch.arange(8.0)), 2)
    assert apart.keep.nonzero().flatten().tolist() == [0, 1, 2, 3, 4, 7] and not apart.tied
    assert hits_in_top(tilted(torch.ones(8), lean), 0, 2, 3) == 3
    both = ev.agreement([heat, replace(heat, scores=heat.scores.flip(0), method="other")], top=3)
    assert both.overlap.tolist() == [[1, 1], [1, 1]] and both.correlation.tolist() == [
        [1, 1],
        [1, 1],
    ]


@leaning
def test_curves_name_the_maps_that_do_not_rank_all(reader, lean):
    case = ev.case_of(reader, "the movie was good and bad")
    same, other = (
        with_scores(case, tilted(torch.ones(8), lean)),
        with_scores(case, torch.arange(8.0)),
    )
    heats = [
        replace(same, method="same", title="Same"),
        replace(other, method="other", title="Other"),
    ]
    curves = ev.curves(case, heats, orders=2)
    assert curves.tied == ("same",) and "There are some in: Same." in curves.html()
    assert curves.joined(
        ev.curves(case, [replace(same, method="more", title="More")], orders=0)
    ).tied == ("same", "more")
    ranked = ev.curves(case, [with_scores(case, -torch.arange(8.0))], orders=2)
    assert curves.deletion["same"].tolist() == next(iter(ranked.deletion.values())).tolist()


def best_in(html: str) -> list[str]:
    rows = re.findall(r"<tr data-k.*?</tr>", html)
    return [re.sub("<[^>]+>", "", row)[0] for row in rows if "xp-tick" in row]


@leaning
def test_methods_with_equal_numbers_are_all_best_and_chance_is_beaten_by_more_than_rounding(lean):
    columns = {"insertion": ("Insertion", "higher")}
    rows = {
        name: {"insertion": value}
        for name, value in (("A", 0.3), ("B", 0.4), ("C", 0.4 * (1 + lean)))
    }
    html = probability_plots.measures_html(
        rows, columns, {"Random": {"insertion": 0.2}}, "Of these."
    )
    assert best_in(html) == ["B", "C"] and "Equal numbers are all marked as best." in html
    lower = probability_plots.measures_html(
        rows, {"insertion": ("Insertion", "lower")}, {"Random": {"insertion": 0.5}}, "Of these."
    )
    assert best_in(lower) == ["A"] and "Equal numbers" not in lower
    blind = probability_plots.measures_html(
        rows, columns, {"Random": {"insertion": 0.4 * (1 - lean)}}, "Of these."
    )
    assert best_in(blind) == [] and "No map here beats the random orders in Insertion" in blind


@leaning
def test_a_map_that_is_the_same_everywhere_but_for_rounding_ranks_nothing(lean):
    flat, rising = tilted(torch.full((9,), 0.5), lean), torch.arange(9.0)
    for kind in ("spearman", "kendall"):
        assert (
            rank_correlation(flat, rising, kind) == 0 and rank_correlation(flat, -flat, kind) == 1
        )
        pairs = torch.tensor([1.0, 1, 2, 2, 3, 3])
        noisy = pairs + 1e-7 * torch.tensor([1.0, -1, 2, -2, 1, 3])
        assert rank_correlation(noisy, pairs, kind) == pytest.approx(1)


@leaning
def test_a_picture_s_equal_pixels(lean):
    case = golden_case("vit", 3)
    mask = square(slice(0, 8), slice(0, 8))
    case = replace(case, example=replace(case.example, data={"mask": mask}))
    heat = case.heat("gae")
    flat = replace(heat, scores=tilted(torch.full((len(heat),), 0.25), lean))
    found = ev.METRICS["segmentation"].measure(case, flat)
    assert (
        found["average_precision"] == pytest.approx(mask.mean())
        and found["intersection_object"] == 0
    )
    assert ev.METRICS["pointing_game"].measure(case, flat)["hit"] == 0, "it has no highest pixel"
    peaks = torch.zeros(len(heat))
    peaks[1], peaks[-1] = 1.0, 1.0 + lean
    assert ev.METRICS["pointing_game"].measure(case, replace(heat, scores=peaks))["hit"] == 1, (
        "the first of two"
    )
    assert order(case, flat, "pixel").tolist() == list(range(32 * 32))
    assert photo_maps.strongest(flat.patches, 3) == [0, 1, 2]


@leaning
def test_drawings_of_equal_pixels(lean):
    halves = torch.tensor([[0.0, 0.5, 0.5, 1.0]])
    halves, drawn = halves.numpy(), tilted(halves, lean).numpy()
    mask = torch.tensor([[False, False, True, True]]).numpy()
    counts = overlap(drawn, mask)
    assert counts["correct"] == overlap(halves, mask)["correct"] == 3, (
        "what equals the mean is not above it"
    )
    assert average_precision(drawn, mask) == pytest.approx(average_precision(halves, mask))
    assert average_precision(drawn, mask, "both") == pytest.approx(
        average_precision(halves, mask, "both")
    )
    assert not stretched(tilted(torch.ones(2, 3), lean)).any()


# ----------------------------------------------------------------------------------- methods, views


@leaning
def test_of_equal_entries_the_first_are_left_out_of_a_rollout(lean):
    maps = tilted(torch.full((2, 4, 4), 0.25), lean)
    kept = without_smallest(maps, 0.5).flatten(1) > 0
    assert kept.tolist() == [[True, *[False] * 7, *[True] * 8]] * 2, "the first entry always stays"


@leaning
def test_a_channel_that_is_the_same_everywhere_is_no_mask(lean):
    channels = torch.stack([tilted(torch.full((4, 4), 3.0), lean), torch.arange(16.0).view(4, 4)])
    assert len(zero_to_one(channels)) == 1


@leaning
def test_the_strongest_words_of_equal_ones_are_the_first(reader, lean):
    case = ev.case_of(reader, "the movie was good and bad")
    heat = with_scores(case, tilted(torch.ones(8), lean)).without_specials()
    said = tokens.strip(heat, heat).replace(",", "")
    assert re.findall(r"strongest: (\w+) \S+ (\w+) \S+ (\w+)", said) == [("the", "movie", "was")]
