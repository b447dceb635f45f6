"""The page: type a sentence, see which words moved the model, which way, by several methods and layer by layer.

Functions first, then the layout, then the events. Everything that computes is in the package `explainers`.
"""

import json
import logging
import os
import tempfile
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
from explainers.render import cards, export, prediction, tokens

transformers.logging.set_verbosity_error()

ASSETS = Path(__file__).parent / "assets"
EXAMPLES = json.loads((ASSETS / "examples/text.json").read_text(encoding="utf-8"))
MODELS = [("sentiment: bundled, 6 layers", "sentiment"),
          ("DistilBERT SST-2: from the Hub", "distilbert/distilbert-base-uncased-finetuned-sst-2-english")]
TEXT_METHODS = [method for method in ex.METHODS.values() if "text" in method.tasks]
FAMILIES = list(dict.fromkeys(method.family for method in TEXT_METHODS))
LAYERED = [(method.title, method.key) for method in TEXT_METHODS if method.run_layers]
FIRST = ["attcat", "integrated_gradients", "occlusion", "gae", "rollout", "raw_attention"]
PREDICTED, NOTHING = "predicted", "nothing"
MOST_CLASSES = 2000         # a language model's vocabulary would not fit a menu
FILES = tempfile.TemporaryDirectory()     # files that visitors ask for; gone when the server stops
LINK_LIMIT = 2000           # characters of text that a link carries


# ------------------------------------------------------------------------------------------------- functions

@lru_cache(maxsize=2)
def model_of(name: str) -> ex.Model:
    """The bundled model for single texts, or one from the Hub. Folders are for Python and the command line: visitors get no
    look at this machine's disk."""
    if name in ex.BUNDLED and name != "sentiment":
        raise ex.ModelUnavailable(f"{name} reads two texts at once; this page explains one. Python and the command line take pairs.")
    if name != "sentiment" and (len(name) > 100 or name.startswith((".", "/", "~", "\\")) or Path(name).exists()):
        raise ex.ModelUnavailable("On this page a model is the bundled one or the id of one on the Hub, such as owner/name.")
    model = ex.load(name)
    if not type(model.net).__name__.endswith("ForSequenceClassification") or model.anatomy.sees != "text" or len(model.labels) > MOST_CLASSES:
        raise ex.ModelUnavailable(f"{name} is a {type(model.net).__name__} of {len(model.labels):,} labels; "
                                  f"this page explains classifiers of text with at most {MOST_CLASSES:,} classes.")
    return model


@lru_cache(maxsize=1)       # a trace of 512 tokens holds 150 MB, a heatmap almost nothing
def trace_of(model: str, text: str, target) -> tuple:
    coded = model_of(model).encode(text)
    return coded, model_of(model).trace(coded, target)


@lru_cache(maxsize=256)
@gpu
def heatmap_of(model: str, text: str, target, method: str) -> ex.Heatmap:
    return ex.explain_trace(model_of(model), *trace_of(model, text, target), method)


@lru_cache(maxsize=128)
@gpu
def prediction_of(model: str, text: str) -> ex.Prediction:
    return ex.predict(model_of(model), text)


def goal_of(model: str, text: str, target: str, versus: str):
    """The target that the two menus mean."""
    first = None if target in (PREDICTED, None) else target
    if versus in (NOTHING, None):
        return first
    return first or prediction_of(model, text).best, versus


def in_order(chosen: list[list[str]]) -> list[str]:
    """AttCAT on top, then the other signed methods, then the unsigned ones."""
    keys = [key for family in chosen for key in family or []]
    if not keys:
        raise ex.Refusal("Choose at least one method.")
    return sorted(keys, key=lambda key: (key != "attcat", not ex.METHODS[key].signed))


def refusal(message: str = "") -> dict:
    return gr.update(value=f'<div class="refusal" role="alert">{escape(message)}</div>' if message else "", visible=bool(message))


def run(text, model, target, versus, layered, merge, specials, palette, *families):
    """Explain, one method after another. Yields what is wrong with the text and with the model, prediction, comparison, layers."""
    look = {"merge": merge, "specials": specials, "palette": palette, "style": False}
    keep = gr.skip()
    try:
        text, keys = text or "", in_order(families)
        said, goal = prediction_of(model, text), goal_of(model, text, target, versus)
        bar = prediction.fragment(said.labels, said.values, said.kind)
        heats = []
        for i, key in enumerate(keys):
            heats.append(heatmap_of(model, text, goal, key))
            waiting = [ex.METHODS[other].title for other in keys[i + 1:]]
            panel = keep if i else tokens.layer_panel(heatmap_of(model, text, goal, layered), slider=True, **look)
            yield refusal(), keep, bar, tokens.fragment(heats, waiting=waiting, layers=False, **look), panel
    except ex.ModelUnavailable as error:
        yield refusal(), refusal(str(error)), keep, keep, keep
    except ex.Refusal as error:
        yield refusal(str(error)), keep, keep, keep, keep
    except Exception:
        logging.exception("explaining failed")
        wrong = "Something went wrong here, not with your text; it has been logged. Another method or model may work."
        yield refusal(wrong), keep, keep, keep, keep


