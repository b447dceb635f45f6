"""The page: give a text, a picture or both, see which words or patches moved the model, which way, by several methods and layer by layer.

Functions first, then the layout, then the events. Everything that computes is in the package `explainers`.
"""

import hashlib
import inspect
import json
import logging
import math
import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial, wraps
from html import escape
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

try:  # ZeroGPU hosts give a GPU to decorated functions only; elsewhere there is nothing to import
    import spaces

    lent = spaces.GPU(duration=30)
except ImportError:
    lent = lambda function: function

import gradio as gr
import transformers

import explainers as ex
from explainers import evaluation
from explainers.render import (
    card,
    colours,
    export,
    heatmaps,
    maximised,
    method_cards,
    prediction,
    trials,
)
from explainers.render.look import Look

transformers.logging.set_verbosity_error()

ASSETS = Path(__file__).parent / "assets"
PHOTOS = ASSETS / "examples"
EXAMPLES = json.loads((PHOTOS / "examples.json").read_text(encoding="utf-8"))
gr.set_static_paths(
    [PHOTOS]
)  # served from there: Gradio's copies of them would be deleted like a visitor's pictures


@dataclass(frozen=True)
class Kind:
    """A kind of input: the tab it is in, which tasks of a model fit it, the model to begin with, and what its fields are called, if it has them."""

    tab: str
    tasks: tuple[str, ...]
    model: str
    text: str = ""
    pair: str = ""
    picture: bool = False

    @property
    def lines(self) -> bool:
        """Whether each line of the text is a text of its own, to match the picture with."""
        return self.picture and bool(self.text)


KINDS = {
    "Sentence": Kind("Text", ("classes", "tokens"), "sentiment", "Text"),
    "Pair": Kind("Text", ("classes",), "inference", "First text", "Second text"),
    "Question": Kind("Text", ("answer",), "question-answering", "Question", "Context"),
    "Next token": Kind("Text", ("next",), "openai-community/gpt2", "Text so far"),
    "Picture": Kind("Image", ("picture",), "vit", picture=True),
    "Picture and texts": Kind(
        "Image + text", ("match",), "image-text", "Texts, one a line", picture=True
    ),
}


@dataclass(frozen=True)
class Tab:
    """A tab of the page: what it offers. Its layout, its events and the functions behind them are those of every other tab."""

    name: str
    slug: str  # in the ids of its parts
    models: tuple[tuple[str, str], ...]
    modality: str  # methods for text or for image are on the menu
    first: tuple[str, ...]  # methods that are ticked at first
    about: str = ""  # the bundled model
    imagines: bool = False  # can a model be asked for a picture?

    @property
    def kinds(self) -> list[str]:
        return [name for name, kind in KINDS.items() if kind.tab == self.name]

    @cached_property
    def methods(self) -> list[ex.Method]:
        return [method for method in ex.METHODS.values() if self.modality in method.tasks]

    @cached_property
    def families(self) -> list[str]:
        return list(dict.fromkeys(method.family for method in self.methods))

    @cached_property
    def parts(self) -> dict[str, list[tuple[str, str]]]:
        """What the inside of a method can be looked at by, and the methods that have it."""
        return {
            "Layers": [
                (method.title, method.key) for method in self.methods if "layers" in method.parts
            ],
            "Heads": [
                (method.title, method.key) for method in self.methods if "heads" in method.parts
            ],
        }

    @property
    def optional(self) -> str:
        """The method whose options are shown first."""
        return next(key for key in self.first if ex.METHODS[key].options)

    def by_family(self, keys) -> list[list[str]]:
        """Methods as the menu holds them."""
        return [
            [key for key in keys if ex.METHODS[key].family == family] for family in self.families
        ]

    @property
    def views(self) -> list[str]:
        return [
            "Compare",
            "Layers",
            "Test",
            "Methods",
            *(["Activation"] if self.imagines else []),
            "Share",
        ]


SMALL = "The bundled model is small, knows 50 things and is often wrong: its mistakes can be looked at, too."
TABS = {
    tab.name: tab
    for tab in (
        Tab(
            "Text",
            "text",
            (
                ("sentiment: bundled", "sentiment"),
                ("inference: bundled, of two texts", "inference"),
                ("paraphrase: bundled, of two texts", "paraphrase"),
                ("question answering: bundled", "question-answering"),
                (
                    "DistilBERT SST-2: from the Hub",
                    "distilbert/distilbert-base-uncased-finetuned-sst-2-english",
                ),
                ("GPT-2: from the Hub", "openai-community/gpt2"),
            ),
            "text",
            ("attcat", "integrated_gradients", "occlusion", "gae", "rollout", "raw_attention"),
        ),
        Tab(
            "Image",
            "image",
            (
                ("vit: bundled, 50 things", "vit"),
                ("DeiT-Tiny: from the Hub", "facebook/deit-tiny-patch16-224"),
                ("ViT-B/16: from the Hub", "google/vit-base-patch16-224"),
            ),
            "image",
            (
                "attcat",
                "input_x_gradient",
                "occlusion",
                "gae",
                "legrad",
                "rollout",
                "raw_attention",
            ),
            SMALL,
            imagines=True,
        ),
        Tab(
            "Image + text",
            "match",
            (
                ("image-text: bundled", "image-text"),
                ("CLIP ViT-B/32: from the Hub", "openai/clip-vit-base-patch32"),
            ),
            "image",
            (
                "attcat",
                "input_x_gradient",
                "occlusion",
                "gae",
                "legrad",
                "rollout",
                "raw_attention",
            ),
            SMALL,
        ),
    )
}
PREDICTED, NOTHING, DEFAULT = "predicted", "nothing", "default"
ANSWERS = ["start", "end", "best span", "no answer"]
HINTS = {
    "answer": "or any words of the context",
    "next": "or a token, such as “ Paris” with its space",
    "tokens": "or a label at a word: “PERSON at Anna”",
}
MOST_CLASSES = 2000  # more would not fit a menu
MOST_TEXTS = 50  # that a picture is matched with here
MOST_STEPS = 256  # of a climb, so that everybody gets a turn
PROGRESS = gr.Progress()  # Gradio looks for one among a function's defaults
WORKER_ERROR = "ZeroGPU worker error"  # the title of what the package `spaces` raises for an accident in a lent GPU's process
FILES = tempfile.TemporaryDirectory()  # files that visitors ask for; gone when the server stops
KEPT = 3600  # seconds after which visitors' pictures are deleted
LINK_LIMIT = 2000  # characters of each text that a link carries


# ------------------------------------------------------------------------------------------------- functions


def gpu(function):
    """`function`, run where a GPU is lent. It runs in a process of its own there, from which only
    the name of an exception's class comes back:
    a refusal is carried over as a value, and raised on this side."""

    @wraps(function)
    def carried(*args, **options):
        try:
            return function(*args, **options)
        except ex.Refusal as refused:
            return refused

    run_there = lent(carried)

    @wraps(function)
    def here(*args, **options):
        try:
            answered = run_there(*args, **options)
        except (
            gr.Error
        ) as error:  # the host's own: no GPU is free, or the visitor's share is used up
            if error.title == WORKER_ERROR:
                raise
            raise ex.Refusal(re.sub("<[^>]*>", "", str(error.message))) from error
        if isinstance(answered, ex.Refusal):
            raise answered
        return answered

    return here


class Asked(NamedTuple):
    """A question to a model: a text, a pair, the path of a picture, or (path, texts); and which of its answers is explained."""

    model: str
    given: object
    target: object = None


