"""The page: type a sentence, see which words moved the model, which way, by several methods and layer by layer.

Functions first, then the layout, then the events. Everything that computes is in the package `explainers`.
"""

import json
import logging
import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache, partial
from html import escape
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

try:                        # ZeroGPU hosts give a GPU to decorated functions only; elsewhere there is nothing to import
    import spaces
    gpu = spaces.GPU(duration=30)
except ImportError:
    gpu = lambda function: function

import gradio as gr
import transformers

import explainers as ex
from explainers.render import card, cards, export, heatmaps, prediction

transformers.logging.set_verbosity_error()

ASSETS = Path(__file__).parent / "assets"
EXAMPLES = json.loads((ASSETS / "examples/text.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Kind:
    """A kind of input: what its fields are called, which tasks of a model fit it, and the model to begin with."""

    text: str
    pair: str
    tasks: tuple[str, ...]
    model: str


KINDS = {
    "Sentence": Kind("Text", "", ("classes", "tokens"), "sentiment"),
    "Pair": Kind("First text", "Second text", ("classes",), "inference"),
    "Question": Kind("Question", "Context", ("answer",), "question-answering"),
    "Next token": Kind("Text so far", "", ("next",), "openai-community/gpt2"),
}
MODELS = [("sentiment: bundled", "sentiment"), ("inference: bundled, of two texts", "inference"), ("paraphrase: bundled, of two texts", "paraphrase"),
          ("question answering: bundled", "question-answering"),
          ("DistilBERT SST-2: from the Hub", "distilbert/distilbert-base-uncased-finetuned-sst-2-english"), ("GPT-2: from the Hub", "openai-community/gpt2")]
TEXT_METHODS = [method for method in ex.METHODS.values() if "text" in method.tasks]
FAMILIES = list(dict.fromkeys(method.family for method in TEXT_METHODS))
PARTS = {"Layers": [(method.title, method.key) for method in TEXT_METHODS if method.run_layers],
         "Heads": [(method.title, method.key) for method in TEXT_METHODS if method.run_heads]}
FIRST = ["attcat", "integrated_gradients", "occlusion", "gae", "rollout", "raw_attention"]
PREDICTED, NOTHING = "predicted", "nothing"
ANSWERS = ["start", "end", "best span", "no answer"]
HINTS = {"answer": "or any words of the context", "next": "or a token, such as “ Paris” with its space", "tokens": "or a label at a word: “PERSON at Anna”"}
MOST_CLASSES = 2000         # more would not fit a menu
FILES = tempfile.TemporaryDirectory()     # files that visitors ask for; gone when the server stops
LINK_LIMIT = 2000           # characters of each text that a link carries


# ------------------------------------------------------------------------------------------------- functions

@lru_cache(maxsize=3)
def model_of(name: str) -> ex.Model:
    """A bundled model, or one from the Hub. Folders are for Python and the command line: visitors get no look at this machine's disk."""
    if name not in ex.BUNDLED and (len(name) > 100 or name.startswith((".", "/", "~", "\\")) or Path(name).exists()):
        raise ex.ModelUnavailable("On this page a model is a bundled one or the id of one on the Hub, such as owner/name.")
    model = ex.load(name)
    odd = model.task == "classes" and (not type(model.net).__name__.endswith("ForSequenceClassification") or len(model.labels) > MOST_CLASSES)
    if odd or model.anatomy.sees != "text" or model.tokenizer is None:
        raise ex.ModelUnavailable(f"{name} is a {type(model.net).__name__} of {len(model.labels):,} labels; this page explains language models, models "
                                  f"that answer questions, and classifiers of text with at most {MOST_CLASSES:,} classes.")
    return model


def kinds_of(name: str) -> list[str]:
    """The kinds of input that a model takes; of the bundled classifiers one reads single texts, the others pairs."""
    if name in ex.BUNDLED:
        return [kind for kind, one in KINDS.items() if one.model == name] or ["Pair"]
    return [kind for kind, one in KINDS.items() if model_of(name).task in one.tasks]


@lru_cache(maxsize=1)       # a trace of 512 tokens holds 150 MB, a heatmap almost nothing
def trace_of(model: str, given, target) -> tuple:
    coded = model_of(model).encode(given)
    return coded, model_of(model).trace(coded, target)


@lru_cache(maxsize=256)
@gpu
def heatmap_of(model: str, given, target, method: str) -> ex.Heatmap | str:
    """A method's map of one input, or the sentence that says why this method has none here."""
    coded, trace = trace_of(model, given, target)
    try:
        return ex.explain_trace(model_of(model), coded, trace, method)
    except ex.Refusal as refused:
        return str(refused)


@lru_cache(maxsize=128)
@gpu
def prediction_of(model: str, given) -> ex.Prediction:
    return ex.predict(model_of(model), given)


def meant(kind, text, pair, model, target, versus) -> tuple:
    """Model, input and target that the fields mean."""
    given = (text or "", pair or "") if KINDS[kind].pair else text or ""
    first = None if target in (PREDICTED, None, "") else target
    if versus in (NOTHING, None, ""):
        return model, given, first
    return model, given, (first or ("answer" if model_of(model).task == "answer" else prediction_of(model, given).best), versus)


def in_order(chosen: list[list[str]]) -> list[str]:
    """AttCAT on top, then the other signed methods, then the unsigned ones."""
    keys = [key for family in chosen for key in family or []]
    if not keys:
        raise ex.Refusal("Choose at least one method.")
    return sorted(keys, key=lambda key: (key != "attcat", not ex.METHODS[key].signed))


def refusal(message: str = "") -> dict:
    return gr.update(value=f'<div class="refusal" role="alert">{escape(message)}</div>' if message else "", visible=bool(message))


def said_of(error: Exception, otherwise: str) -> dict:
    """A refusal as it is; of an accident `otherwise`, and the rest into the log."""
    if not isinstance(error, ex.Refusal):
        logging.error(otherwise, exc_info=error)
    return refusal(str(error) if isinstance(error, ex.Refusal) else otherwise)


def panel_of(asked: tuple, method: str, part: str, layer: int, look: dict) -> str:
    """A method layer by layer, or head by head in one layer."""
    heat, title = heatmap_of(*asked, method), ex.METHODS[method].title
    if isinstance(heat, str):
        return heatmaps.fragment([], refused={title: heat}, style=False, palette=look["palette"])
    return heatmaps.head_panel(heat, min(int(layer), len(heat.heads) - 1), **look) if part == "Heads" else heatmaps.layer_panel(heat, slider=True, **look)


def run(kind, text, pair, model, target, versus, layered, part, layer, merge, specials, palette, *families):
    """Explain, one method after another. Yields what is wrong with the text and with the model, prediction, comparison, layers, and the
    question that is now shown, which layers, links and files go by."""
    look = {"merge": merge, "specials": specials, "palette": palette, "style": False}
    keep = gr.skip()
    try:
        keys, asked = in_order(families), meant(kind, text, pair, model, target, versus)
        said = prediction_of(*asked[:2])
        bar = prediction.fragment(said.labels, said.values, said.kind)
        shown = json.dumps([kind, text, pair, model, target, versus])
        heats, refused = [], {}
        later = [named(ex.METHODS[key]) for key in keys]
        if not ex.METHODS[keys[0]].single_pass:         # what takes a while says so before it starts
            yield refusal(), keep, bar, heatmaps.fragment([], waiting=later, **look), keep, shown
        for i, key in enumerate(keys):
            heat = heatmap_of(*asked, key)
            if isinstance(heat, str):
                refused[ex.METHODS[key].title] = heat
            else:
                heats.append(heat)
            panel = keep if i else panel_of(asked, layered, part, layer, look)
            yield refusal(), keep, bar, heatmaps.fragment(heats, waiting=later[i + 1:], refused=refused, layers=False, **look), panel, shown
    except ex.ModelUnavailable as error:
        yield refusal(), refusal(str(error)), keep, keep, keep, keep
    except Exception as error:
        wrong = "Something went wrong here, not with your text; it has been logged. Another method or model may work."
        yield said_of(error, wrong), keep, keep, keep, keep, keep


def latest(turn: list, *question):
    """`run`, until something newer was asked: an older answer never overwrites a newer one."""
    turn[0] += 1
    mine = turn[0]
    for answer in run(*question):
        if turn[0] != mine:
            return
        yield answer


def show_layers(shown, layered, part, layer, merge, specials, palette):
    """The panel alone, for another method, layer or part of what was last explained. Also the menu of methods and the slider."""
    methods = dict(map(reversed, PARTS[part]))
    layered = layered if layered in methods else "attcat"
    menus = gr.update(choices=PARTS[part], value=layered), gr.update(visible=part == "Heads")
    if not shown:
        return refusal(), gr.skip(), *menus
    try:
        look = {"merge": merge, "specials": specials, "palette": palette, "style": False}
        return refusal(), panel_of(meant(*json.loads(shown)), layered, part, layer, look), *menus
    except Exception as error:
        return said_of(error, "The layers could not be shown; the reason has been logged."), gr.skip(), *menus


def fields(kind: str, name: str, texts: tuple[str, str] | None = None, target: str = PREDICTED, versus: str = NOTHING, layer: int | None = None) -> tuple:
    """Every field as it must be for this kind of input and this model: kind, texts, model, class menus, the slider of layers, examples.

    texts: None leaves what stands there, which may be newer than what this was called with.
    """
    model, one = model_of(name), KINDS[kind]
    offered = [] if model.task in ("next", "tokens") else ANSWERS if model.task == "answer" else list(model.labels.values())
    free = model.task != "classes"
    known = lambda label, other: label if (free and label) or label in offered else other
    hint = HINTS.get(model.task, "")
    deepest = len(model.blocks) - 1
    new = [{"value": given} for given in texts] if texts else [{}, {}]
    return (gr.update(choices=[other for other in KINDS if other != "Next token" or other == kind], value=kind),
            gr.update(label=one.text, **new[0]), gr.update(label=one.pair or "Second text", visible=bool(one.pair), **new[1]), name,
            gr.update(choices=[PREDICTED, *offered], value=known(target, PREDICTED), info=hint),
            gr.update(choices=[NOTHING, *offered], value=known(versus, NOTHING), info=hint and "nothing, or another"),
            gr.update(maximum=deepest, value=deepest if layer is None else min(layer, deepest)),
            *(gr.update(visible=other == kind) for other in EXAMPLES))


def texts_of(example: dict) -> tuple[str, str]:
    return example["text"], example.get("pair", "")


def first_example(kind: str) -> dict:
    return next(iter(EXAMPLES[kind].values()))


def choose_kind(kind, text, model):
    """Another kind of input: its fields, its model, and its first example unless something else was typed."""
    try:
        name = model if kind in kinds_of(model) else KINDS[kind].model
        typed = text and all(text != one["text"] for several in EXAMPLES.values() for one in several.values())
        return refusal(), *fields(kind, name, None if typed else texts_of(first_example(kind)))
    except Exception as error:
        return said_of(error, "This model could not be loaded; the reason has been logged."), *[gr.skip()] * (7 + len(EXAMPLES))


def choose_model(model, kind, text):
    """Another model: the kind of input that it takes; a model that cannot be had changes nothing and says why."""
    try:
        name = (model or "").strip()
        model_of(name)
        if kind in kinds_of(name):
            return refusal(), *fields(kind, name)
        return choose_kind(kinds_of(name)[0], text, name)
    except Exception as error:
        return said_of(error, "This model could not be loaded; the reason has been logged."), *[gr.skip()] * (7 + len(EXAMPLES))


def take_example(kind: str, name: str, model: str):
    example = EXAMPLES[kind][name]
    name = example.get("model") or (model if kind in kinds_of(model) else KINDS[kind].model)
    return refusal(), *fields(kind, name, texts_of(example))


def restore(request: gr.Request):
    """The view that a link names; anything in it that does not exist is left at its default."""
    asked = dict(request.query_params)
    note, kind, model = "", asked.get("kind"), asked.get("model", "")[:200]
    try:
        model = model or KINDS[kind if kind in KINDS else "Sentence"].model
        kinds = kinds_of(model)
        kind = kind if kind in kinds else kinds[0]
    except Exception as error:
        note = said_of(error, "This model could not be loaded.")["value"]
        kind, model = "Sentence", "sentiment"
    texts = asked.get("text", "")[:LINK_LIMIT], asked.get("pair", "")[:LINK_LIMIT]
    target, versus = asked.get("class", PREDICTED)[:200], asked.get("versus", NOTHING)[:200]
    part = asked.get("part", "Layers") if asked.get("part") in PARTS else "Layers"
    layered = asked.get("layers", "attcat")
    layer = int(asked["layer"]) if asked.get("layer", "").isdecimal() and len(asked["layer"]) < 4 else None
    chosen = [key for key in asked.get("methods", "").split(",") if key in ex.METHODS] or FIRST
    view, palette = asked.get("view", "compare"), asked.get("colours")
    return (gr.update(value=note.replace("</div>", " The bundled model is shown instead.</div>"), visible=bool(note)),
            *fields(kind, model, texts if texts[0] else texts_of(first_example(kind)), target, versus, layer),
            gr.update(choices=PARTS[part], value=layered if layered in dict(map(reversed, PARTS[part])) else "attcat"), part,
            asked.get("subwords") != "apart", asked.get("specials") == "shown",
            palette if palette in card.PALETTES else "orange-blue", gr.Tabs(selected=view if view in VIEWS else "compare"),
            *([key for key in chosen if ex.METHODS[key].family == family] for family in FAMILIES))


def write_file(suffix, shown, *families):
    """What was last explained as a file; a single method brings its layers along."""
    try:
        if not shown:
            raise ex.Refusal("Explain something first.")
        asked, keys = meant(*json.loads(shown)), in_order(families)
        heats = [heatmap_of(*asked, key) for key in keys]
        if not (done := [heat for heat in heats if not isinstance(heat, str)]):
            raise ex.Refusal(heats[0])
        path = Path(tempfile.mkdtemp(dir=FILES.name)) / f"explanation{suffix}"
        export.save(done, path)
        return refusal(), gr.update(value=str(path), visible=True)
    except Exception as error:
        return said_of(error, "The file could not be written; the reason has been logged."), gr.skip()


def explain_api(text: str, model: str = "sentiment", method: str = "attcat", target: str = "", pair: str = "") -> dict:
    """Signed scores for the tokens of a text.

    Args:
        text: the text to explain; the first text of a pair; the question
        model: a bundled name or a Hub id
        method: a key such as attcat, gae, integrated_gradients
        target: a class label, or 'A - B'; empty for the predicted class
        pair: the second text of a pair; the context of a question
    """
    try:
        heat = heatmap_of(model, (text, pair) if pair else text, target or None, method)
        if isinstance(heat, str):
            raise ex.Refusal(heat)
        return export.record(heat)
    except ex.Refusal as error:
        raise gr.Error(escape(str(error)), print_exception=False) from error


# ---------------------------------------------------------------------------------------------------- layout

VIEWS = ("compare", "layers", "methods", "share")

THEME = gr.themes.Default(
    primary_hue="indigo", neutral_hue="stone", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"],
).set(
    body_background_fill="#fbfaf8", body_background_fill_dark="#161514", block_background_fill_dark="#201f1d",
    body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300",
    button_primary_background_fill="*primary_700", button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700", button_primary_text_color_dark="white",
    block_label_text_color="*neutral_700", block_title_text_color="*neutral_700", block_info_text_color="*neutral_600",
)

LINK = """async (shown, layered, part, layer, merge, specials, palette, ...families) => {
  await new Promise(done => setTimeout(done, 60));    // a tab that was just chosen says so a moment later
  const view = document.querySelector('#views [role=tab][aria-selected=true]')?.textContent.trim().toLowerCase();
  const link = new URL(location.origin + location.pathname);
  const add = (name, value, unless) => { if (value && value !== unless) link.searchParams.set(name, value); };
  const [kind, text, pair, model, target, versus] = JSON.parse(shown || '[]');
  add('kind', kind, 'Sentence'); add('text', (text || '').slice(0, %(most)d)); add('pair', (pair || '').slice(0, %(most)d));
  add('model', model, %(models)s[kind]); add('class', target, '%(predicted)s'); add('versus', versus, '%(nothing)s');
  add('methods', families.flat().filter(Boolean).join(','), '%(methods)s'); add('view', view, 'compare'); add('layers', layered, 'attcat');
  if (part === 'Heads') { add('part', part); link.searchParams.set('layer', layer); }
  add('subwords', merge ? '' : 'apart'); add('specials', specials ? 'shown' : ''); add('colours', palette, 'orange-blue');
  history.replaceState(null, '', link);
  const long = Math.max((text || '').length, (pair || '').length) > %(most)d;
  const cut = '<p class="long">A link carries %(most)d characters of a text, and this one is longer: the link holds only its beginning.</p>';
  return ['' + link, long ? cut : ''];
}""" % {"most": LINK_LIMIT, "predicted": PREDICTED, "nothing": NOTHING, "models": json.dumps({kind: one.model for kind, one in KINDS.items()}),
        "methods": ",".join(key for family in FAMILIES for key in FIRST if ex.METHODS[key].family == family)}


def badges() -> str:
    """Links to the paper and, on a Space, to its code and notebooks."""
    links = {"AttCAT paper": ex.METHODS["attcat"].url}
    if space := os.environ.get("SPACE_ID"):
        links |= {"Notebooks": f"https://huggingface.co/spaces/{space}/tree/main/notebooks", "Code": f"https://huggingface.co/spaces/{space}/tree/main"}
    return "".join(f'<a href="{escape(url)}" target="_blank" rel="noopener">{name}</a>' for name, url in links.items())


class Map(gr.HTML):
    """Heatmaps with linked hovering, arrow keys and the layer slider on top of their static HTML."""

    def __init__(self, **kwargs):
        super().__init__(js_on_load=(ASSETS / "heatmap.js").read_text(encoding="utf-8"), apply_default_css=False, padding=False, **kwargs)


def named(method: ex.Method) -> str:
    """A method on the menu: what takes more than one pass says what it costs."""
    return method.title if method.single_pass else f"{method.title} · {method.passes}"


with gr.Blocks(title="Explainers: why a Transformer decided", analytics_enabled=False, delete_cache=(3600, 3600)) as demo:
    gr.HTML(f'<header><h1>Explainers</h1><p>Which words moved the model, which way, and can you believe it?</p><nav>{badges()}</nav></header>',
            elem_id="title", apply_default_css=False)
    with gr.Row(elem_id="bench"):
        with gr.Column(scale=1, min_width=300, elem_id="left"):
            kind = gr.Radio([kind for kind in KINDS if kind != "Next token"], value="Sentence", label="Kind of input", elem_id="kind")
            with gr.Group(elem_id="ask"):
                text = gr.Textbox(first_example("Sentence")["text"], label="Text", lines=3, max_lines=10, placeholder="Type a sentence to explain.")
                pair = gr.Textbox("", label="Second text", lines=3, max_lines=10, visible=False)
                text_refusal = gr.HTML(visible=False)
            rows, examples = [], {}
            for of in EXAMPLES:
                with gr.Row(elem_classes="examples", visible=of == "Sentence") as row:
                    examples |= {(of, name): gr.Button(name, size="sm") for name in EXAMPLES[of]}
                rows.append(row)
            model = gr.Dropdown(MODELS, value="sentiment", label="Model", info="bundled, or type the id of one on the Hub", allow_custom_value=True)
            model_refusal = gr.HTML(visible=False)
            with gr.Row(elem_id="goal"):
                target = gr.Dropdown([PREDICTED], value=PREDICTED, label="Explain", min_width=130, allow_custom_value=True)
                versus = gr.Dropdown([NOTHING], value=NOTHING, label="rather than", min_width=130, allow_custom_value=True)
            go = gr.Button("Explain", variant="primary")
            with gr.Accordion("Methods", open=True, elem_id="menu"):
                gr.HTML('<p class="hint">F, B: forward and backward passes, n tokens, L layers; at most one of each where nothing is said.</p>',
                        apply_default_css=False, padding=False)
                families = []
                for family in FAMILIES:
                    ours = [method for method in TEXT_METHODS if method.family == family]
                    with gr.Accordion(f"{family} ({len(ours)})", open=any(method.key in FIRST for method in ours), elem_classes="family"):
                        families.append(gr.CheckboxGroup([(named(method), method.key) for method in ours], label=family, show_label=False,
                                                         value=[key for key in FIRST if ex.METHODS[key].family == family]))
            with gr.Accordion("Display", open=False, elem_id="display"):
                merge = gr.Checkbox(True, label="Sum sub-words into words")
                specials = gr.Checkbox(False, label="Show [CLS] and [SEP]")
                palette = gr.Dropdown([(words, name) for name, words in card.PALETTES.items()], value="orange-blue", label="Colours")
        with gr.Column(scale=3, min_width=340, elem_id="results"):
            said = gr.HTML(apply_default_css=False, elem_id="said")
            with gr.Tabs(selected="compare", elem_id="views") as views:
                with gr.Tab("Compare", id="compare"):
                    compared = Map(elem_id="compared", min_height=320)
                with gr.Tab("Layers", id="layers"):
                    with gr.Row(elem_id="parts"):
                        part = gr.Radio(list(PARTS), value="Layers", label="Look at", min_width=160, scale=1)
                        layer = gr.Slider(0, 5, step=1, value=5, label="Layer", visible=False, min_width=220, scale=2)
                    layered = gr.Radio(PARTS["Layers"], value="attcat", label="Method")
                    panel = Map(elem_id="panel", min_height=320)
                with gr.Tab("Methods", id="methods"):
                    gr.HTML(cards.fragment(TEXT_METHODS, ["attcat"]), apply_default_css=False)
                with gr.Tab("Share", id="share"):
                    link = gr.Textbox(label="A link that restores this view", interactive=False, buttons=["copy"])
                    long_link = gr.HTML(apply_default_css=False)
                    suffix = gr.Radio([".html", ".svg", ".png", ".csv", ".json"], value=".html",
                                      label="A file with the numbers, model, target and options inside")
                    write = gr.Button("Write the file")
                    file = gr.File(label="Ready", visible=False)
    gr.HTML('<footer><p>What you type goes to this server and to nobody else. Agreement between methods is a hint, not a proof.</p></footer>', elem_id="foot")

    # ------------------------------------------------------------------------------------------------ events
    turn = gr.State([0])
    shown = gr.Textbox(visible="hidden", elem_id="shown")       # the question that the page shows, as JSON: links are made of it in the browser
    question = [kind, text, pair, model, target, versus, layered, part, layer, merge, specials, palette, *families]
    answer = [text_refusal, model_refusal, said, compared, panel, shown]
    asking = [kind, text, pair, model, target, versus, layer, *rows]
    quiet = {"show_progress": "minimal", "show_progress_on": [go], "api_visibility": "private"}
    address = {"fn": None, "inputs": [shown, layered, part, layer, merge, specials, palette, *families], "outputs": [link, long_link], "js": LINK,
               "api_visibility": "private"}

    def explaining(after):
        """Run `after` something happened, then write the link."""
        after(latest, [turn, *question], answer, **quiet).then(**address)

    explaining(partial(gr.on, [go.click, text.submit, pair.submit, target.input, versus.input, merge.input, specials.input, palette.input,
                               *(family.input for family in families)], trigger_mode="always_last"))
    for (of, name), button in examples.items():
        explaining(button.click(partial(take_example, of, name), model, [model_refusal, *asking], show_progress="hidden", api_visibility="private").then)
    explaining(kind.input(choose_kind, [kind, text, model], [model_refusal, *asking], show_progress="hidden", api_visibility="private").success)
    explaining(model.input(choose_model, [model, kind, text], [model_refusal, *asking], show_progress_on=[model], api_visibility="private").success)
    gr.on([layered.input, part.input, layer.input], show_layers, [shown, layered, part, layer, merge, specials, palette],
          [text_refusal, panel, layered, layer], trigger_mode="always_last", **quiet).then(**address)
    explaining(demo.load(restore, None, [model_refusal, *asking, layered, part, merge, specials, palette, views, *families],
                         show_progress="hidden", api_visibility="private").then)
    views.select(**address)
    write.click(write_file, [suffix, shown, *families], [text_refusal, file], show_progress_on=[write], api_visibility="private")
    gr.api(explain_api, api_name="explain")

demo.queue(max_size=64, default_concurrency_limit=4)

if __name__ == "__main__":
    # in the head, as it is: Gradio rewrites the selectors of css=, and then no rule finds the page's .dark
    styles = card.stylesheet(controls=True) + (ASSETS / "page.css").read_text(encoding="utf-8")
    demo.launch(theme=THEME, head=f"<style>{styles}</style>", footer_links=["api", "settings"], max_file_size="1mb")
