"""The one function that other programs may call over the network."""

from html import escape

import gradio as gr

import explainers as ex

from ..inputs.kinds import TEXT
from ..models.bundled import bundled_for
from ..render import export
from .answers import Asked, heats_of
from .loading import model_of

DEFAULT_MODEL = bundled_for(TEXT)


def explain_api(
    text: str, model: str = DEFAULT_MODEL, method: str = "attcat", target: str = "", pair: str = ""
) -> dict:
    """Signed scores for the tokens of a text.

    Args:
        text: the text to explain; the first text of a pair; the question
        model: a bundled name or a Hub id
        method: a key such as attcat, gae, integrated_gradients
        target: a class label, or 'A - B'; empty for the predicted class
        pair: the second text of a pair; the context of a question
    """
    try:
        task = model_of(model).task
        if task.sees_pictures:
            raise ex.Refusal(f"{model} {task.does}; this function explains texts.")
        given = (text, pair) if pair else text
        (heat,) = heats_of(Asked(model, given, target or None), method)
        if isinstance(heat, str):
            raise ex.Refusal(heat)
        return export.record(heat)
    except ex.Refusal as refusal:
        raise gr.Error(escape(str(refusal)), print_exception=False) from refusal
