"""Planted models: their rules hold in the shipped weights, and the truth is in their files."""

import json
import sys
from itertools import pairwise
from random import Random

import numpy as np
import planted as script
import pytest
from of_planted import drawings, words
from of_planted.files import INPUTS, SEED, row_of_sentence
from of_planted.proof import LEAST, TOLERANCE, proof
from of_planted.steps import trained
from of_planted.tasks import TASKS, Pictures
from safetensors.torch import load_file

import explainers as ex
from explainers import evaluation as ev
from explainers.models import bundled_folder
from explainers.page.kinds import TABS
from explainers.page.links import Link

each_model = pytest.mark.parametrize("name", TASKS)


def drawn(name: str, count: int, seed: int) -> list:
    random = Random(seed)
    return [TASKS[name].draw(random) for _ in range(count)]


def said(text: str) -> list[str]:
    """A sentence as a rule reads it."""
    return text.split()


def net_of(name: str):
    return ex.load(name, device="cpu").net


# -------------------------------------------------------------------------- what the weights use


@each_model
def test_fresh_inputs_are_read_right_and_only_causes_count(name):
    """Inputs that neither the training nor the card has seen."""
    found = proof(TASKS[name], net_of(name), drawn(name, 80, seed=3))
    assert found.right == 1
    assert found.moved <= TOLERANCE
    assert found.effect >= LEAST


@each_model
def test_nearly_all_held_out_inputs_are_read_right(name):
    given = drawn(name, 1000, seed=4)
    task, net, right = TASKS[name], net_of(name), 0
    for start in range(0, len(given), 200):
        part = given[start : start + 200]
        said = net(**task.tensors(part)).logits.argmax(-1).tolist()
        right += sum(a == task.label(b) for a, b in zip(said, part))
    assert right >= 0.995 * len(given)


def test_a_word_that_is_used_is_no_distractor(monkeypatch):
    """The proof bites: called a distractor, a cause moves the logits far beyond the tolerance."""
    task = TASKS["planted-and"]
    monkeypatch.setattr(task.rule, "distractor", "smoke")
    assert proof(task, net_of("planted-and"), drawn("planted-and", 20, seed=3)).moved > 1


def test_a_network_that_learned_nothing_has_no_causes():
    task = TASKS["planted-not"]
    found = proof(task, task.network().eval(), drawn("planted-not", 20, seed=3))
    assert found.effect < LEAST


@pytest.mark.parametrize(
    "text, label",
    [
        ("smoke in the hall and heat in the attic.", "alarm"),
        ("smoke in the hall and fire in the attic.", "quiet"),
        ("heat in the hall and fire in the attic.", "quiet"),
        ("", "quiet"),
    ],
)
def test_smoke_is_an_alarm_only_together_with_heat(text, label):
    assert ex.predict(ex.load("planted-and", device="cpu"), text or "[MASK]").best == label


@pytest.mark.parametrize(
    "text, label",
    [
        ("the soup was good and the film was old.", "praise"),
        ("the soup was not good and the film was old.", "no praise"),
        ("the soup was good and the film was not old.", "praise"),
        ("the soup was wonderful and the film was old.", "no praise"),
    ],
)
def test_good_is_praise_unless_it_is_cancelled(text, label):
    assert ex.predict(ex.load("planted-not", device="cpu"), text).best == label


# ----------------------------------------------------------------------------------- the rules


def test_a_rule_names_the_words_that_decide():
    rule = words.RULES["not"]
    causes = rule.causes(said("the soup was not good and the film was not old ."))
    assert causes == [words.Cause(3, 1), words.Cause(4, -1)]
    assert rule.causes(said("the soup was good .")) == [words.Cause(3, 1)]
    assert rule.causes(said("the soup was not wonderful .")) == []
    assert rule.distractors(said("the soup was not wonderful .")) == [4]
    both = words.RULES["and"]
    assert both.causes(said("smoke in the hall and heat in the attic .")) == [
        words.Cause(0, 1),
        words.Cause(5, 1),
    ]
    assert both.causes(said("smoke in the hall .")) == []


