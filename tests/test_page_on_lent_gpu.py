"""The page where a GPU is lent function by function: what is refused there is refused in the same
words as here.
"""

import importlib.util
import pickle
import sys
import types
from functools import wraps

import gradio as gr
import pytest
from browser import ROOT
from test_app import complaint

import explainers as ex

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
                    "You have exceeded your free ZeroGPU quota (30s requested vs. 0s left). Try again in <b>1:02:03</b>.",
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
    """app.py as it is imported beside the package `spaces`."""
    spaces = types.ModuleType("spaces")
    spaces.GPU = lending
    spec = importlib.util.spec_from_file_location("lent_app", ROOT / "app.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "spaces", spaces)
        patch.setitem(sys.modules, "lent_app", module)
        spec.loader.exec_module(module)
        yield module


def said(
    page,
    text=TEXT,
    kind="Sentence",
    model="sentiment",
    target="predicted",
    versus="nothing",
    picture=None,
    methods=("raw_attention",),
) -> dict:
    """What the page says of a question at last, by name."""
    look = ("attcat", "Layers", 5, True, False, "orange-blue", "{}")
    *_, last = page.run(kind, picture, text, "", model, target, versus, *look, list(methods))
    return dict(zip(page.ANSWER, last, strict=True))


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"text": ""}, "empty"),
        ({"target": "BANANA"}, "BANANA"),
        ({"target": "POSITIVE", "versus": "POSITIVE"}, "always zero"),
        ({"model": "no-such-owner-xyz/no-such-model-xyz"}, "no-such-owner-xyz"),
        ({"kind": "Picture", "model": "vit", "picture": str(ROOT / "README.md")}, "picture"),
        ({"kind": "Question", "model": "question-answering", "text": "Who sleeps?"}, "empty"),
    ],
    ids=str,
)
def test_what_is_refused_there_is_refused_in_the_same_words(lent, app, question, says):
    there, here = complaint(said(lent, **question)), complaint(said(app, **question))
    assert there == here and says in there and "went wrong" not in there


def test_what_is_explained_there_has_the_same_numbers(lent, app):
    asked = app.Asked("sentiment", TEXT)
    there, here = lent.heats_of(asked, "attcat")[0], app.heats_of(asked, "attcat")[0]
    assert there.scores.equal(here.scores) and there.labels == here.labels
    assert "raw attention" in said(lent)["compared"].casefold()


def test_a_model_that_cannot_be_loaded_there_says_why(lent):
    for page in (
        lent.prediction_of,
        lambda model, text: lent.heats_of(lent.Asked(model, text), "attcat"),
    ):
        with pytest.raises(ex.ModelUnavailable, match="no-such-owner-xyz"):
            page("no-such-owner-xyz/no-such-model-xyz", TEXT)
    with pytest.raises(gr.Error, match="did you mean"):
        lent.explain_api(TEXT, method="atcat")


def test_a_picture_that_cannot_be_imagined_there_says_why(lent):
    told, _ = lent.imagine("vit", "a class", "<b>", 0, 0, "", 16, 0, 0.1, 0, 4)
    assert "no class" in complaint([told])


def test_an_accident_there_stays_one(lent, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(lent, "traces_of", broken)
    sentence = complaint(said(lent, "a text that is only here"))
    assert "went wrong" in sentence and "secret" not in sentence and "RuntimeError" in caplog.text


def test_the_host_s_own_refusal_is_shown(lent, monkeypatch):
    monkeypatch.setattr(lending, "full", True)
    assert complaint(said(lent, "another text that is only here")) == (
        "You have exceeded your free ZeroGPU quota (30s requested vs. 0s left). Try again in 1:02:03."
    )
