"""What tests share. Nothing here needs the network; only `sentiment` needs the bundled weights."""

import os
import shutil
from pathlib import Path
from urllib.parse import urlencode

import shapes

shapes.watch()  # before anything imports the package

import hypothesis
import pytest
import torch
import transformers
from browser import FLAGS, PATIENCE, Server, foreign, missing
from laws import (  # noqa: F401  pytest finds its hooks here
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_report_header,
)
from tiny import fresh
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertTokenizer,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaTokenizer,
)

import explainers as ex

#: Modules with fixtures beside what they share.
pytest_plugins = ["asked", "command_line", "loading", "running", "typed_texts", "visiting_pictures"]

# A machine may be slow, or busy: how long an example takes is no property of the code.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

#: Whole words that the tiny tokenizer knows; everything else it spells with pieces of one letter.
WORDS = [
    "the",
    "movie",
    "was",
    "good",
    "bad",
    "boring",
    "not",
    "really",
    "did",
    "like",
    "this",
    "a",
    "film",
    "and",
    "it",
    "is",
    "some",
    "of",
    "actors",
    "were",
    "but",
    "over",
    "love",
    "hate",
    "un",
]
PIECES = ["##all", "##believ", "##able", "##ing", "##s", "##n", "##t"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MARKS = "0123456789.,!?'’\"-:;()[]/&"


@pytest.fixture(scope="session", autouse=True)
def _quiet_and_quick():
    """No progress bars. One thread, unless OMP_NUM_THREADS says otherwise.

    For models this small, sharing the work takes longer than doing it.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def word_tokenizer() -> BertTokenizer:
    """A real WordPiece tokenizer whose vocabulary fits the 200 ids of the tiny BERT."""
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *WORDS,
        *LETTERS,
        *MARKS,
        *PIECES,
        *(f"##{letter}" for letter in LETTERS),
    ]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    assert len(vocabulary) <= 200
    return BertTokenizer(vocab=vocabulary, model_max_length=64)


@pytest.fixture(scope="session")
def reader(word_tokenizer) -> ex.Model:
    """The tiny BERT with words to read: three classes, NEGATIVE, NEUTRAL and POSITIVE."""
    model = fresh("bert")
    model.net.config.id2label = {0: "NEGATIVE", 1: "NEUTRAL", 2: "POSITIVE"}
    return ex.load(model.net, tokenizer=word_tokenizer, device="cpu")


@pytest.fixture(scope="session")
def byte_reader() -> ex.Model:
    """A random RoBERTa whose tokenizer cuts text into bytes: a character can be several tokens."""
    alphabet = sorted(ByteLevel.alphabet())
    names = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "<mask>",
        *alphabet,
        "Ġt",
        "he",
        "Ġthe",
        "Ġn",
        "ot",
        "Ġnot",
    ]
    tokenizer = RobertaTokenizer(
        vocab={name: i for i, name in enumerate(names)},
        model_max_length=96,
        merges=[("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("Ġ", "n"), ("o", "t"), ("Ġn", "ot")],
    )
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(names),
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=24,
        max_position_embeddings=98,
        num_labels=2,
        initializer_range=0.4,
    )
    return ex.load(
        RobertaForSequenceClassification(config),
        tokenizer=tokenizer,
        device="cpu",
        dtype=torch.float64,
    )


@pytest.fixture
def forgetful():
    """A table of architectures that forgets what a test adds to it."""
    before = dict(ex.ANATOMIES)
    yield
    ex.ANATOMIES.clear()
    ex.ANATOMIES.update(before)


@pytest.fixture(scope="session")
def sentiment() -> ex.Model:
    """The bundled sentiment model."""
    return ex.load("sentiment", device="cpu")


@pytest.fixture(scope="session")
def vit() -> ex.Model:
    """The bundled model of pictures."""
    return ex.load("vit", device="cpu")


@pytest.fixture(scope="session")
def matcher() -> ex.Model:
    """The bundled model of a picture and texts."""
    return ex.load("image-text", device="cpu")


@pytest.fixture(scope="session")
def package() -> Path:
    return Path(ex.__file__).parent


# ---------------------------------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def chromium():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: pip install playwright")
    with sync_playwright() as playwright:
        installed = filter(
            None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
        )
        found = next(installed, playwright.chromium.executable_path)
        if not Path(found).exists():
            missing("no Chromium: install one, or run `playwright install chromium`")
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def started(tmp_path_factory):
    """The page, started once a process of the tests: that takes seconds."""
    pytest.importorskip("gradio")
    server = Server(tmp_path_factory.mktemp("server"))
    try:
        server.wait()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def server(started):
    """The page. Nothing that a module asks of it may end in a traceback."""
    before = len(started.said())
    yield started
    assert "Traceback" not in started.said()[before:]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Where screenshots go, so that a failing run can be looked at."""
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture
def visit(chromium, server):
    """Open the page. Afterwards: nothing left this machine, no error in the console, no dialog."""
    contexts, complaints = [], []

    def at_request(request) -> None:
        if foreign(request.url, server.address):
            complaints.append(f"asked {request.url}")

    def at_message(said) -> None:
        if said.type == "error":
            complaints.append(f"console: {said.text}")

    def at_dialog(dialog) -> None:
        complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def visit(
        _address: str = "", *, dark: bool = False, width: int = 1280, height: int = 900, **query
    ):
        server.check()
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            accept_downloads=True,
        )
        context.set_default_timeout(1000 * PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("request", at_request)
        page.on("console", at_message)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", at_dialog)
        query |= {"__theme": "dark"} if dark else {"__theme": "light"}
        page.goto(_address or f"{server.address}/?{urlencode(query)}")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []
