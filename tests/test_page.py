"""Functions of the page: menus, answers, refusals and options, without a browser."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from asking import answers, complaint, question, state, values_of, write_file
from browser import ROOT
from visiting import HOSTILE, SENTENCE, TEXT

import explainers as ex
from explainers.page import answers as page_answers
from explainers.page import asking, loading
from explainers.page.examples import EXAMPLES, fields_of
from explainers.page.links import LONGEST_TEXT
from explainers.page.options import DEFAULT, read_options, with_option
from explainers.page.pieces import refusal_box
from explainers.page.state import KINDS, TABS, given_by, in_order
from explainers.render import tokens


def test_every_method_is_on_the_menu_of_its_tabs():
    for tab in TABS.values():
        offered = {method.key for method in tab.methods}
        modality = "text" if tab.name == "Text" else "image"
        assert offered == {key for key, one in ex.METHODS.items() if modality in one.tasks}
        assert set(tab.first) <= offered and len(tab.first) <= 7
        for part in ("Layers", "Heads"):
            shown = {method.key for method in tab.with_part(part)}
            having = {key for key in offered if part.lower() in ex.METHODS[key].parts}
            assert shown == having
        for method in tab.methods:
            assert ("·" in asking.menu_title(method)) != method.single_pass


def test_signed_methods_come_first_and_attcat_on_top():
    keys = ["raw_attention", "rollout", "occlusion", "cat", "attcat"]
    assert in_order(keys) == ["attcat", "occlusion", "cat", "raw_attention", "rollout"]


def test_one_method_after_another():
    steps = answers(SENTENCE, ("attcat", "gae", "raw_attention"))
    counts = [(1, 1), (1, 0), (0, 0)]
    for step, (computing, waiting) in zip(steps, counts, strict=True):
        compared = step["compared"]["value"]
        assert compared.count("computing …") == computing
        assert compared.count("waiting …") == waiting
        assert compared.count("<style") == 0, "the page has the styles already"
        assert not complaint(step)
    assert "layer by layer" in steps[0]["panel"]["value"]
    assert steps[-1]["asked"]["value"] == SENTENCE
    assert steps[-1]["shown"]["value"] == SENTENCE.fingerprint


def test_a_method_of_many_passes_says_what_it_costs_before_it_starts():
    steps = answers(SENTENCE, ("integrated_gradients", "smoothgrad"))
    drawn = [step for step in steps if "compared" in step]
    first, second, last = [step["compared"]["value"] for step in drawn]
    waits = r"(computing|waiting) …"
    assert "Integrated gradients · 50F 50B" in first and "SmoothGrad · 20F 20B" in first
    assert re.findall(waits, first) == ["computing", "waiting"]
    assert "Integrated gradients · 50F 50B" not in second
    assert re.findall(waits, second) == ["computing"]
    assert not re.findall(waits, last)


def test_a_long_text_is_refused_by_the_methods_that_would_hang_the_page():
    """In words, with what they would need, and before anything of theirs is computed; the others
    explain it.
    """
    methods = ("attcat", "attention_flow", "attattr", "value_zeroing", "optimus")
    *_, last = answers(question(text="a dull film " * 134), methods)
    said = unescape(last["compared"]["value"])
    for title, most, needs in (
        ("Value Zeroing", 384, "every layer 404 times over"),
        ("Optimus", 384, "404 whole forward passes"),
        ("Attention flow", 256, "404 maximum flows"),
        ("AttAttr", 256, "a whole forward and backward pass for every step in every layer"),
    ):
        sentence = (
            f"{title} takes at most {most} tokens and this input has 404: it would need {needs}"
        )
        assert sentence in said
    assert "strongest:" in said


def test_what_a_person_typed_is_escaped():
    for asked in (
        question(text=HOSTILE),
        question("Pair", HOSTILE, pair=HOSTILE, model="inference"),
    ):
        answer = answers(asked)[-1]
        for name in ("said", "compared", "panel"):
            shown = str(answer.get(name))
            assert "<script" not in shown and "<img" not in shown


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"text": ""}, "empty"),
        ({"text": " \u200b\n"}, "empty"),
        ({"methods": ()}, "at least one method"),
        ({"model": "./nowhere"}, ""),
        ({"model": "a b c"}, ""),
        ({"model": ""}, ""),
        ({"target": "NEUTRAL"}, "NEUTRAL"),
        ({"target": "NEGATIVE", "versus": "NEGATIVE"}, "always zero"),
    ],
    ids=str,
)
def test_refusals_are_one_sentence_and_keep_what_was_shown(given, says):
    methods = given.pop("methods", ("attcat", "raw_attention"))
    (step,) = answers(replace(SENTENCE, **given), methods)
    sentence = complaint(step)
    assert sentence and says in sentence and "Traceback" not in sentence and "Error" not in sentence
    assert sum('"xp ' in str(part) for part in step.values()) == 0


def test_fields_that_gradio_leaves_empty_are_refused_in_a_sentence():
    for name in ("text", "model"):
        values = values_of(state(SENTENCE)) | {name: None}
        (step,) = asking.explain(asking.Turn(), **values)
        assert complaint(step)


def test_a_refusal_escapes_what_it_quotes():
    changes = answers(replace(SENTENCE, model=HOSTILE))[0]
    shown = changes["model_refusal"]["value"]
    assert "<script" not in shown and "<img" not in shown
    assert "&lt;script&gt;" in refusal_box("<script>")["value"]


def test_an_accident_is_a_plain_sentence_and_is_logged(monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(page_answers, "heats_of", broken)
    sentence = complaint(answers(SENTENCE)[-1])
    assert sentence and "secret" not in sentence
    assert "the secret inside" in caplog.text


def test_visitors_get_no_look_at_the_disk():
    """A folder of the server, with a model in it or not, is not loaded and not told apart from one
    that is not there.
    """
    folders = (
        ROOT / "tests/goldens/models/bert",
        ROOT / "tests",
        "/no/such/folder",
        "tests/goldens",
    )
    said = set()
    for folder in folders:
        refused = complaint(answers(replace(SENTENCE, model=str(folder)))[-1])
        said.add(refused.replace(str(folder), ""))
    assert len(said) == 1 and said != {""}


def test_the_api_gives_the_record(sentiment):
    api = pytest.importorskip("explainers.page.api")
    record = api.explain_api(TEXT, "sentiment", "cat", "NEGATIVE")
    one = ex.explain(sentiment, TEXT, "cat", "NEGATIVE")
    assert record["tokens"] == one.labels and record["target"] == "NEGATIVE"
    assert record["scores"] == pytest.approx(one.scores.tolist(), rel=1e-4, abs=1e-6)
    with pytest.raises(Exception, match="did you mean &#x27;attcat&#x27;"):
        api.explain_api(TEXT, method="atcat")


@pytest.mark.parametrize("suffix", [".html", ".svg", ".png", ".csv", ".json"])
def test_files(suffix):
    changes = write_file(SENTENCE, suffix, link="http://x/?text=y")
    written = Path(changes["file"]["value"]).read_bytes()
    if suffix == ".png":
        assert written.startswith(b"\x89PNG")
    elif suffix != ".csv":
        assert b"unbelievably" in written
    assert complaint(write_file(SENTENCE, suffix, methods=()))
    assert "first" in complaint(write_file(None, suffix))


NAMES_OF_EXAMPLES = []
for kind_of_input, examples in EXAMPLES.items():
    NAMES_OF_EXAMPLES += [(kind_of_input, name) for name in examples]


@pytest.mark.parametrize(("kind", "name"), NAMES_OF_EXAMPLES)
def test_examples_can_be_explained(kind, name):
    example, one = EXAMPLES[kind][name], KINDS[kind]
    assert len(EXAMPLES[kind]) >= 3
    assert bool(example.get("picture")) == one.has_picture
    assert bool(example.get("text")) == bool(one.text_label)
    assert bool(example.get("pair")) == bool(one.pair_label)
    assert sum(map(len, example.values())) <= LONGEST_TEXT
    if kind != "Next token":  # its model is not bundled
        model = loading.model_of(example.get("model", one.model))
        given = given_by(question(kind, **fields_of(example)))
        heat = ex.explain(model, given, "raw_attention")
        assert heat.grid or len(tokens.view(heat)) <= tokens.COLUMNS


def test_a_method_that_refuses_does_not_stop_the_others(monkeypatch):
    explained = ex.explain_trace

    def some(model, coded, trace, key, **options):
        if key == "gae":
            raise ex.Refusal("GAE is not <b>for</b> this.")
        return explained(model, coded, trace, key, **options)

    monkeypatch.setattr(ex, "explain_trace", some)
    asked = question(text="A sentence asked only here.")
    last = answers(asked, ("attcat", "gae", "raw_attention"))[-1]
    compared = last["compared"]["value"]
    assert not complaint(last) and "GAE is not &lt;b&gt;for&lt;/b&gt; this." in compared
    assert compared.count('class="xp-name"') == 2
    alone = answers(question(text="Another sentence asked only here."), ("gae",))[-1]
    assert "GAE is not" in alone["compared"]["value"] and not complaint(alone)


def test_two_visitors_do_not_take_each_other_s_traces(sentiment, monkeypatch):
    """Each question is traced once, also where two are answered by turns."""
    traced, trace = [], ex.Model.trace

    def counted(model, coded, *rest, **options):
        traced.append(coded.text)
        return trace(model, coded, *rest, **options)

    monkeypatch.setattr(ex.Model, "trace", counted)
    methods = ("attcat", "cat", "gae", "raw_attention")
    texts = ["A text of the first visitor.", "A text of the second visitor."]
    running = [asking.answer(state(question(text=text), methods)) for text in texts]
    steps = list(zip(*running, strict=True))
    assert len(steps) == len(methods) and traced == texts


def test_options_are_kept_said_and_refused(sentiment):
    options = with_option("{}", "rollout", "start", 2)
    options = with_option(options, "attcat", "states", "output")
    assert read_options(options) == {"rollout": {"start": 2}, "attcat": {"states": "output"}}
    last = answers(SENTENCE, ("attcat", "rollout"), options=options)[-1]["compared"]["value"]
    heat = ex.explain(sentiment, TEXT, "rollout", start=2)
    assert "Attention rollout: start 2" in last and "AttCAT: states output" in last
    assert heat.in_words(float(heat.merged().scores[3])) in unescape(last)
    kept = with_option(options, "rollout", "start", 0)
    assert kept == '{"attcat": {"states": "output"}}', "a default is not kept"
    assert with_option(kept, "attcat", "states", DEFAULT) == "{}"
    refused = answers(SENTENCE, ("grads",), options='{"grads": {"layer": 99}}')[-1]
    assert "There is no layer 99" in refused["compared"]["value"]
    for odd in (
        "",
        "[]",
        "{",
        '{"rollout": 3}',
        '{"no": {"start": 1}}',
        '{"rollout": {"no": 1}}',
        '{"rollout": {"start": "x"}}',
        "null",
    ):
        assert read_options(odd) == {}, odd