@lru_cache(maxsize=4)
def model_of(name: str) -> ex.Model:
    """A bundled model, or one from the Hub. Folders are for Python and the command line: visitors get no look at this machine's disk."""
    if name not in ex.BUNDLED and (
        len(name) > 100 or name.startswith((".", "/", "~", "\\")) or Path(name).exists()
    ):
        raise ex.ModelUnavailable(
            "On this page a model is a bundled one or the id of one on the Hub, such as owner/name."
        )
    model = ex.load(name)
    classifies = (
        "ForSequenceClassification" in type(model.net).__name__
        or "ForImageClassification" in type(model.net).__name__
    )
    odd = task_of(model) in ("classes", "picture") and (
        not classifies or len(model.labels) > MOST_CLASSES
    )
    reads, looks = task_of(model) != "picture", task_of(model) in ("picture", "match")
    if odd or (reads and model.tokenizer is None) or (looks and model.processor is None):
        raise ex.ModelUnavailable(
            f"{name} is a {type(model.net).__name__} of {len(model.labels):,} labels; this page explains language models, models "
            "that answer questions, models that match pictures with texts, and classifiers of texts or pictures with at most "
            f"{MOST_CLASSES:,} classes."
        )
    return model


def task_of(model: ex.Model) -> str:
    """What a model is asked: of texts its own task, else "picture", or to "match" a picture with texts."""
    names = {
        "answers": "answer",
        "tags": "tokens",
        "next_token": "next",
        "picture_classes": "picture",
        "match_picture": "match",
    }
    return names.get(model.task.key, model.task.key)


def kinds_of(name: str) -> list[str]:
    """The kinds of input that a model takes; of the bundled classifiers of texts one reads single texts, the others pairs."""
    if name in ex.BUNDLED:
        return [kind for kind, one in KINDS.items() if one.model == name] or ["Pair"]
    return [kind for kind, one in KINDS.items() if task_of(model_of(name)) in one.tasks]


def kinds_here(name: str, tab: Tab) -> list[str]:
    """Those of `kinds_of` that are in this tab; at least one."""
    if here := [kind for kind in kinds_of(name) if KINDS[kind].tab == tab.name]:
        return here
    raise misplaced(name, tab.kinds[0])


def misplaced(name: str, kind: str) -> ex.ModelUnavailable:
    own = kinds_of(name)[0]
    where = (
        f"belongs in the tab “{KINDS[own].tab}”"
        if KINDS[own].tab != KINDS[kind].tab
        else f"takes the kind of input “{own}”, not “{kind}”"
    )
    return ex.ModelUnavailable(f"{name} {where}.")


@lru_cache(maxsize=1)
def coded_of(model: str, given):
    """An input as the model takes it; a picture is decoded here, and only what the model sees of it is kept."""
    return model_of(model).encode(given)


@lru_cache(maxsize=1)  # a trace of 512 tokens holds 150 MB, a heatmap almost nothing
def traces_of(asked: Asked) -> list[tuple]:
    """Model, input and trace of what is explained. Where a picture is matched with texts: of the picture, then of each text the question names."""
    model, coded = model_of(asked.model), coded_of(asked.model, asked.given)
    traces = [(model, coded, model.trace(coded, asked.target))]
    if model.is_dual_encoder:
        (picture, texts), words = asked.given, model.side("text")
        for i in asked.target if isinstance(asked.target, tuple) else [asked.target]:
            coded = words.encode((picture, texts[i]))
            traces.append((words, coded, words.trace(coded)))
    return traces


@lru_cache(maxsize=128)
@gpu
def heats_of(
    asked: Asked, method: str, options: tuple[tuple[str, object], ...] = ()
) -> list[ex.Heatmap | str]:
    """A method's maps of one question, or the sentences that say why this method has none here. A method that is not for texts says nothing of them."""
    heats = []
    for i, (model, coded, trace) in enumerate(traces_of(asked)):
        if i and model.anatomy.modality not in ex.METHODS[method].tasks:
            continue
        try:
            heats.append(ex.explain_trace(model, coded, trace, method, **dict(options)))
        except ex.Refusal as refused:
            heats.append(str(refused))
    return heats


def maps_of(asked: Asked, method: str, options: str) -> tuple[list[ex.Heatmap], dict[str, str]]:
    """The maps of `heats_of`, and by title why there are none. options: as the page keeps them, see `options_in`."""
    heats, title = (
        heats_of(asked, method, tuple(options_in(options).get(method, {}).items())),
        ex.METHODS[method].title,
    )
    names = [title, f"{title}, words", f"{title}, words of the other text"]
    return [heat for heat in heats if not isinstance(heat, str)], {
        name: heat for name, heat in zip(names, heats) if isinstance(heat, str)
    }


@lru_cache(maxsize=128)
@gpu
def prediction_of(model: str, given) -> ex.Prediction:
    return ex.predict(model_of(model), coded_of(model, given))


def options_in(options: str) -> dict[str, dict]:
    """{method: {option: value}} of what was changed, from the JSON that the page and its links carry; anything that no method knows is left out."""
    try:
        kept = {}
        for key, chosen in json.loads(options).items():
            for name, value in chosen.items():
                kept.setdefault(key, {}).update(ex.METHODS[key].read({name: value}))
        return kept
    except (ValueError, AttributeError, KeyError, TypeError, ex.Refusal):
        return {}


def given_by(kind, picture, text, pair):
    """The input that the fields hold, as `explain` takes it."""
    one = KINDS[kind]
    if one.picture and not picture:
        raise ex.Refusal(
            "There is no picture yet: drop one here, paste one, take one, or click an example."
        )
    if one.picture and not Path(picture).exists():
        raise ex.Refusal(
            "This picture is no longer here: the server keeps what it is given for an hour. Give it again."
        )
    if not one.picture:
        return (text or "", pair or "") if one.pair else text or ""
    if not one.lines:
        return picture
    texts = lines_of(text)
    if not texts:
        raise ex.Refusal(
            "There is no text to match the picture with: type at least one, each on a line of its own."
        )
    if len(texts) > MOST_TEXTS:
        raise ex.Refusal(
            f"A picture is matched with at most {MOST_TEXTS} texts here, and these are {len(texts)}."
        )
    return picture, texts


def lines_of(text: str | None) -> tuple[str, ...]:
    """A text a line, without those in which there is nothing to see."""
    return tuple(
        dict.fromkeys(
            line.strip()
            for line in (text or "").splitlines()
            if any(letter.isprintable() and not letter.isspace() for letter in line)
        )
    )


def meant(kind, picture, text, pair, model, target, versus) -> Asked:
    """The question that the fields mean."""
    if (
        task_of(model_of(model)) not in KINDS[kind].tasks
    ):  # else a text could be taken for the path of a picture on this server
        raise misplaced(model, kind)
    given = given_by(kind, picture, text, pair)
    first = None if target in (PREDICTED, None, "") else target
    second = None if versus in (NOTHING, None, "") else versus
    if KINDS[kind].lines:  # by number, since a text can look like "A - B"
        first, second = (
            given[1].index(name) if name in given[1] else None
            for name in still_meant(first, second, given[1])
        )
    if first is None and (second is not None or KINDS[kind].lines):
        best = model_of(model).task.best(prediction_of(model, given))
        first = given[1].index(best) if KINDS[kind].lines else best
    return Asked(model, given, first if second is None else (first, second))


def still_meant(first, second, texts) -> tuple:
    """What is explained, rather than what, of a picture's `texts`: one that was edited away is no longer meant, and takes the other along."""
    return (first, second) if first in (None, PREDICTED, *texts) else (None, None)


def in_order(chosen: list[list[str]]) -> list[str]:
    """AttCAT on top, then the other signed methods, then the unsigned ones."""
    keys = [key for family in chosen for key in family or []]
    if not keys:
        raise ex.Refusal("Choose at least one method.")
    return sorted(keys, key=lambda key: (key != "attcat", not ex.METHODS[key].signed))


def refusal(message: str = "", unanswered: bool = False) -> dict:
    """A complaint, or none. unanswered: what the fields ask has no answer, so what is shown beside
    them is the answer before; the page says so.
    """
    kind = " data-unanswered" if unanswered else ""
    return gr.update(
        value=f'<div class="refusal"{kind} role="alert">{escape(message)}</div>' if message else "",
        visible=bool(message),
    )


def said_of(error: Exception, otherwise: str, unanswered: bool = False) -> dict:
    """A refusal as it is; of an accident `otherwise`, and the rest into the log."""
    if not isinstance(error, ex.Refusal):
        logging.error(otherwise, exc_info=error)
    return refusal(str(error) if isinstance(error, ex.Refusal) else otherwise, unanswered)


def readable(picture) -> bool:
    try:
        return bool(picture and ex.open_picture(picture))
    except ex.Refusal:
        return False


#: What an explanation fills in. asked: the fields it answers; shown: the same for the browser, which makes links of it.
ANSWER = (
    "picture_refusal",
    "text_refusal",
    "model_refusal",
    "goal_refusal",
    "methods_refusal",
    "target",
    "versus",
    "said",
    "compared",
    "panel",
    "asked",
    "shown",
)


def answer(**parts) -> list:
    """Values for what `ANSWER` names; no complaints about the input, and everything else as it is, unless `parts` says otherwise.

    What was said of the model stays until another is chosen.
    """
    cleared = {"picture_refusal", "text_refusal", "goal_refusal", "methods_refusal"}
    return [parts.get(name, refusal() if name in cleared else gr.skip()) for name in ANSWER]


def untouched() -> list:
    """The answer that changes nothing; one that is left out would empty what is shown."""
    return [gr.skip() for _ in ANSWER]


@contextmanager
def about(field: str):
    """What is refused inside is the fault of this field of the page."""
    try:
        yield
    except ex.Refusal as refused:
        refused.field = field
        raise


def blamed(error: Exception, kind: str, picture) -> list:
    """The answer that complains, beside the field that is the cause."""
    given = (
        "picture"
        if isinstance(error, ex.Refusal) and KINDS[kind].picture and not readable(picture)
        else "text"
    )
    field = "model" if isinstance(error, ex.ModelUnavailable) else getattr(error, "field", given)
    said = said_of(
        error,
        "Something went wrong here, not with your input; it has been logged. Another method or model may work.",
        unanswered=True,
    )
    return answer(**{f"{field}_refusal": said})


def panel_of(asked: Asked, method: str, part: str, layer: int, look: Look, options: str) -> str:
    """A method layer by layer, or head by head in one layer."""
    heats, refused = maps_of(asked, method, options)
    pieces = [heatmaps.heatmaps_html([], look, refused=refused, style=False)] if refused else []
    for heat in heats:
        heads = part == "Heads"
        pieces.append(
            heatmaps.heads_html(heat, min(int(layer), len(heat.heads) - 1), look, style=False)
            if heads
            else heatmaps.layers_html(heat, look, slider=True, style=False)
        )
    return "".join(pieces)


def run(
    kind,
    picture,
    text,
    pair,
    model,
    target,
    versus,
    layered,
    part,
    layer,
    merge,
    specials,
    palette,
    options,
    *families,
):
    """Explain, one method after another. Yields what `ANSWER` names."""
    look = Look(palette=palette, merge=merge, specials=specials)
    try:
        with about("methods"):
            keys = in_order(families)
        asked = meant(kind, picture, text, pair, model, target, versus)
        said = prediction_of(asked.model, asked.given)
        with about("goal"):
            coded = coded_of(asked.model, asked.given)
            model_of(asked.model).target_of(coded, asked.target)
        menus, question = {}, [kind, picture, text, pair, model, target, versus]
        if KINDS[kind].lines:  # the texts are the classes
            known = [PREDICTED, *asked.given[1]], [NOTHING, *asked.given[1]]
            meant_now = still_meant(target, versus, asked.given[1])
            question[-2:] = (
                name if name in choices else choices[0] for name, choices in zip(meant_now, known)
            )
            menus = {
                name: gr.update(choices=choices, value=value)
                for name, choices, value in zip(("target", "versus"), known, question[-2:])
            }
        done = partial(
            answer,
            said=prediction.prediction_html(said.labels, said.values, said.kind, said.tie),
            asked=question,
            shown=in_link(*question),
            **menus,
        )
        heats, refused = [], {}
        chosen = options_in(options)
        later = [named(ex.METHODS[key], chosen.get(key)) for key in keys]
        if not ex.METHODS[keys[0]].is_single_pass(
            chosen.get(keys[0], {})
        ):  # what takes a while says so before it starts
            yield done(compared=heatmaps.heatmaps_html([], look, waiting=later, style=False))
        for i, key in enumerate(keys):
            maps, reasons = maps_of(asked, key, options)
            heats, refused = heats + maps, refused | reasons
            panel = {} if i else {"panel": panel_of(asked, layered, part, layer, look, options)}
            yield done(
                compared=heatmaps.heatmaps_html(
                    heats,
                    replace(look, controls=True),
                    waiting=later[i + 1 :],
                    refused=refused,
                    layers=False,
                    style=False,
                ),
                **panel,
            )
    except Exception as error:
        yield blamed(error, kind, picture)


@dataclass
class Turn:
    """Which question a visitor's tab is at: how many there were, the last one, unless it ended in
    a complaint, and the one that its page shows.
    """

    number: int = 0
    question: tuple = ()
    asked: list | None = None


def latest(turn: Turn, *question):
    """`run`, until something newer was asked: an older answer never overwrites a newer one.

    A question that is being answered, or has been, is not answered again: a menu says that it was used when the keyboard only passes through it.
    """
    if question == turn.question:
        yield answer()
        return
    turn.number, turn.question = turn.number + 1, question
    mine = turn.number
    for step in run(*question):
        if turn.number != mine:
            yield untouched()
            return
        asked = step[ANSWER.index("asked")]
        if isinstance(asked, list):
            turn.asked = asked
        else:
            turn.question = ()  # to ask again is to try again
        yield step


def while_shown(function, turn: Turn, asked, *rest):
    """What `function` answers about the question `asked`, until the page shows another one: no
    answer arrives under a question that it is not of.
    """
    steps = function(asked, *rest)
    for step in steps if inspect.isgenerator(steps) else [steps]:
        if turn.asked != asked:
            yield [gr.skip() for _ in step] if isinstance(step, tuple | list) else gr.skip()
            return
        yield step


def when_given(turn: Turn, *question):
    """`latest`, for another picture; one that is only taken away is no question."""
    yield untouched()
    if question[1]:
        yield from latest(turn, *question)


#: Where the options stand in a question, as in the arguments of `run`.
OPTIONS = list(inspect.signature(run).parameters).index("options")


def when_set(turn: Turn, *question):
    """`latest`, for other options than those of the last question.

    A link that was followed fills them in, too, before the fields beside them are its own: then
    nothing has been asked yet, or just these options, and `followed` asks.
    """
    yield untouched()
    new = not turn.question or turn.question[OPTIONS] != question[OPTIONS]
    if turn.number and new:
        yield from latest(turn, *question)


def followed(wanted: bool, turn: Turn, *question):
    """`latest`, for a link that was followed."""
    yield untouched()
    if wanted:
        yield from latest(turn, *question)


def at_first(wanted: bool, asked, turn: Turn, *question):
    """`latest`, where nothing has been explained yet: for a tab that was opened."""
    yield untouched()
    if wanted and not asked:
        yield from latest(turn, *question)


def in_link(kind, picture, text, pair, model, target, versus) -> str:
    """A question for the browser: of a picture only which example it is."""
    return json.dumps(
        {
            "kind": kind,
            "picture": example_of(picture) if picture else "",
            "own": bool(picture and not example_of(picture)),
            "text": text or "",
            "pair": pair or "",
            "model": model,
            "class": target,
            "versus": versus,
        }
    )


@lru_cache(maxsize=256)
def example_of(picture: str) -> str:
    """The name of an example's photo, by its content; "" for any other picture."""
    digest = lambda path: hashlib.sha256(Path(path).read_bytes()).digest()
    return next(
        (photo.stem for photo in sorted(PHOTOS.glob("*.jpg")) if digest(photo) == digest(picture)),
        "",
    )


