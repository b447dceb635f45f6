"""The page: its header, and the left side of a tab, where a question is asked."""

import os
from functools import partial
from html import escape

import gradio as gr
from gradio import themes

import explainers as ex

from ..modalities import MODALITIES
from ..render import cards
from ..render.colours import PALETTES
from ..render.method_cards import options_html
from .examples import EXAMPLES, fields_of, first_example
from .fields import ASSETS, Fields, Photo, by_component, plain_html, refusal_html
from .kinds import KINDS, listed_kinds, menu_of, menu_title, ticked
from .options import DEFAULT, read_options, with_option
from .pieces import Changes, hint, refusal_box
from .state import NOTHING, PREDICTED

THEME = themes.Default(
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

HEADER = (
    "<header><h1>Explainers</h1><p>Which words or patches changed the model's score, in which "
    "direction, and can you believe it?</p><nav>{links}</nav></header>"
)
FOOTER = (
    "<footer><p>Your input goes to this server only. Agreement between methods is a hint, not a "
    "proof.</p></footer>"
)


def head() -> str:
    """The styles and scripts of the page.

    They stand in the head as they are: Gradio rewrites the selectors of `css=`, and then no rule
    finds the class .dark of the page.
    """
    styles = cards.stylesheet(controls=True) + (ASSETS / "page.css").read_text(encoding="utf-8")
    script = (ASSETS / "page.js").read_text(encoding="utf-8")
    return f"<style>{styles}</style><script>{script}</script>"


def lay_out_header() -> None:
    """The title with links to the paper and, on a Space, to its code and notebooks."""
    links = {"AttCAT paper": ex.METHODS["attcat"].url}
    space = os.environ.get("SPACE_ID")
    if space:
        code = f"https://huggingface.co/spaces/{space}/tree/main"
        links |= {"Notebooks": f"{code}/notebooks", "Code": code}
    anchors = ""
    for name, url in links.items():
        anchors += f'<a href="{escape(url)}" target="_blank" rel="noopener">{name}</a>'
    gr.HTML(HEADER.format(links=anchors), elem_id="title", apply_default_css=False)


def lay_out_footer() -> None:
    gr.HTML(FOOTER, elem_id="foot", apply_default_css=False)


# ------------------------------------------------------------------------------- the left side


def lay_out_question(ui: Fields) -> None:
    """The fields of the input, the examples, the model and the target."""
    tab = ui.tab
    ui["kind"] = gr.Radio(
        listed_kinds(tab, tab.kinds[0]),
        value=tab.kinds[0],
        label="Kind of input",
        elem_id=f"{tab.slug}-kind",
        visible=len(tab.kinds) > 1,
    )
    with gr.Group(elem_id=f"{tab.slug}-ask"):
        lay_out_input(ui)
    lay_out_examples(ui)
    ui["model"] = gr.Dropdown(
        tab.models,
        value=KINDS[tab.kinds[0]].model,
        label="Model",
        info="Choose a bundled model, or type the id of a model on the Hub.",
        allow_custom_value=True,
    )
    if tab.about:
        plain_html(hint(tab.about))
    ui["model_refusal"] = refusal_html()
    with gr.Row(elem_id=f"{tab.slug}-goal"):
        for name, label, first in (
            ("target", "Explain", PREDICTED),
            ("versus", "rather than", NOTHING),
        ):
            ui[name] = gr.Dropdown(
                [first],
                value=first,
                label=label,
                min_width=130,
                allow_custom_value=True,
            )
    ui["goal_refusal"] = refusal_html()
    ui["go"] = gr.Button("Explain", variant="primary")


def lay_out_input(ui: Fields) -> None:
    tab = ui.tab
    kind = KINDS[tab.kinds[0]]
    given = fields_of(first_example(tab.kinds[0]))
    ui["picture"] = Photo(
        given["picture"],
        label="Picture",
        type="filepath",
        sources=["upload", "webcam", "clipboard"],
        height=230,
        buttons=[],
        visible=kind.has_picture,
        elem_id=f"{tab.slug}-photo",
    )
    ui["picture_refusal"] = refusal_html()
    ui["text"] = gr.Textbox(
        given["text"],
        label=kind.text_label or "Text",
        lines=3,
        max_lines=10,
        placeholder="Type here.",
        visible=bool(kind.text_label),
    )
    ui["pair"] = gr.Textbox("", label="Second text", lines=3, max_lines=10, visible=False)
    ui["text_refusal"] = refusal_html()


def lay_out_examples(ui: Fields) -> None:
    """A row of buttons for each kind of input; "example/<kind>/<name>" is a button."""
    tab = ui.tab
    for kind in tab.kinds:
        with gr.Row(elem_classes="examples", visible=kind == tab.kinds[0]) as row:
            for name, example in EXAMPLES[kind].items():
                ui[f"example/{kind}/{name}"] = gr.Button(
                    name, size="sm", icon=fields_of(example)["picture"]
                )
        ui[f"examples/{kind}"] = row


def lay_out_methods(ui: Fields) -> None:
    """The menu of methods by family."""
    tab = ui.tab
    with gr.Accordion("Methods", open=True, elem_id=f"{tab.slug}-menu"):
        ui["methods_refusal"] = refusal_html()
        tokens = MODALITIES[tab.modality].tokens
        masks = ", M masks" if tab.modality == "image" else ""
        plain_html(
            hint(
                f"Cost: F forward passes, B backward passes, n {tokens}{masks}, L layers. "
                "No cost shown: at most one forward and one backward pass."
            )
        )
        for family, methods in tab.families.items():
            first = ticked(methods, tab.first)
            title = f"{family} ({len(methods)})"
            with gr.Accordion(title, open=bool(first), elem_classes="family"):
                ui[f"methods/{family}"] = gr.CheckboxGroup(
                    [(menu_title(method), method.key) for method in methods],
                    label=family,
                    show_label=False,
                    value=first,
                )


def lay_out_display(ui: Fields) -> None:
    """How maps are drawn."""
    tab = ui.tab
    has_text = bool(KINDS[tab.kinds[0]].text_label)
    with gr.Accordion("Display", open=False, elem_id=f"{tab.slug}-display"):
        ui["merge"] = gr.Checkbox(
            True,
            label="Sum sub-words into words",
            visible=has_text,
            info="In scripts without spaces, only the pieces of one character are summed.",
        )
        ui["specials"] = gr.Checkbox(False, label="Show [CLS] and [SEP]", visible=has_text)
        ui["palette"] = gr.Dropdown(
            [(words, name) for name, words in PALETTES.items()],
            value="orange-blue",
            label="Colours",
        )


# ------------------------------------------------------------------------- options of one method


def lay_out_options(ui: Fields) -> None:
    """Fields for the options of one method, made from its signature.

    The hidden field "options" keeps what was changed, of all methods.
    """
    tab = ui.tab
    with gr.Accordion("Options of a method", open=False, elem_id=f"{tab.slug}-options"):
        ui["options"] = gr.Textbox("{}", visible="hidden", elem_id=f"{tab.slug}-changed")
        ui["method_with_options"] = gr.Dropdown(
            menu_of(method for method in tab.methods if method.options),
            value=tab.method_with_options,
            label="Method",
            info="Changed options are shown beside the map and saved in the link.",
        )
        # One at a time: the tabs lay theirs out when the page opens, and Gradio counts the
        # components of a visitor while another tab adds to them.
        gr.render(
            [ui["method_with_options"], ui["options"]],
            triggers=[ui["page"].load, ui["method_with_options"].change],
            concurrency_limit=1,
            concurrency_id="options",
        )(partial(lay_out_option_fields, ui["options"]))


def lay_out_option_fields(kept, key: str, text: str) -> None:
    """The fields of the method `key`. kept: the field that holds `text`, the changed options."""
    method = ex.METHODS[key]
    chosen = read_options(text).get(key, {})
    if method.card.options:
        plain_html(f'<div class="hint">{options_html(method)}</div>')
    for name, option in method.options.items():
        field = option_field(option, chosen.get(name, option.default), f"{key} {name}")
        refusal = gr.HTML(visible=False, key=f"{key} {name} refusal", preserved_by_key=None)
        is_typed = isinstance(field, gr.Number | gr.Textbox)
        gr.on(
            [field.submit, field.blur] if is_typed else [field.input],
            by_component(
                partial(set_option, key, name), {"options": kept, "option_refusal": refusal}
            ),
            inputs_kwargs={"options": kept, "value": field},
            outputs=[kept, refusal],
            show_progress="hidden",
            api_visibility="private",
        )


def set_option(method: str, name: str, *, options: str, value: object) -> Changes:
    """The changed options with one more, or what is wrong with `value`, below its field."""
    try:
        changed = with_option(options, method, name, value)
        return {"options": {"value": changed}, "option_refusal": refusal_box()}
    except ex.Refusal as refusal:
        return {"option_refusal": refusal_box(str(refusal))}


def option_field(option, value, key: str):
    """A field for one option that shows `value`; None stands for the method's own default.

    key: the method and the option. A field that Gradio took for that of another method would go
    on showing the number of that one.
    """
    common = {
        "label": option.name.replace("_", " "),
        "interactive": True,
        "key": key,
        "preserved_by_key": None,
    }
    has_own_default = option.default is None
    shown = value
    if value is None:
        shown = DEFAULT
    if option.choices:
        choices = [*option.choices]
        if has_own_default:
            choices.insert(0, DEFAULT)
        return gr.Dropdown(choices, value=shown, **common)
    if option.kind is bool and has_own_default:
        return gr.Dropdown([DEFAULT, ("yes", True), ("no", False)], value=shown, **common)
    if option.kind is bool:
        return gr.Checkbox(bool(value), **common)
    if has_own_default:  # a number field cannot be empty: Gradio shows and sends 0
        text = str(shown).removeprefix(DEFAULT)
        return gr.Textbox(text, placeholder=DEFAULT, max_lines=1, **common)
    steps = {int: 1, float: 0.05}
    return gr.Number(value, step=steps[option.kind], **common)
