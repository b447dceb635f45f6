"""The metric of planted causes: against numbers made by hand, and on the planted models."""

import json
import math
from dataclasses import replace

import pytest
import torch
from metric_cases import heat_of, measured
from PIL import Image

import explainers as ex
from explainers import evaluation as ev
from explainers.cli import main

TEXT = "smoke in the hall, fire in the attic and heat in the cellar."
CAUSES = [((0, 5), 1), ((41, 45), 1)]  # smoke, heat
DATA = {"causes": CAUSES, "distractors": [(19, 23)]}  # fire


@pytest.fixture(scope="module")
def model() -> ex.Model:
    return ex.load("planted-and", device="cpu")


@pytest.fixture
def case(model) -> ev.Case:
    return ev.case_of(model, ev.Example(TEXT, "alarm", "1", DATA))


def scored(case: ev.Case, **scores: float) -> ex.Heatmap:
    """A signed map with these scores of words (the first of each), and 0 elsewhere."""
    found = torch.zeros(len(case.coded.labels), dtype=torch.float64)
    for word, score in scores.items():
        found[case.coded.labels.index(word)] = score
    return heat_of(found, case.heat("attcat"))


def test_the_places_are_those_of_the_words():
    assert [TEXT[first:last] for (first, last), _ in CAUSES] == ["smoke", "heat"]
    assert TEXT[slice(*DATA["distractors"][0])] == "fire"


def test_a_map_of_the_causes_alone_is_right(case):
    found = measured("planted", case, scored(case, smoke=2.0, heat=1.0))
    assert found == {"precision": 1.0, "sign": 1.0, "distractor": 0.0}


def test_numbers_made_by_hand(case):
    """|scores| 3, 2, 1, 2: smoke and fire are the two largest, heat has the wrong sign."""
    heat = scored(case, smoke=3.0, fire=-2.0, heat=-1.0, attic=2.0)
    found = measured("planted", case, heat)
    assert found == {"precision": 0.5, "sign": 0.5, "distractor": 2 / 8}
    assert measured("planted", case, heat, k=1)["precision"] == 1.0
    assert measured("planted", case, heat, k=4)["precision"] == 0.5


def test_special_tokens_count_nowhere(case):
    heat = scored(case, smoke=2.0, heat=1.0, fire=1.0)
    scores = heat.scores.clone()
    scores[[0, -1]] = 100.0
    found = measured("planted", case, replace(heat, scores=scores))
    assert found == measured("planted", case, heat)
    assert found["distractor"] == 1 / 4


def test_the_signs_turn_with_the_class_that_is_explained(case):
    heat = scored(case, smoke=-2.0, heat=-1.0)
    assert measured("planted", case, heat)["sign"] == 0.0
    other = case.explaining("quiet")
    assert measured("planted", other, heat)["sign"] == 1.0
    difference = ev.case_of(
        case.model, ev.Example(TEXT, "alarm", "1", DATA), target=("alarm", "quiet")
    )
    assert math.isnan(measured("planted", difference, heat)["sign"])
    assert measured("planted", difference, heat)["precision"] == 1.0


def test_a_cause_that_speaks_against_its_class_is_to_be_negative():
    model, text = ex.load("planted-not", device="cpu"), "the soup was not good."
    data = {"causes": [((13, 16), 1), ((17, 21), -1)], "distractors": []}
    case = ev.case_of(model, ev.Example(text, "no praise", "1", data))
    found = measured("planted", case, scored(case, good=-2.0, **{"not": 1.0}))
    assert (found["precision"], found["sign"]) == (1.0, 1.0)
    assert math.isnan(found["distractor"]), "it has none"


def test_what_is_not_defined_is_no_number(case):
    heat = scored(case, smoke=2.0, heat=1.0)
    unsigned = measured("planted", case, replace(heat, signed=False))
    assert math.isnan(unsigned["sign"]) and unsigned["precision"] == 1.0
    zeros = measured("planted", case, scored(case))
    assert zeros["precision"] == zeros["sign"] == 0.0 and math.isnan(zeros["distractor"])
    nothing = {"causes": [], "distractors": [(19, 23)]}
    without = ev.case_of(case.model, ev.Example(TEXT, "alarm", "1", nothing))
    assert all(math.isnan(value) for value in measured("planted", without, heat).values())