def show_layers(tab: Tab, asked, layered, part, layer, merge, specials, palette, options):
    """The panel alone, for another method, layer or part of what was last explained. Also the menu of methods and the slider."""
    methods = dict(map(reversed, tab.parts[part]))
    layered = layered if layered in methods else "attcat"
    menus = gr.update(choices=tab.parts[part], value=layered), gr.update(visible=part == "Heads")
    if not asked:
        return gr.skip(), *menus
    try:
        look = Look(palette=palette, merge=merge, specials=specials)
        return panel_of(meant(*asked), layered, part, layer, look, options), *menus
    except Exception as error:
        return said_of(error, "The layers could not be shown; the reason has been logged."), *menus


#: What depends on the kind of input and on the model, besides the rows of examples.
FIELDS = ("kind", "picture", "text", "pair", "model", "target", "versus", "layer")


def fields(
    kind: str,
    name: str,
    given: dict | None = None,
    target: str = PREDICTED,
    versus: str = NOTHING,
    layer: int | None = None,
) -> list:
    """Every field as it must be for this kind of input and this model; then the rows of examples of this tab.

    given: picture, text and pair; None leaves what stands there, which may be newer than what this was called with.
    """
    model, one = model_of(name), KINDS[kind]
    task, typed = task_of(model), lines_of(given["text"]) if given and one.lines else ()
    offered = {"next": (), "tokens": (), "answer": ANSWERS, "match": typed}.get(
        task, model.labels.values()
    )
    free = task not in ("classes", "picture")
    known = lambda label, other: label if (free and label) or label in offered else other
    hint = HINTS.get(task, "")
    deepest = len(model.blocks) - 1
    new = {field: {"value": value} for field, value in (given or {}).items()}
    kinds = TABS[one.tab].kinds
    return [
        gr.update(
            choices=[other for other in kinds if other != "Next token" or other == kind], value=kind
        ),
        gr.update(**new.get("picture", {})),
        gr.update(label=one.text or "Text", **new.get("text", {})),
        gr.update(label=one.pair or "Second text", visible=bool(one.pair), **new.get("pair", {})),
        name,
        gr.update(choices=[PREDICTED, *offered], value=known(target, PREDICTED), info=hint),
        gr.update(
            choices=[NOTHING, *offered],
            value=known(versus, NOTHING),
            info=hint and "nothing, or another",
        ),
        gr.update(maximum=deepest, value=deepest if layer is None else min(layer, deepest)),
        *(gr.update(visible=other == kind) for other in kinds),
    ]


def unchanged(kind: str) -> list:
    """`fields` for nothing new."""
    return [gr.skip() for _ in (*FIELDS, *TABS[KINDS[kind].tab].kinds)]


def given_of(example: dict) -> dict:
    photo = example.get("picture")
    return {
        "picture": photo and str(PHOTOS / photo),
        "text": example.get("text", ""),
        "pair": example.get("pair", ""),
    }


def first_example(kind: str) -> dict:
    return next(iter(EXAMPLES[kind].values()))


def choose_kind(kind, text, model):
    """Another kind of input: its fields, its model, and its first example unless something else was typed."""
    try:
        name = model if kind in kinds_of(model) else KINDS[kind].model
        typed = text and all(
            text != one.get("text") for several in EXAMPLES.values() for one in several.values()
        )
        return refusal(), *fields(kind, name, None if typed else given_of(first_example(kind)))
    except Exception as error:
        return said_of(
            error, "This model could not be loaded; the reason has been logged.", unanswered=True
        ), *unchanged(kind)


def choose_model(model, kind, text, target, versus, layer):
    """Another model: the kind of input that it takes; a model that cannot be had here changes nothing and says why."""
    try:
        name = (model or "").strip()
        model_of(name)
        here = kinds_here(name, TABS[KINDS[kind].tab])
        return (
            (refusal(), *fields(kind, name, None, target, versus, int(layer)))
            if kind in here
            else choose_kind(here[0], text, name)
        )
    except Exception as error:
        return said_of(
            error, "This model could not be loaded; the reason has been logged.", unanswered=True
        ), *unchanged(kind)


def take_example(kind: str, name: str, model: str):
    """An example in the fields, with its own model if it has one; a model that cannot be had is
    said to be so.
    """
    example = EXAMPLES[kind][name]
    try:
        name = example.get("model") or (model if kind in kinds_of(model) else KINDS[kind].model)
        return refusal(), *fields(kind, name, given_of(example))
    except Exception as error:
        return said_of(
            error, "This model could not be loaded; the reason has been logged.", unanswered=True
        ), *unchanged(kind)


def kind_in(query: dict) -> str:
    """The kind of input that a link is about, and with it the tab."""
    kind, model = query.get("kind"), query.get("model")
    return kind if kind in KINDS else kinds_of(model)[0] if model in ex.BUNDLED else "Sentence"


def read_link(request: gr.Request):
    """The tab that the page's address is about, and what it says."""
    asked = dict(request.query_params)
    return gr.Tabs(selected=KINDS[kind_in(asked)].tab), asked


def restore(tab: Tab, asked: dict) -> list:
    """That the tab is ready, whether the page is to explain what it shows, and the view that a link names; anything in the link that does not
    exist, or that is another tab's, is left at its default."""
    wanted = KINDS[kind_in(asked)].tab == tab.name
    asked = asked if wanted else {"kind": tab.kinds[0]}
    kind, model, note = kind_in(asked), asked.get("model", "")[:200], ""
    try:
        model = model or KINDS[kind].model
        kind = kind if kind in kinds_of(model) else kinds_here(model, tab)[0]
    except Exception as error:
        note = said_of(error, "This model could not be loaded.")["value"]
        kind, model = tab.kinds[0], KINDS[tab.kinds[0]].model
    given = {"picture": None} | {
        name: asked.get(name, "")[:LINK_LIMIT] for name in ("text", "pair")
    }
    photo = PHOTOS / f"{asked.get('picture', '')}.jpg"
    lost = ""
    if not any(asked.get(name) for name in ("text", "picture", "own")):
        given = given_of(first_example(kind))
    elif KINDS[kind].picture and photo in PHOTOS.glob("*.jpg"):
        given["picture"] = str(photo)
    elif KINDS[kind].picture:
        lost = "A link does not carry the picture: give it again, and everything else is as it was."
    target, versus = asked.get("class", PREDICTED)[:200], asked.get("versus", NOTHING)[:200]
    part = asked.get("part", "Layers") if asked.get("part") in tab.parts else "Layers"
    layered = asked.get("layers", "attcat")
    layer = (
        int(asked["layer"])
        if asked.get("layer", "").isdecimal() and len(asked["layer"]) < 4
        else None
    )
    chosen = [
        method.key for method in tab.methods if method.key in asked.get("methods", "").split(",")
    ] or tab.first
    options = options_in(asked.get("options", "")[:LINK_LIMIT])
    optional = next((method.key for method in tab.methods if method.key in options), tab.optional)
    view, palette = asked.get("view", "compare"), asked.get("colours")
    return [
        True,
        wanted and not lost,
        refusal(lost),
        gr.update(
            value=note.replace("</div>", " The bundled model is shown instead.</div>"),
            visible=bool(note),
        ),
        *fields(kind, model, given, target, versus, layer),
        gr.update(
            choices=tab.parts[part],
            value=layered if layered in dict(map(reversed, tab.parts[part])) else "attcat",
        ),
        part,
        asked.get("subwords") != "apart",
        asked.get("specials") == "shown",
        palette if palette in colours.PALETTES else "orange-blue",
        json.dumps(options),
        optional,
        gr.Tabs(selected=view if view.capitalize() in tab.views and view != "share" else "compare"),
        *tab.by_family(chosen),
    ]


#: What stands in place of a part that is taken out: by what a model sees, in words, the usual first.
FILLS = {
    "text": {
        "[PAD] in its place": "pad",
        "[MASK] in its place": "mask",
        "nothing: it is deleted": "delete",
    },
    "image": {"grey in its place": "mean", "black": "black", "a blur": "blur"},
}
ORDERS, FEW, LONG = 8, 4, 128  # random orders for the band; of inputs of more than LONG tokens few