def latest(turn: list, *question):
    """`run`, until something newer was asked: an older answer never overwrites a newer one."""
    turn[0] += 1
    mine = turn[0]
    for answer in run(*question):
        if turn[0] != mine:
            return
        yield answer


def show_layers(text, model, target, versus, layered, merge, specials, palette, *families):
    """The layer panel alone, for another method of the same explanation."""
    for text_wrong, model_wrong, _, _, panel in run(text, model, target, versus, layered, merge, specials, palette, [layered]):
        yield text_wrong, model_wrong, panel


def choose_model(name: str):
    """Labels of another model for the class menus; a model that cannot be had changes nothing and says why."""
    try:
        labels = list(model_of((name or "").strip()).labels.values())
    except ex.Refusal as error:
        return refusal(str(error)), gr.skip(), gr.skip()
    except Exception:
        logging.exception("loading %r failed", name)
        return refusal("This model could not be loaded; the reason has been logged."), gr.skip(), gr.skip()
    return refusal(), *class_menus(labels)


def class_menus(labels: list[str], target: str = PREDICTED, versus: str = NOTHING):
    known = lambda label, other: label if label in labels else other
    return (gr.update(choices=[PREDICTED, *labels], value=known(target, PREDICTED)),
            gr.update(choices=[NOTHING, *labels], value=known(versus, NOTHING)))


def restore(request: gr.Request):
    """The view that a link names; anything in it that does not exist is left at its default."""
    asked = dict(request.query_params)
    text = asked.get("text", "")[:LINK_LIMIT] or EXAMPLES["mixed review"]
    model, note = asked.get("model", "sentiment")[:200], ""
    try:
        labels = list(model_of(model).labels.values())
    except Exception as error:
        if not isinstance(error, ex.Refusal):
            logging.exception("loading %r failed", model)
        note = f"{error if isinstance(error, ex.Refusal) else 'This model could not be loaded.'} The bundled model is shown instead."
        model, labels = "sentiment", list(model_of("sentiment").labels.values())
    keys = [key for key in asked.get("methods", "").split(",") if key in ex.METHODS] or FIRST
    layered = asked.get("layers", "attcat")
    view, palette = asked.get("view", "compare"), asked.get("colours")
    return (text, model, *class_menus(labels, asked.get("class", PREDICTED), asked.get("versus", NOTHING)),
            layered if layered in dict(LAYERED).values() else "attcat",
            asked.get("subwords") != "apart", asked.get("specials") == "shown",
            palette if palette in tokens.PALETTES else "orange-blue", refusal(note),
            gr.Tabs(selected=view if view in VIEWS else "compare"),
            *([key for key in keys if ex.METHODS[key].family == family] for family in FAMILIES))


def write_file(suffix, text, model, target, versus, *families):
    """The comparison as a file; a single method brings its layers along."""
    try:
        goal, keys = goal_of(model, text or "", target, versus), in_order(families)
        path = Path(tempfile.mkdtemp(dir=FILES.name)) / f"explanation{suffix}"
        export.save([heatmap_of(model, text or "", goal, key) for key in keys], path)
        return refusal(), gr.update(value=str(path), visible=True)
    except ex.Refusal as error:
        return refusal(str(error)), gr.skip()
    except Exception:
        logging.exception("writing a file failed")
        return refusal("The file could not be written; the reason has been logged."), gr.skip()


def explain_api(text: str, model: str = "sentiment", method: str = "attcat", target: str = "") -> dict:
    """Signed scores for the tokens of a text.

    Args:
        text: the text to explain
        model: a bundled name or a Hub id
        method: a key such as attcat, gae, integrated_gradients
        target: a class label, or 'A - B'; empty for the predicted class
    """
    try:
        return export.record(heatmap_of(model, text, target or None, method))
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

LINK = """async (text, model, target, versus, layered, merge, specials, palette, ...families) => {
  await new Promise(done => setTimeout(done, 60));    // a tab that was just chosen says so a moment later
  const view = document.querySelector('#views [role=tab][aria-selected=true]')?.textContent.trim().toLowerCase();
  const link = new URL(location.origin + location.pathname);
  const add = (name, value, unless) => { if (value && value !== unless) link.searchParams.set(name, value); };
  add('text', (text || '').slice(0, %d)); add('model', model, 'sentiment'); add('class', target, '%s'); add('versus', versus, '%s');
  add('methods', families.flat().filter(Boolean).join(','), '%s'); add('view', view, 'compare'); add('layers', layered, 'attcat');
  add('subwords', merge ? '' : 'apart'); add('specials', specials ? 'shown' : ''); add('colours', palette, 'orange-blue');
  history.replaceState(null, '', link);
  return '' + link;
}""" % (LINK_LIMIT, PREDICTED, NOTHING, ",".join(key for family in FAMILIES for key in FIRST if ex.METHODS[key].family == family))


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