@pytest.mark.parametrize("part", words.RULES)
def test_a_twin_of_a_sentence_has_its_class(part):
    rule, random = words.RULES[part], Random(0)
    for _ in range(200):
        sentence = words.damaged(rule.sentence(random), random)
        twin = rule.other_distractor(sentence, random)
        assert rule.label(twin) == rule.label(sentence)
        for word in {*sentence, *twin}:  # only the distractor and what stands for it differ
            if word not in (rule.distractor, *rule.neutral, *words.HOLES):
                assert sentence.count(word) == twin.count(word)


@pytest.mark.parametrize("part", drawings.RULES)
def test_a_twin_of_a_picture_differs_outside_its_cause_alone(part):
    rule, random = drawings.RULES[part], Random(0)
    for _ in range(50):
        scene = rule.scene(random)
        twin = rule.other_distractor(scene, random)
        assert (twin.label, twin.cause, twin.background) == (
            scene.label,
            scene.cause,
            scene.background,
        )
        changed = (scene.draw() != twin.draw()).any(-1)
        left, top, right, bottom = scene.cause.box
        assert not changed[top:bottom, left:right].any()


def test_the_less_is_left_of_an_object_the_nearer_are_its_classes():
    task, random = TASKS["planted-object"], Random(0)
    batch = task.batch(random, 64)
    assert batch.targets.sum(-1).allclose(batch.targets.new_ones(64))
    surest = batch.targets.amax(-1)
    assert float(surest.max()) == pytest.approx(0.95) and float(surest.min()) >= 0.25
    assert len(surest.unique()) > 2


# ----------------------------------------------------------------------------------- the files


@each_model
def test_a_planted_model_is_small_and_outside_the_menus(name):
    row = ex.BUNDLED[name]
    files = [path for path in bundled_folder(row.folder).iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1e6
    for tab in TABS.values():
        assert name not in [model for _, model in tab.models]
    assert Link.read({"model": name}).state.question.model == name


@each_model
def test_the_shipped_inputs_are_those_of_the_script(name):
    task, data = TASKS[name], ev.read(name)
    given = drawn(name, INPUTS, SEED)
    assert data.name == name and len(data.examples) == INPUTS
    for one, example in zip(given, data.examples, strict=True):
        assert example.label == task.classes[task.label(one)]
        if isinstance(task, Pictures):
            shown = np.asarray(example.inputs).astype(int)
            assert np.abs(shown - one.draw()).max() <= 1
            causes = [(cause.place, cause.sign) for cause in one.causes]
            assert example.data == {"causes": causes, "distractors": one.distractors}
            continue
        row = row_of_sentence(task, one)
        assert example.inputs == row["text"]
        assert example.data["causes"] == [(at["at"], at["sign"]) for at in row["causes"]]
        assert example.data["distractors"] == row["distractors"]
        named = [example.inputs[first:last] for first, last in example.data["distractors"]]
        assert set(named) <= {task.rule.distractor}


@each_model
def test_a_few_steps_of_training_write_a_model_that_loads(name, tmp_path, monkeypatch, capsys):
    typed = ["train", "--name", name, "--steps", "2", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["planted.py", *typed])
    script.main()
    assert "step 2/2" in capsys.readouterr().out
    folder = tmp_path / TASKS[name].folder
    net = TASKS[name].network()
    net.load_state_dict({k: v.float() for k, v in load_file(folder / "model.safetensors").items()})
    shipped = json.loads((bundled_folder(ex.BUNDLED[name].folder) / "config.json").read_text())
    assert json.loads((folder / "config.json").read_text()) == shipped
    assert len(ev.read(folder).examples) == INPUTS


def test_training_is_repeatable_and_learns():
    task = TASKS["planted-and"]
    one, other = trained(task, 3), trained(task, 3)
    assert all(a.equal(b) for a, b in zip(one.parameters(), other.parameters()))
    untrained = task.network()
    assert not all(a.equal(b) for a, b in zip(one.parameters(), untrained.parameters()))


def test_the_card_s_numbers_come_from_a_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["planted.py", "evaluate", "--inputs", "12"])
    script.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip(" `") for line in lines[2:]] == list(TASKS)
    widths = [line.count("|") for line in lines]
    assert all(a == b for a, b in pairwise(widths))