def tested_of(asked: Asked, options: str, families) -> tuple[evaluation.Case, list[ex.Heatmap]]:
    """The input as metrics take it, and the maps of it; of a picture with texts the picture's."""
    heats = [maps[0] for key in in_order(families) if (maps := maps_of(asked, key, options)[0])]
    if not heats:
        raise ex.Refusal("None of these methods has a map here, so there is nothing to test.")
    return evaluation.Case(*traces_of(asked)[0]), card.with_unique_titles(heats)


def try_maps(tab: Tab, asked, opened: bool, fill: str, options: str, *families):
    """How far the maps agree, then what the model says while parts go and come in the order of each. Yields a complaint, the results and a menu."""
    if not opened or not asked:
        yield [gr.skip()] * 3
        return
    try:
        question = meant(*asked)
        case, heats = tested_of(question, options, families)
        menu = gr.update(
            choices=[(heat.title, heat.method) for heat in heats], value=heats[0].method
        )
        shown = evaluation.agreement(heats).html(style=False) if len(heats) > 1 else ""
        yield (
            refusal(),
            shown + empty("The model is asked again and again, with more and more taken out …"),
            menu,
        )
        for last, html in curves_of(case, heats, FILLS[tab.modality][fill]):
            yield refusal(), html + shown if last else html, gr.skip()
    except Exception as error:
        yield (
            said_of(error, "The maps could not be tested; the reason has been logged."),
            empty("Nothing tested yet."),
            gr.skip(),
        )


def curves_of(case: evaluation.Case, heats: list[ex.Heatmap], fill: str):
    """(whether that is all, HTML) after each map, so that the first lines are there soon."""
    found = evaluation.curves(
        case, [], fill=fill, orders=FEW if len(case.coded.labels) > LONG else ORDERS
    )
    for heat in heats:
        found = found.joined(evaluation.curves(case, [heat], fill=fill, orders=0))
        yield heat is heats[-1], found.html(style=False)


def randomise(tab: Tab, asked, options: str, *families):
    """How much is left of each map when the model's weights are made random, one part after
    another; or why that cannot be tried.
    """
    try:
        if not asked:
            raise ex.Refusal("Explain something first.")
        case, heats = tested_of(meant(*asked), options, families)
        heats = [heat for heat in heats if ex.METHODS[heat.method].single_pass]
        if not heats:
            raise ex.Refusal("This is tried with methods of one pass, and none of them is ticked.")
        names = list(map(evaluation.named, heats))
        stages, rows = ["trained"], [[1.0] for _ in heats]
        for stage in evaluation.cascade(case, names):
            stages.append(stage.name)
            for row, name in zip(rows, names):
                row.append(stage.correlation[name])
            yield trials.matrix_html(
                [heat.title for heat in heats],
                rows,
                "What is left when the model knows nothing?",
                "The weights are made random from the head down, in a copy of the model; each number is the rank correlation of the new map with the "
                "first one. A map that explains the model falls towards 0; one that stays near 1 would look the same for a model that learned nothing.",
                columns=stages,
            )
    except Exception as error:
        yield said_of(error, "This could not be tried; the reason has been logged.")


def take_top(tab: Tab, asked, fill: str, options: str, *rest):
    """What the model says without the words, or patches, that one map puts first; or why that
    cannot be tried.
    """
    *families, method, most = rest
    try:
        if not asked:
            raise ex.Refusal("Explain something first.")
        case, heats = tested_of(meant(*asked), options, families)
        heat = next((heat for heat in heats if heat.method == method), heats[0])
        left = evaluation.without_top(case, heat, int(most), FILLS[tab.modality][fill])
        return trials.without_html(
            heat, left.keep, left.target, left.before, left.after, left.says, tied=left.tied
        )
    except Exception as error:
        return said_of(error, "This could not be tried; the reason has been logged.")


def write_file(asked, suffix, link, options, *families):
    """What was last explained as a file, with what the model says and the link; a single method
    brings its layers along.
    """
    try:
        if not asked:
            raise ex.Refusal("Explain something first.")
        question, keys = meant(*asked), in_order(families)
        maps = [maps_of(question, key, options) for key in keys]
        heats = [heat for several, _ in maps for heat in several]
        if not heats:
            raise ex.Refusal(next(iter(maps[0][1].values())))
        path = Path(tempfile.mkdtemp(dir=FILES.name)) / f"{file_name(keys, asked)}{suffix}"
        said = {"prediction": f"the model says: {prediction_of(question.model, question.given)}"}
        export.save(heats, path, said | ({"link": link} if link else {}))
        return refusal(), gr.update(value=str(path), visible=True)
    except Exception as error:
        return said_of(
            error, "The file could not be written; the reason has been logged."
        ), gr.skip()


def file_name(keys: list[str], asked) -> str:
    """What a file is called: its methods and the beginning of what they explain, such as
    attcat_a-dull-film.
    """
    _, picture, text, *_ = asked
    methods = "-".join(keys) if len(keys) < 3 else f"{keys[0]}-and-{len(keys) - 1}-more"
    photo = (example_of(picture) or "picture") if picture else ""
    words = "-".join(re.findall(r"\w+", (text or "").casefold()))[:40].strip("-")
    return "_".join(filter(None, (methods, photo, words)))


def changed(method: str, name: str, options: str, value) -> str:
    """The options with one more that was set; one at its default is not kept. Raises `Refusal` for
    a value that the option does not take.
    """
    option, kept = ex.METHODS[method].options[name], options_in(options)
    value = value.strip() if isinstance(value, str) else value
    value = None if value in (None, "", DEFAULT) else value
    chosen = kept.pop(method, {}) | {
        name: option.read(value) if value is not None else option.default
    }
    chosen = {
        name: value
        for name, value in chosen.items()
        if value != ex.METHODS[method].options[name].default
    }
    return json.dumps(kept | ({method: chosen} if chosen else {}), sort_keys=True)


def set_option(method: str, name: str, options: str, value):
    """`changed` for a field of the page: the options, or what is wrong with `value`, to stand
    under the field.
    """
    try:
        return changed(method, name, options, value), refusal()
    except ex.Refusal as refused:
        return gr.skip(), refusal(str(refused))


def menu_of_units(name: str, what: str):
    """Which of the fields that choose what is imagined are there, and with which choices, for this model."""
    try:
        model = model_of(name)
    except ex.Refusal:
        return [gr.skip()] * 4
    labels, layers, unit = list(model.labels.values()), len(model.blocks), what == "a unit"
    return [
        gr.update(choices=labels, value=labels[0], visible=not unit),
        gr.update(maximum=layers - 1, visible=unit),
        gr.update(visible=unit),
        gr.update(visible=unit),
    ]


@gpu
def imagine(
    name, what, label, layer, feature, token, steps, seed, tv, l2, jitter, progress=PROGRESS
):
    """Climb to the picture that a class or a unit answers to most."""
    try:
        place = (
            [] if token in (None, "") else [whole(token, "At one token")]
        )  # of no token: the mean over all patches
        aim = (
            {"target": label}
            if what == "a class"
            else {"unit": (int(layer), whole(feature, "Unit"), *place)}
        )
        tell = lambda done, of, _: progress((done, of), desc="climbing", unit="steps")
        made = ex.imagine(
            model_of(name),
            **aim,
            steps=min(int(steps), MOST_STEPS),
            seed=whole(seed, "Seed"),
            tv=tv,
            l2=l2 or 0,
            jitter=int(jitter),
            progress=tell,
        )
        return refusal(), maximised.maximised_html(made)
    except Exception as error:
        return said_of(
            error, "This picture could not be made; the reason has been logged."
        ), gr.skip()


def whole(typed: float | str | None, field: str) -> int:
    """The whole number in a field; 0 in an empty one."""
    try:
        number = float(typed or 0)
    except ValueError:
        number = math.nan
    if not number.is_integer():
        raise ex.Refusal(f"“{field}” takes a whole number; got {str(typed)[:40]!r}.")
    return int(number)