with gr.Blocks(title="Explainers: why a Transformer decided", analytics_enabled=False, delete_cache=(3600, 3600)) as demo:
    gr.HTML(f'<header><h1>Explainers</h1><p>Which words moved the model, which way, and can you believe it?</p><nav>{badges()}</nav></header>',
            elem_id="title", apply_default_css=False)
    with gr.Row(elem_id="bench"):
        with gr.Column(scale=1, min_width=300, elem_id="left"):
            with gr.Group(elem_id="ask"):
                text = gr.Textbox(EXAMPLES["mixed review"], label="Text", lines=3, max_lines=10, placeholder="Type a sentence to explain.")
                text_refusal = gr.HTML(visible=False)
            with gr.Row(elem_id="examples"):
                examples = {name: gr.Button(name, size="sm") for name in EXAMPLES}
            model = gr.Dropdown(MODELS, value="sentiment", label="Model", info="bundled, or type the id of a classifier on the Hub", allow_custom_value=True)
            model_refusal = gr.HTML(visible=False)
            with gr.Row():
                target = gr.Dropdown([PREDICTED], value=PREDICTED, label="Explain", min_width=130)
                versus = gr.Dropdown([NOTHING], value=NOTHING, label="rather than", min_width=130)
            go = gr.Button("Explain", variant="primary")
            with gr.Accordion("Methods", open=True, elem_id="menu"):
                families = [gr.CheckboxGroup([(method.title, method.key) for method in TEXT_METHODS if method.family == family], label=family,
                                             value=[key for key in FIRST if ex.METHODS[key].family == family]) for family in FAMILIES]
            with gr.Accordion("Display", open=False, elem_id="display"):
                merge = gr.Checkbox(True, label="Sum sub-words into words")
                specials = gr.Checkbox(False, label="Show [CLS] and [SEP]")
                palette = gr.Dropdown([(words, name) for name, words in tokens.PALETTES.items()], value="orange-blue", label="Colours")
        with gr.Column(scale=3, min_width=340, elem_id="results"):
            said = gr.HTML(apply_default_css=False, elem_id="said")
            with gr.Tabs(selected="compare", elem_id="views") as views:
                with gr.Tab("Compare", id="compare"):
                    compared = Map(elem_id="compared", min_height=320)
                with gr.Tab("Layers", id="layers"):
                    layered = gr.Radio(LAYERED, value="attcat", label="Method")
                    panel = Map(elem_id="panel", min_height=320)
                with gr.Tab("Methods", id="methods"):
                    gr.HTML(cards.fragment(TEXT_METHODS, ["attcat"]), apply_default_css=False)
                with gr.Tab("Share", id="share"):
                    link = gr.Textbox(label="A link that restores this view", interactive=False, buttons=["copy"])
                    suffix = gr.Radio([".html", ".svg", ".csv", ".json"], value=".html", label="A file with the numbers, model, target and options inside")
                    write = gr.Button("Write the file")
                    file = gr.File(label="Ready", visible=False)
    gr.HTML('<footer><p>What you type goes to this server and to nobody else. Agreement between methods is a hint, not a proof.</p></footer>', elem_id="foot")

    # ------------------------------------------------------------------------------------------------ events
    turn = gr.State([0])
    question = [text, model, target, versus, layered, merge, specials, palette, *families]
    answer = [text_refusal, model_refusal, said, compared, panel]
    quiet = {"show_progress": "minimal", "show_progress_on": [go], "api_visibility": "private"}

    def explaining(after):
        """Run `after` something happened, then write the link."""
        after(latest, [turn, *question], answer, **quiet).then(None, question, link, js=LINK, api_visibility="private")

    explaining(partial(gr.on, [go.click, text.submit, target.input, versus.input, merge.input, specials.input, palette.input,
                               *(family.input for family in families)], trigger_mode="always_last"))
    for name, button in examples.items():
        explaining(button.click(lambda name=name: EXAMPLES[name], None, text, show_progress="hidden", api_visibility="private").then)
    explaining(model.input(choose_model, model, [model_refusal, target, versus], show_progress_on=[model], api_visibility="private").success)
    layered.input(show_layers, question, [text_refusal, model_refusal, panel], **quiet).then(None, question, link, js=LINK, api_visibility="private")
    explaining(demo.load(restore, None, [text, model, target, versus, layered, merge, specials, palette, model_refusal, views, *families],
                         show_progress="hidden", api_visibility="private").then)
    views.select(None, question, link, js=LINK, api_visibility="private")
    write.click(write_file, [suffix, text, model, target, versus, *families], [text_refusal, file], show_progress_on=[write], api_visibility="private")
    gr.api(explain_api, api_name="explain")

demo.queue(max_size=64, default_concurrency_limit=4)

if __name__ == "__main__":
    # in the head, as it is: Gradio rewrites the selectors of css=, and then no rule finds the page's .dark
    styles = tokens.stylesheet(controls=True) + (ASSETS / "page.css").read_text(encoding="utf-8")
    demo.launch(theme=THEME, head=f"<style>{styles}</style>", footer_links=["api", "settings"], max_file_size="1mb")