def test_a_cause_that_the_model_does_not_read_is_left_out(case):
    data = {"causes": [*CAUSES, ((500, 505), 1)], "distractors": []}
    longer = ev.case_of(case.model, ev.Example(TEXT, "alarm", "1", data))
    found = measured("planted", longer, scored(longer, smoke=2.0, heat=1.0))
    assert (found["precision"], found["sign"]) == (1.0, 1.0)


def test_examples_without_causes_are_refused(model):
    case = ev.case_of(model, ev.Example(TEXT, "alarm", "one"))
    with pytest.raises(ex.Refusal, match=r"needs the causes of each example; one has none\."):
        measured("planted", case, case.heat("attcat"))
    with pytest.raises(ex.Refusal, match="at least 1"):
        measured("planted", case_with_causes(model), case.heat("attcat"), k=0)


def case_with_causes(model: ex.Model) -> ev.Case:
    return ev.case_of(model, ev.Example(TEXT, "alarm", "1", DATA))


# ------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("scale", [1, 2], ids=["as it is", "twice as large"])
def test_boxes_become_the_patches_of_which_half_is_in_them(scale):
    """Boxes are in pixels of the picture, of whatever size; the model sees 8 × 8 patches."""
    model = ex.load("planted-object", device="cpu")
    example = ev.read("planted-object").examples[0]
    (box, sign), *_ = example.data["causes"]
    picture = example.inputs.resize((64 * scale, 64 * scale), Image.Resampling.NEAREST)
    larger = tuple(scale * edge for edge in box)
    data = {"causes": [(larger, sign)], "distractors": [(0, 0, 3 * scale, 8 * scale)]}
    case = ev.case_of(model, ev.Example(picture, example.label, "1", data))
    scores = torch.zeros(8, 8, dtype=torch.float64)
    left, top, right, bottom = (edge // 8 for edge in box)
    scores[top:bottom, left:right] = torch.tensor([[3.0, -1.0], [2.0, 1.0]])
    heat = heat_of(torch.cat([torch.zeros(1), scores.flatten()]), case.heat("attcat"))
    found = measured("planted", case, heat)
    assert (found["precision"], found["sign"]) == (1.0, 1.0), "the sum over the object is positive"
    assert math.isnan(found["distractor"]), "less than half of a patch is in the box"


def test_the_other_classes_of_several_have_no_sign():
    model = ex.load("planted-object", device="cpu")
    example = ev.read("planted-object").examples[0]
    other = next(name for name in model.labels.values() if name != example.label)
    case = ev.case_of(model, example, target=other)
    assert math.isnan(measured("planted", case, case.heat("attcat"))["sign"])


@pytest.mark.parametrize("name", ["planted-corner", "planted-object"])
def test_a_gradient_finds_the_part_that_decides(name):
    """What a person sees on the map: the mark in the corner, the red object."""
    model, examples = ex.load(name, device="cpu"), ev.read(name).examples[:20]
    records = ev.measure(model, examples, ["gradient", "integrated_gradients"], ["planted"])
    found = {}
    for key in ("gradient", "integrated_gradients", "centre", "random"):
        ours = [one["planted.precision"] for one in records if one["method"] == key]
        found[key] = sum(ours) / len(ours)
    assert min(found["gradient"], found["integrated_gradients"]) > 0.8
    assert max(found["centre"], found["random"]) < 0.3


# ----------------------------------------------------------------------------- data and commands


def test_a_folder_of_planted_inputs_is_read(tmp_path):
    row = {"text": TEXT, "label": "alarm", "causes": [], "distractors": [[19, 23]]}
    (tmp_path / "planted.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    data = ev.read(tmp_path)
    assert data.name == tmp_path.name
    (example,) = data.examples
    assert (example.inputs, example.label, example.id) == (TEXT, "alarm", "0")
    assert example.data == {"causes": [], "distractors": [(19, 23)]}


def test_a_line_that_lacks_a_field_is_refused(tmp_path):
    (tmp_path / "planted.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    with pytest.raises(
        ex.Refusal, match=r"planted\.jsonl does not have the format of inputs of planted"
    ):
        ev.read(tmp_path)


def test_a_bundled_model_without_inputs_has_no_data_of_its_name():
    with pytest.raises(ex.Refusal):
        ev.read("sentiment")


def test_the_command_measures_a_planted_model_on_its_own_inputs(tmp_path, capsys):
    typed = ["evaluate", "--data", "planted-and", "--methods", "attcat", "--metrics", "planted"]
    assert main([*typed, "--limit", "6", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "planted-and, 6 examples; model planted-and" in said
    assert "planted.precision ↑ | planted.sign ↑ | planted.distractor ↓" in said
