"""The page as a program: all tabs in one Gradio application, and how it is started."""

import os
from typing import Any

import gradio as gr
from gradio.events import api

from .api import explain_api
from .asking import Turn
from .events import connect
from .examples import EXAMPLE_FOLDER
from .fields import Fields
from .kinds import TABS, Tab
from .layout import (
    THEME,
    head,
    lay_out_display,
    lay_out_footer,
    lay_out_header,
    lay_out_methods,
    lay_out_options,
    lay_out_question,
)
from .links import Link
from .views import lay_out_views

PICTURES_KEPT = 3600  # seconds after which the pictures of visitors are deleted


def build() -> gr.Blocks:
    """The page: its layout and its events."""
    from transformers import logging

    logging.set_verbosity_error()
    # Served from there: copies by Gradio would be deleted like a visitor's pictures.
    gr.set_static_paths([EXAMPLE_FOLDER])
    with gr.Blocks(
        title="Explainers: why a Transformer decided",
        analytics_enabled=False,
        delete_cache=(PICTURES_KEPT, PICTURES_KEPT),
    ) as page:
        lay_out_header()
        link = gr.State(Link.read({}))
        with gr.Tabs(selected="Text", elem_id="tabs") as tabs:
            loaded = page.load(
                read_address,
                outputs=[tabs, link],
                show_progress="hidden",
                api_visibility="private",
            )
            for tab in TABS.values():
                with gr.Tab(tab.name, id=tab.name) as opened:
                    ui = lay_out_tab(tab, page=page, opened_by=link)
                    connect(ui, opened.select, loaded.then)
        lay_out_footer()
        api(explain_api, api_name="explain")
    page.queue(max_size=64, default_concurrency_limit=4)
    return page


def lay_out_tab(tab: Tab, **shared: Any) -> Fields:
    """A tab: a question on the left, the views of its answer on the right."""
    ui = Fields(tab, **shared)
    lay_out_hidden(ui)
    with gr.Row(elem_id=f"{tab.slug}-bench"):
        with gr.Column(scale=1, min_width=300, elem_id=f"{tab.slug}-left"):
            lay_out_question(ui)
            lay_out_methods(ui)
            lay_out_options(ui)
            lay_out_display(ui)
        with gr.Column(scale=3, min_width=340, elem_id=f"{tab.slug}-results"):
            lay_out_views(ui)
    return ui


def lay_out_hidden(ui: Fields) -> None:
    """The hidden components of a tab."""
    ui["turn"] = gr.State(Turn())
    ui["wanted"] = gr.State(False)  # whether a link asks for an explanation in this tab
    ui["asked"] = gr.State(None)  # the question that is answered
    # In the browser, so that it is as old as the other fields of an event: whether they are filled.
    ui["ready"] = gr.Checkbox(False, visible="hidden")
    # The fingerprint of the question that is answered; events go by its change.
    ui["shown"] = gr.Textbox(visible="hidden", elem_id=f"{ui.tab.slug}-shown")
    ui["view"] = gr.Textbox(visible=False)  # the browser fills in which view is open
    ui["address"] = gr.Textbox(visible="hidden")  # the query of the link


def read_address(request: gr.Request) -> tuple:
    """The tab that the page's address is about, and the link that it is."""
    link = Link.read(dict(request.query_params))
    return gr.Tabs(selected=link.tab.name), link


def launch(page: gr.Blocks | None = None, **settings: Any) -> None:
    """Serve the page, by default on http://127.0.0.1:7860, until the program is stopped.

    settings: further keywords of Gradio's `launch`.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    (page or build()).launch(
        theme=THEME,
        head=head(),
        footer_links=["api", "settings"],
        max_file_size="20mb",
        **settings,
    )
