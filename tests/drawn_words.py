"""Heatmaps of words to draw, and a reader of the HTML that they become."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
import torch

import explainers as ex

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)",
    "</span></td></style>",
    "&lt;b&gt; &amp; &#60;",
    "{{7*7}} ${7*7} {value}",
    "javascript:alert(1)",
    "]]>",
    "<!-- -->",
    "a\x00b\x1bc\x07",
    "line\nbreak\ttab",
    "mo\ufffevie",
    "😀👩\u200d👩\u200d👧",
    "مرحبا\u200f",
]

ALLOWED = {
    "html",
    "meta",
    "title",
    "style",
    "body",
    "div",
    "p",
    "span",
    "b",
    "i",
    "strong",
    "h3",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "dl",
    "dt",
    "dd",
    "a",
    "label",
    "input",
    "output",
}

VOID = {"meta", "input", "img", "br"}

each_hostile = pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))


class Reader(HTMLParser):
    """What a browser would be told: elements with their attributes and text.

    Raises at a tag that is not closed where it should be.
    """

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {[element['tag'] for element in self.open]}"

    def handle_starttag(self, tag, attributes):
        assert len({name for name, _ in attributes}) == len(attributes), (
            f"an attribute twice in <{tag}>"
        )
        element = {
            "tag": tag,
            "text": "",
            "parents": [one["tag"] for one in self.open],
            **dict(attributes),
        }
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1]["tag"] == tag, (
            f"</{tag}> closes {[element['tag'] for element in self.open]}"
        )
        self.open.pop()

    def handle_data(self, data):
        self.texts.append(data)
        for element in self.open:
            element["text"] += data

    def all(self, tag: str | None = None, kind: str | None = None) -> list[dict]:
        return [
            element
            for element in self.elements
            if (tag is None or element["tag"] == tag)
            and (kind is None or kind in element.get("class", "").split())
        ]

    def painted(self, tag: str | None = None) -> list[dict]:
        return [
            element
            for element in self.elements
            if "data-i" in element and (tag is None or element["tag"] == tag)
        ]

    def check_harmless(self, *also: str):
        for element in self.elements:
            assert element["tag"] in ALLOWED | set(also)
            for name, value in element.items():
                assert not name.startswith("on")
                assert name not in ("href", "src") or value.startswith(
                    ("https://", "data:image/png;base64,")
                )


def heat(scores, labels=None, **fields) -> ex.Heatmap:
    """A map made by hand: [CLS] first, [SEP] last."""
    labels = labels or [f"w{i}" for i in range(len(scores) - 2)]
    fields = {
        "method": "attcat",
        "title": "AttCAT",
        "target": "POSITIVE",
        "score": 1.5,
        "signed": True,
        "poles": ("away from POSITIVE", "towards POSITIVE"),
        "cost": "1F 1B",
        "model": "tiny",
        "revision": "r1",
    } | fields
    special_tokens = torch.tensor([True, *[False] * (len(scores) - 2), True])
    return ex.Heatmap(
        torch.tensor(scores, dtype=torch.float64),
        ["[CLS]", *labels, "[SEP]"],
        special_tokens=special_tokens,
        **fields,
    )


def layered(words: int, signed: bool = True) -> ex.Heatmap:
    rows = torch.randn(
        3, words + 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    rows = rows if signed else rows.abs()
    return heat(
        rows.sum(0).tolist(),
        signed=signed,
        rows=rows,
        row_labels=["L0", "L1", "L2"],
        totals={"Sum": rows.sum(0), "Rollout": rows.flip(0).cumsum(0)[-1]},
    )


SIGNED = heat([0.5, 0.9, -0.3, 0.0, -1.2, 0.05, 0.1])

UNSIGNED = heat([0.5, 0.9, 0.3, 0.0, 1.2, 0.05, 0.1], signed=False, method="gae", title="GAE")


def pair(scores=(0.1, 0.5, -0.4, 0.0, 0.2, 0.3, 0.05), **fields) -> ex.Heatmap:
    """[CLS] when ? [SEP] in 1894 [SEP], a question and its context; the answer is 1894."""
    one = heat(
        list(scores),
        labels=["when", "?", "[SEP]", "in", "1894"],
        text="when?\nin 1894",
        words=[None, 0, 1, None, 2, 3, None],
        spans=[None, (0, 4), (4, 5), None, (6, 8), (9, 13), None],
        segments=[None, 0, 0, None, 1, 1, None],
        halves=("question", "context"),
        **{"marked": (9, 13)} | fields,
    )
    return replace(one, special_tokens=torch.tensor([True, False, False, True, False, False, True]))