def explain_api(
    text: str, model: str = "sentiment", method: str = "attcat", target: str = "", pair: str = ""
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
        if task_of(model_of(model)) in ("picture", "match"):
            raise ex.Refusal(f"{model} sees pictures; this function explains texts.")
        (heat,) = heats_of(Asked(model, (text, pair) if pair else text, target or None), method)
        if isinstance(heat, str):
            raise ex.Refusal(heat)
        return export.record(heat)
    except ex.Refusal as error:
        raise gr.Error(escape(str(error)), print_exception=False) from error


# ---------------------------------------------------------------------------------------------------- layout

THEME = gr.themes.Default(
    primary_hue="indigo",
    neutral_hue="stone",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    body_background_fill="#fbfaf8",
    body_background_fill_dark="#161514",
    block_background_fill_dark="#201f1d",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_text_color_dark="white",
    block_label_text_color="*neutral_700",
    block_title_text_color="*neutral_700",
    block_info_text_color="*neutral_600",
)

LINK = """async (shown, layered, part, layer, merge, specials, palette, options, ...families) => {
  await new Promise(done => setTimeout(done, 60));    // a tab that was just chosen says so a moment later
  const views = document.querySelector('#%(slug)s-views');
  if (!shown || !views?.checkVisibility()) return [];         // nothing is explained here, or another tab of the page is open
  const open = views.querySelector('[role=tab][aria-selected=true]')?.textContent.trim().toLowerCase();
  const named = new URLSearchParams(location.search).get('view');
  if (open !== 'share') views.dataset.last = open;                    // a link shows what was looked at, not the view that makes links
  const view = views.dataset.last ?? (named === 'share' ? '' : named);
  const link = new URL(location.origin + location.pathname);
  const add = (name, value, unless) => { if (value && value !== unless) link.searchParams.set(name, value); };
  const asked = JSON.parse(shown), {kind, text, pair} = asked;
  add('kind', kind, 'Sentence'); add('picture', asked.picture); add('own', asked.own ? 'picture' : '');
  add('text', text.slice(0, %(most)d)); add('pair', pair.slice(0, %(most)d));
  add('model', asked.model, %(models)s[kind]); add('class', asked.class, '%(predicted)s'); add('versus', asked.versus, '%(nothing)s');
  add('methods', families.flat().filter(Boolean).join(','), '%(methods)s'); add('view', view, 'compare'); add('layers', layered, 'attcat');
  if (part === 'Heads') { add('part', part); link.searchParams.set('layer', layer); }
  add('subwords', merge ? '' : 'apart'); add('specials', specials ? 'shown' : ''); add('colours', palette, 'orange-blue'); add('options', options, '{}');
  history.replaceState(null, '', link);
  const long = Math.max(text.length, pair.length) > %(most)d;
  const cut = 'A link carries %(most)d characters of a text, and this one is longer: the link holds only its beginning.';
  const own = 'A link does not carry your picture, only what was asked about it. Whoever opens it gives the picture again.';
  return ['' + link, [long && cut, asked.own && own].filter(Boolean).map(said => `<p class="long">${said}</p>`).join('')];
}"""


#: Whether the Test view of a tab is open, in place of the third of an event's inputs.
WHETHER_OPEN = """(turn, asked, opened, ...others) => [
  turn, asked, document.querySelector('#%s-views [role=tab][aria-selected=true]')?.textContent.trim() === 'Test', ...others]"""

#: Takes away, in the browser and so at once, what was found out about another question. The last
#: of the outputs is a file.
FORGET = """() => ['', '', %s, '', '', {__type__: 'update', visible: false}]"""


def link_script(tab: Tab) -> str:
    first = [key for family in tab.by_family(tab.first) for key in family]
    return LINK % {
        "most": LINK_LIMIT,
        "predicted": PREDICTED,
        "nothing": NOTHING,
        "models": json.dumps({kind: KINDS[kind].model for kind in tab.kinds}),
        "methods": ",".join(first),
        "slug": tab.slug,
    }


def badges() -> str:
    """Links to the paper and, on a Space, to its code and notebooks."""
    links = {"AttCAT paper": ex.METHODS["attcat"].url}
    if space := os.environ.get("SPACE_ID"):
        links |= {
            "Notebooks": f"https://huggingface.co/spaces/{space}/tree/main/notebooks",
            "Code": f"https://huggingface.co/spaces/{space}/tree/main",
        }
    return "".join(
        f'<a href="{escape(url)}" target="_blank" rel="noopener">{name}</a>'
        for name, url in links.items()
    )


class Map(gr.HTML):
    """Heatmaps with linked hovering, arrow keys and sliders on top of their static HTML."""

    def __init__(self, **kwargs):
        super().__init__(
            js_on_load=(ASSETS / "heatmap.js").read_text(encoding="utf-8"),
            apply_default_css=False,
            padding=False,
            **kwargs,
        )


class Photo(gr.Image):
    """A picture as the file that was given: it is opened here, by `explainers.pictures`, with sentences for what cannot be."""

    is_template = True  # drawn by the browser's part of gr.Image

    def preprocess(self, payload):
        return payload.path if payload else None


def named(method: ex.Method, options: dict | None = None) -> str:
    """A method on the menu: what takes more than one pass says what it costs."""
    return (
        method.title
        if method.is_single_pass(options or {})
        else f"{method.title} · {method.cost_of(options or {})}"
    )


def empty(sentence: str) -> str:
    """What stands where nothing has been explained yet."""
    return card.card(f'<p class="xp-sub">{escape(sentence)}</p>', "orange-blue")


def lay_out(tab: Tab, opening, loading, query):
    """A tab: its fields on the left, its views on the right, and what happens.

    opening: somebody opens this tab. loading: the page was loaded, with what its address says in `query`.
    """
    one = KINDS[tab.kinds[0]]
    given = given_of(first_example(tab.kinds[0]))
    turn, wanted, asked = gr.State(Turn()), gr.State(False), gr.State(None)
    ready = gr.Checkbox(
        False, visible="hidden"
    )  # in the browser, so that it is as old as the other fields of an event
    shown = gr.Textbox(
        visible="hidden", elem_id=f"{tab.slug}-shown"
    )  # the question that the page shows: links are made of it in the browser
    with gr.Row(elem_id=f"{tab.slug}-bench"):
        with gr.Column(scale=1, min_width=300, elem_id=f"{tab.slug}-left"):
            kind = gr.Radio(
                [kind for kind in tab.kinds if kind != "Next token"],
                value=tab.kinds[0],
                label="Kind of input",
                elem_id=f"{tab.slug}-kind",
                visible=len(tab.kinds) > 1,
            )
            with gr.Group(elem_id=f"{tab.slug}-ask"):
                picture = Photo(
                    given["picture"],
                    label="Picture",
                    type="filepath",
                    sources=["upload", "webcam", "clipboard"],
                    height=230,
                    buttons=[],
                    visible=one.picture,
                    elem_id=f"{tab.slug}-photo",
                )
                picture_refusal = gr.HTML(visible=False)
                text = gr.Textbox(
                    given["text"],
                    label=one.text or "Text",
                    lines=3,
                    max_lines=10,
                    placeholder="Type here.",
                    visible=bool(one.text),
                )
                pair = gr.Textbox("", label="Second text", lines=3, max_lines=10, visible=False)
                text_refusal = gr.HTML(visible=False)
            rows, examples = [], {}
            for of in tab.kinds:
                with gr.Row(elem_classes="examples", visible=of == tab.kinds[0]) as row:
                    for name, example in EXAMPLES[of].items():
                        examples[of, name] = gr.Button(
                            name, size="sm", icon=given_of(example)["picture"]
                        )
                rows.append(row)
            model = gr.Dropdown(
                tab.models,
                value=one.model,
                label="Model",
                info="bundled, or type the id of one on the Hub",
                allow_custom_value=True,
            )
            if tab.about:
                gr.HTML(f'<p class="hint">{tab.about}</p>', apply_default_css=False, padding=False)
            model_refusal = gr.HTML(visible=False)
            with gr.Row(elem_id=f"{tab.slug}-goal"):
                target = gr.Dropdown(
                    [PREDICTED],
                    value=PREDICTED,
                    label="Explain",
                    min_width=130,
                    allow_custom_value=True,
                )
                versus = gr.Dropdown(
                    [NOTHING],
                    value=NOTHING,
                    label="rather than",
                    min_width=130,
                    allow_custom_value=True,
                )
            goal_refusal = gr.HTML(visible=False)
            go = gr.Button("Explain", variant="primary")
            with gr.Accordion("Methods", open=True, elem_id=f"{tab.slug}-menu"):
                methods_refusal = gr.HTML(visible=False)
                many = {"text": "n tokens", "image": "n patches, M masks"}[tab.modality]
                gr.HTML(
                    f'<p class="hint">F, B: forward and backward passes, {many}, L layers; at most one of each where nothing is said.</p>',
                    apply_default_css=False,
                    padding=False,
                )
                families = []
                for family, ticked in zip(tab.families, tab.by_family(tab.first)):
                    ours = [method for method in tab.methods if method.family == family]
                    with gr.Accordion(
                        f"{family} ({len(ours)})", open=bool(ticked), elem_classes="family"
                    ):
                        families.append(
                            gr.CheckboxGroup(
                                [(named(method), method.key) for method in ours],
                                label=family,
                                show_label=False,
                                value=ticked,
                            )
                        )
            with gr.Accordion("Options of a method", open=False, elem_id=f"{tab.slug}-options"):
                options = gr.Textbox("{}", visible="hidden", elem_id=f"{tab.slug}-changed")
                optional = gr.Dropdown(
                    [(method.title, method.key) for method in tab.methods if method.options],
                    value=tab.optional,
                    label="Method",
                    info="What differs from its default is kept, said beside its map, and in the link.",
                )
                lay_out_options(tab, optional, options)
            with gr.Accordion("Display", open=False, elem_id=f"{tab.slug}-display"):
                merge = gr.Checkbox(
                    True,
                    label="Sum sub-words into words",
                    visible=bool(one.text),
                    info="In scripts without spaces, pieces of a character.",
                )
                specials = gr.Checkbox(False, label="Show [CLS] and [SEP]", visible=bool(one.text))
                palette = gr.Dropdown(
                    [(words, name) for name, words in colours.PALETTES.items()],
                    value="orange-blue",
                    label="Colours",
                )
        with gr.Column(scale=3, min_width=340, elem_id=f"{tab.slug}-results"):
            said = gr.HTML(apply_default_css=False, elem_id=f"{tab.slug}-said")
            with gr.Tabs(selected="compare", elem_id=f"{tab.slug}-views") as views:
                with gr.Tab("Compare", id="compare"):
                    compared = Map(
                        value=empty("Nothing explained yet."),
                        elem_id=f"{tab.slug}-compared",
                        min_height=320,
                    )
                with gr.Tab("Layers", id="layers"):
                    with gr.Row(elem_id=f"{tab.slug}-parts"):
                        part = gr.Radio(
                            list(tab.parts),
                            value="Layers",
                            label="Look at",
                            min_width=160,
                            scale=1,
                            elem_classes="chips",
                        )
                        layer = gr.Slider(
                            0,
                            5,
                            step=1,
                            value=0,
                            label="Layer",
                            visible=False,
                            min_width=220,
                            scale=2,
                        )
                    layered = gr.Radio(
                        tab.parts["Layers"], value="attcat", label="Method", elem_classes="chips"
                    )
                    panel = Map(
                        value=empty("Nothing explained yet."),
                        elem_id=f"{tab.slug}-panel",
                        min_height=320,
                    )
                with gr.Tab("Test", id="test") as test_tab:
                    opened = gr.Checkbox(
                        False, visible=False
                    )  # the browser fills in whether this view is open
                    fill = gr.Radio(
                        list(FILLS[tab.modality]),
                        value=next(iter(FILLS[tab.modality])),
                        label="What stands for a part that is taken out",
                        elem_classes="chips",
                    )
                    test_refusal = gr.HTML(visible=False)
                    tested = Map(
                        value=empty("Nothing tested yet."),
                        elem_id=f"{tab.slug}-tested",
                        min_height=240,
                    )
                    with gr.Row(elem_classes="aim"):
                        parts = {"text": "words", "image": "patches"}[tab.modality]
                        top_of = gr.Dropdown(
                            [],
                            label=f"Take out the {parts} that this map puts first",
                            min_width=220,
                        )
                        most = gr.Slider(
                            1, 10, step=1, value=1, label=f"How many {parts}", min_width=160
                        )
                    take = gr.Button("Take them out and ask again", elem_classes="quiet")
                    taken = gr.HTML(
                        apply_default_css=False, padding=False, elem_id=f"{tab.slug}-taken"
                    )
                    scramble = gr.Button(
                        "Make the model's weights random, from the head down", elem_classes="quiet"
                    )
                    scrambled = gr.HTML(
                        apply_default_css=False, padding=False, elem_id=f"{tab.slug}-scrambled"
                    )
                with gr.Tab("Methods", id="methods"):
                    others = [
                        method for method in ex.METHODS.values() if method not in tab.methods
                    ]  # their cards say why they are not here
                    gr.HTML(
                        method_cards.method_cards_html([*tab.methods, *others], ["attcat"]),
                        apply_default_css=False,
                    )
                if tab.imagines:
                    with gr.Tab("Activation", id="activation"):
                        lay_out_imagining(model)
                with gr.Tab("Share", id="share"):
                    link = gr.Textbox(
                        label="A link that restores this view", interactive=False, buttons=["copy"]
                    )
                    long_link = gr.HTML(apply_default_css=False)
                    suffix = gr.Radio(
                        [".html", ".svg", ".png", ".csv", ".json"],
                        value=".html",
                        label="A file with the numbers, model, target and options inside",
                        elem_classes="chips",
                    )
                    write = gr.Button("Write the file")
                    file_refusal = gr.HTML(visible=False)
                    file = gr.File(label="Ready", visible=False)

    display = [merge, specials, palette, options]
    question = [
        kind,
        picture,
        text,
        pair,
        model,
        target,
        versus,
        layered,
        part,
        layer,
        *display,
        *families,
    ]
    under = [turn, asked]  # what `while_shown` goes by
    answers = [
        picture_refusal,
        text_refusal,
        model_refusal,
        goal_refusal,
        methods_refusal,
        target,
        versus,
        said,
        compared,
        panel,
        asked,
        shown,
    ]
    asking = [kind, picture, text, pair, model, target, versus, layer, *rows]
    quiet = {"show_progress": "minimal", "show_progress_on": [go], "api_visibility": "private"}
    silent = {"show_progress": "hidden", "api_visibility": "private"}
    address = {
        "fn": None,
        "inputs": [shown, layered, part, layer, *display, *families],
        "outputs": [link, long_link],
        "js": link_script(tab),
        "api_visibility": "private",
    }

    def explaining(after, *first, function=latest):
        """Run `after` something happened, then write the link."""
        after(function, [*first, turn, *question], answers, **quiet).then(**address)

    explaining(
        partial(
            gr.on,
            [
                go.click,
                text.submit,
                pair.submit,
                *(one.input for one in (target, versus, merge, specials, palette, *families)),
            ],
            trigger_mode="always_last",
        )
    )
    explaining(partial(options.change, trigger_mode="always_last"), function=when_set)
    explaining(partial(picture.input, trigger_mode="always_last"), function=when_given)
    for (of, name), button in examples.items():
        explaining(
            button.click(
                partial(take_example, of, name), model, [model_refusal, *asking], **silent
            ).then
        )
    explaining(
        kind.input(choose_kind, [kind, text, model], [model_refusal, *asking], **silent).success
    )
    explaining(
        model.input(
            choose_model,
            [model, kind, text, target, versus, layer],
            [model_refusal, *asking],
            show_progress_on=[model],
            api_visibility="private",
        ).success
    )
    gr.on(
        [layered.input, part.input, layer.input],
        partial(while_shown, partial(show_layers, tab)),
        [*under, layered, part, layer, *display],
        [panel, layered, layer],
        trigger_mode="always_last",
        **quiet,
    ).then(**address)
    restored = [
        ready,
        wanted,
        picture_refusal,
        model_refusal,
        *asking,
        layered,
        part,
        *display,
        optional,
        views,
        *families,
    ]
    explaining(
        loading.then(partial(restore, tab), query, restored, **silent).then,
        wanted,
        function=followed,
    )
    explaining(
        opening, ready, asked, function=at_first
    )  # a link opens its tab before its fields are filled in
    gr.on([views.select, shown.change], **address)
    shown.change(
        None,
        None,
        [test_refusal, file_refusal, tested, taken, scrambled, file],
        js=FORGET % json.dumps(empty("Nothing tested yet.")),
        api_visibility="private",
    )
    gr.on(
        [fill.input, options.change, *(one.input for one in families)],
        None,
        None,
        [taken, file],
        js="() => ['', {__type__: 'update', visible: false}]",
        api_visibility="private",
    )
    gr.on(
        [test_tab.select, shown.change, *(one.input for one in (fill, *families)), options.change],
        partial(while_shown, partial(try_maps, tab)),
        [*under, opened, fill, options, *families],
        [test_refusal, tested, top_of],
        js=WHETHER_OPEN % tab.slug,
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )
    scramble.click(
        partial(while_shown, partial(randomise, tab)),
        [*under, options, *families],
        scrambled,
        show_progress_on=[scramble],
        api_visibility="private",
    )
    take.click(
        partial(while_shown, partial(take_top, tab)),
        [*under, fill, options, *families, top_of, most],
        taken,
        show_progress_on=[take],
        api_visibility="private",
    )
    write.click(
        partial(while_shown, write_file),
        [*under, suffix, link, options, *families],
        [file_refusal, file],
        show_progress_on=[write],
        api_visibility="private",
    )


def lay_out_options(tab: Tab, optional, options):
    """Fields for the options of the method that `optional` names, made of its signature. `options` keeps what was changed, of all methods."""

    # One at a time: the three tabs lay theirs out when the page opens, and Gradio counts a visitor's components while another adds to them.
    @gr.render(
        [optional, options],
        triggers=[demo.load, optional.change],
        concurrency_limit=1,
        concurrency_id="options",
    )
    def fields_of(key: str, kept: str):
        method, chosen = ex.METHODS[key], options_in(kept).get(key, {})
        if method.card.options:
            gr.HTML(
                f'<p class="hint">{escape(method.card.options)}</p>',
                apply_default_css=False,
                padding=False,
            )
        for name, option in method.options.items():
            field = field_of(option, chosen.get(name, option.default), f"{key} {name}")
            said = gr.HTML(visible=False, key=f"{key} {name} refusal", preserved_by_key=None)
            typed = isinstance(field, gr.Number | gr.Textbox)
            gr.on(
                [field.submit, field.blur] if typed else [field.input],
                partial(set_option, key, name),
                [options, field],
                [options, said],
                show_progress="hidden",
                api_visibility="private",
            )


def field_of(option, value, key: str):
    """A field for one option that shows `value`; None, which stands for the method's own default,
    is an empty field or a choice of that name.

    key: the method and the option. A field that Gradio took for that of another method would go
    on showing that one's number.
    """
    common = {
        "label": option.name.replace("_", " "),
        "interactive": True,
        "key": key,
        "preserved_by_key": None,
    }
    if option.choices:
        choices = [*([DEFAULT] if option.default is None else []), *option.choices]
        return gr.Dropdown(choices, value=DEFAULT if value is None else value, **common)
    if option.kind is bool and option.default is not None:
        return gr.Checkbox(value, **common)
    if option.kind is bool:
        return gr.Dropdown(
            [DEFAULT, ("yes", True), ("no", False)],
            value=DEFAULT if value is None else value,
            **common,
        )
    if option.default is None:  # a number field cannot be empty: Gradio shows and sends 0
        return gr.Textbox(
            "" if value is None else str(value), placeholder=DEFAULT, max_lines=1, **common
        )
    return gr.Number(value, step=1 if option.kind is int else 0.05, **common)


def lay_out_imagining(model):
    """The view in which a model is asked for a picture. model: the field that names it."""
    with gr.Row(elem_classes="aim"):
        what = gr.Radio(
            ["a class", "a unit"],
            value="a class",
            label="What the picture is to excite",
            min_width=180,
            elem_classes="chips",
        )
        label = gr.Dropdown([], label="Class", min_width=180)
        layer = gr.Slider(0, 5, value=0, step=1, label="Layer", visible=False, min_width=140)
        feature = gr.Number(0, label="Unit of its feed-forward part", visible=False, min_width=140)
        token = gr.Textbox(
            "",
            label="At one token",
            placeholder="all patches",
            max_lines=1,
            visible=False,
            min_width=140,
        )
    with gr.Row(elem_classes="aim"):
        steps = gr.Slider(16, MOST_STEPS, value=96, step=16, label="Steps", min_width=180)
        seed = gr.Number(0, label="Seed: another number, another start", min_width=140)
    with gr.Accordion("How smooth the picture is to be", open=False), gr.Row(elem_classes="aim"):
        tv = gr.Slider(0, 0.5, value=0.1, step=0.01, label="Smoothness (TV)", min_width=180)
        l2 = gr.Number(0, step=0.001, label="Greyness (L2)", min_width=140)
        jitter = gr.Slider(0, 8, value=4, step=1, label="Shift (pixels)", min_width=180)
    start = gr.Button("Imagine", variant="primary")
    imagine_refusal = gr.HTML(visible=False)
    nothing = empty(
        "A picture is made from noise, step by step, so that the model answers to it as strongly as it can."
    )
    made = gr.HTML(nothing, apply_default_css=False, padding=False, elem_id="imagined")
    gr.on(
        [demo.load, model.change, what.input],
        menu_of_units,
        [model, what],
        [label, layer, feature, token],
        show_progress="hidden",
        api_visibility="private",
    )
    climbing = start.click(
        imagine,
        [model, what, label, layer, feature, token, steps, seed, tv, l2, jitter],
        [imagine_refusal, made],
        show_progress_on=[made],
        api_visibility="private",
    )
    model.change(
        None,
        None,
        [imagine_refusal, made],
        js=f"() => ['', {json.dumps(nothing)}]",
        cancels=[climbing],
        api_visibility="private",
    )


with gr.Blocks(
    title="Explainers: why a Transformer decided",
    analytics_enabled=False,
    delete_cache=(KEPT, KEPT),
) as demo:
    gr.HTML(
        f"<header><h1>Explainers</h1><p>What moved the model, which way, and can you believe it?</p><nav>{badges()}</nav></header>",
        elem_id="title",
        apply_default_css=False,
    )
    query = gr.State({})
    with gr.Tabs(selected="Text", elem_id="tabs") as tabs:
        loading = demo.load(
            read_link, None, [tabs, query], show_progress="hidden", api_visibility="private"
        )
        for tab in TABS.values():
            with gr.Tab(tab.name, id=tab.name) as opened_tab:
                lay_out(tab, opened_tab.select, loading, query)
    gr.HTML(
        "<footer><p>What you give goes to this server and to nobody else. Agreement between methods is a hint, not a proof.</p></footer>",
        elem_id="foot",
    )
    gr.api(explain_api, api_name="explain")

demo.queue(max_size=64, default_concurrency_limit=4)

if __name__ == "__main__":
    # in the head, as it is: Gradio rewrites the selectors of css=, and then no rule finds the page's .dark
    styles = card.stylesheet(controls=True) + (ASSETS / "page.css").read_text(encoding="utf-8")
    demo.launch(
        theme=THEME,
        head=f"<style>{styles}</style>",
        footer_links=["api", "settings"],
        max_file_size="20mb",
    )
