"""The right side of a tab: the prediction, and the views of its explanation."""

import gradio as gr

import explainers as ex

from ..render.method_cards import method_cards_html
from .checks import FILLS
from .fields import Fields, heatmap_html, plain_html, refusal_html
from .files import SUFFIXES
from .imagining import MOST_STEPS, NOTHING_IMAGINED
from .pieces import NOTHING_EXPLAINED, NOTHING_TESTED
from .state import FIRST_METHOD, menu_of

#: What is removed from an input, by modality.
PARTS = {"text": "words", "image": "patches"}


def lay_out_views(ui: Fields) -> None:
    """All views, one tab each; "view/<name>" is the tab of a view."""
    tab = ui.tab
    lay_out_view = {
        "compare": lay_out_comparison,
        "layers": lay_out_layers,
        "test": lay_out_test,
        "methods": lay_out_cards,
        "activation": lay_out_activation,
        "share": lay_out_share,
    }
    ui["said"] = gr.HTML(apply_default_css=False, elem_id=f"{tab.slug}-said")
    with gr.Tabs(selected="compare", elem_id=f"{tab.slug}-views") as views:
        for name in tab.views:
            view_id = f"{tab.slug}-view-{name}"
            with gr.Tab(name.capitalize(), id=name, elem_id=view_id) as view:
                lay_out_view[name](ui)
            ui[f"view/{name}"] = view
    ui["views"] = views


def lay_out_comparison(ui: Fields) -> None:
    ui["running"] = plain_html(elem_id=f"{ui.tab.slug}-running")
    ui["compared"] = heatmap_html(
        value=NOTHING_EXPLAINED, elem_id=f"{ui.tab.slug}-compared", min_height=320
    )


def lay_out_layers(ui: Fields) -> None:
    tab = ui.tab
    with gr.Row(elem_id=f"{tab.slug}-parts"):
        ui["part"] = gr.Radio(
            ["Layers", "Heads"],
            value="Layers",
            label="Show",
            min_width=160,
            scale=1,
            elem_classes="chips",
        )
        ui["layer"] = gr.Slider(
            0, 5, step=1, value=0, label="Layer", visible=False, min_width=220, scale=2
        )
    ui["layers_of"] = gr.Radio(
        menu_of(tab.with_part("Layers")), value=FIRST_METHOD, label="Method", elem_classes="chips"
    )
    ui["panel"] = heatmap_html(value=NOTHING_EXPLAINED, elem_id=f"{tab.slug}-panel", min_height=320)


def lay_out_test(ui: Fields) -> None:
    tab = ui.tab
    fills = list(FILLS[tab.modality])
    parts = PARTS[tab.modality]
    ui["fill"] = gr.Radio(
        fills,
        value=fills[0],
        label=f"Replace removed {parts} with",
        elem_classes="chips",
    )
    ui["test_refusal"] = refusal_html()
    ui["tested"] = heatmap_html(value=NOTHING_TESTED, elem_id=f"{tab.slug}-tested", min_height=240)
    with gr.Row(elem_classes="aim"):
        ui["removed_of"] = gr.Dropdown(
            [], label=f"Remove the {parts} with the highest scores in the map of", min_width=220
        )
        ui["count"] = gr.Slider(1, 10, step=1, value=1, label=f"Number of {parts}", min_width=160)
    ui["remove"] = gr.Button(f"Remove the {parts} and run the model", elem_classes="quiet")
    ui["removed"] = plain_html(elem_id=f"{tab.slug}-removed")
    ui["randomise"] = gr.Button("Run the random-weights check", elem_classes="quiet")
    ui["randomised"] = plain_html(elem_id=f"{tab.slug}-randomised")


def lay_out_cards(ui: Fields) -> None:
    """The card of every method; those that the tab does not offer say why at the end."""
    offered = ui.tab.methods
    others = [method for method in ex.METHODS.values() if method not in offered]
    gr.HTML(method_cards_html([*offered, *others], [FIRST_METHOD]), apply_default_css=False)


def lay_out_activation(ui: Fields) -> None:
    with gr.Row(elem_classes="aim"):
        ui["goal"] = gr.Radio(
            ["a class", "a unit"],
            value="a class",
            label="Maximise",
            min_width=180,
            elem_classes="chips",
        )
        ui["class_name"] = gr.Dropdown([], label="Class", min_width=180)
        ui["unit_layer"] = gr.Slider(
            0, 5, value=0, step=1, label="Layer", visible=False, min_width=140
        )
        ui["unit"] = gr.Number(
            0, label="Unit of the feed-forward part", visible=False, min_width=140
        )
        ui["unit_token"] = gr.Textbox(
            "",
            label="At one token",
            placeholder="all patches",
            max_lines=1,
            visible=False,
            min_width=140,
        )
    with gr.Row(elem_classes="aim"):
        ui["steps"] = gr.Slider(16, MOST_STEPS, value=96, step=16, label="Steps", min_width=180)
        ui["seed"] = gr.Number(0, label="Random seed", min_width=140)
    with gr.Accordion("Smoothness of the picture", open=False), gr.Row(elem_classes="aim"):
        ui["tv"] = gr.Slider(
            0, 0.5, value=0.1, step=0.01, label="Total variation (TV)", min_width=180
        )
        ui["l2"] = gr.Number(0, step=0.001, label="L2 penalty", min_width=140)
        ui["jitter"] = gr.Slider(0, 8, value=4, step=1, label="Shift (pixels)", min_width=180)
    ui["imagine"] = gr.Button("Imagine", variant="primary")
    ui["imagine_refusal"] = refusal_html()
    ui["imagined"] = plain_html(NOTHING_IMAGINED, elem_id="imagined")


def lay_out_share(ui: Fields) -> None:
    ui["link"] = gr.Textbox(
        label="A link that restores this view", interactive=False, buttons=["copy"]
    )
    ui["link_notes"] = gr.HTML(apply_default_css=False)
    ui["suffix"] = gr.Radio(
        SUFFIXES,
        value=SUFFIXES[0],
        label="A file with the numbers, the model, the target and the options",
        elem_classes="chips",
    )
    ui["write"] = gr.Button("Write the file")
    ui["file_refusal"] = refusal_html()
    ui["file"] = gr.File(label="Ready", visible=False)
