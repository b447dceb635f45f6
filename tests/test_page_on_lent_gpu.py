"""The page where a GPU is lent function by function: what is refused there is refused in the same
words as here.
"""

import importlib
import pickle
import sys
import types
from functools import wraps

import gradio as gr
import pytest
from asking import complaint, question, state
from browser import ROOT

import explainers as ex
from explainers.page import answers, asking

TEXT = "not good"


def lending(duration=None):
    """`spaces.GPU` of spaces 0.51.3 on a ZeroGPU host, without the process: what goes in and out
    is pickled, a `gr.Error` comes back as it
    is, and any other exception as a `gr.Error` that has only the name of its class."""

    def decorate(task):
        @wraps(task)
        def handler(*args, **kwargs):
            if lending.full:
                raise gr.Error(
                    "You have exceeded your free ZeroGPU quota (30s requested vs. 0s left). "
                    "Try again in <b>1:02:03</b>.",
                    title="ZeroGPU quota exceeded",
                    print_exception=False,
                )
            args, kwargs = pickle.loads(pickle.dumps((args, kwargs)))
            try:
                answered = task(*args, **kwargs)
            except gr.Error:
                raise
            except Exception as error:
                raise gr.Error(
                    type(error).__name__, title="ZeroGPU worker error", print_exception=False
                ) from None
            return pickle.loads(pickle.dumps(answered))

        return handler

    return decorate


lending.full = False


@pytest.fixture(scope="module")
def lent():
    """The modules of the page as they are imported beside the package `spaces`."""
    spaces = types.ModuleType("spaces")
    spaces.GPU = lending
    imported = [name for name in sys.modules if name.startswith("explainers.page")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "spaces", spaces)
        for name in imported:
            patch.delitem(sys.modules, name)
        patch.setattr(ex, "page", None, raising=False)
        names = ("answers", "asking", "api", "imagining")
        modules = {name: importlib.import_module(f"explainers.page.{name}") for name in names}
        yield types.SimpleNamespace(**modules)
        for name in [name for name in sys.modules if name.startswith("explainers.page")]:
            del sys.modules[name]


def said(page, asked) -> dict:
    """What a page says of a question at last, by name."""
    *_, last = page.answer(state(asked, ["raw_attention"]))
    return last


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (question(text=""), "empty"),
        (question(text=TEXT, target="BANANA"), "BANANA"),
        (question(text=TEXT, target="POSITIVE", versus="POSITIVE"), "always zero"),
        (question(text=TEXT, model="no-such-owner-xyz/no-such-model-xyz"), "no-such-owner-xyz"),
        (question("Picture", picture=str(ROOT / "README.md")), "picture"),
        (question("Question", "Who sleeps?"), "empty"),
    ],
    ids=str,
)
def test_what_is_refused_there_is_refused_in_the_same_words(lent, asked, says):
    there, here = complaint(said(lent.asking, asked)), complaint(said(asking, asked))
    assert there == here and says in there and "went wrong" not in there


def test_what_is_explained_there_has_the_same_numbers(lent):
    there = lent.answers.heats_of(lent.answers.Asked("sentiment", TEXT), "attcat")[0]
    here = answers.heats_of(answers.Asked("sentiment", TEXT), "attcat")[0]
    assert there.scores.equal(here.scores) and there.labels == here.labels
    compared = said(lent.asking, question(text=TEXT))["compared"]["value"]
    assert "raw attention" in compared.casefold()


def test_a_model_that_cannot_be_loaded_there_says_why(lent):
    name = "no-such-owner-xyz/no-such-model-xyz"
    with pytest.raises(ex.ModelUnavailable, match="no-such-owner-xyz"):
        lent.answers.prediction_of(name, TEXT)
    with pytest.raises(ex.ModelUnavailable, match="no-such-owner-xyz"):
        lent.answers.heats_of(lent.answers.Asked(name, TEXT), "attcat")
    with pytest.raises(gr.Error, match="did you mean"):
        lent.api.explain_api(TEXT, method="atcat")


def test_a_picture_that_cannot_be_imagined_there_says_why(lent):
    wish = lent.imagining.Wish("a class", "<b>", 0, 0, "", 16, 0, 0.1, 0, 4)
    changes = lent.imagining.maximise("vit", wish, None)
    assert "no class" in complaint(changes)


def test_an_accident_there_stays_one(lent, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(lent.answers, "encoded_input", broken)
    sentence = complaint(said(lent.asking, question(text="a text that is only here")))
    assert "went wrong" in sentence and "secret" not in sentence and "RuntimeError" in caplog.text


def test_the_host_s_own_refusal_is_shown(lent, monkeypatch):
    monkeypatch.setattr(lending, "full", True)
    refused = complaint(said(lent.asking, question(text="another text that is only here")))
    assert refused == (
        "You have exceeded your free ZeroGPU quota (30s requested vs. 0s left). "
        "Try again in 1:02:03."
    )
