"""Heatmaps of pictures to draw, and what is asked of the HTML that they become."""

import base64
import io
import re

import torch
from drawn_words import Reader
from PIL import Image

import explainers as ex

SVG = "{http://www.w3.org/2000/svg}"


def photo(width=224, height=224) -> Image.Image:
    """A picture with edges, colours and noise, so that its JPEG is as large as a photo's."""
    down, along = torch.meshgrid(
        torch.linspace(0, 6, height), torch.linspace(0, 6, width), indexing="ij"
    )
    waves = torch.stack([down.sin() * along.cos(), (down * along).sin(), (along + down).cos()], -1)
    noise = torch.randn(height, width, 3, generator=torch.Generator().manual_seed(0)) * 0.06
    return Image.fromarray(((waves / 2 + 0.5 + noise).clamp(0, 1) * 255).byte().numpy())


def heat(
    rows=3, columns=4, signed=True, before=1, scores=None, layers=None, **fields
) -> ex.Heatmap:
    """A map made by hand over a picture of 20 pixels a patch."""
    drawn = torch.randn(
        before + rows * columns,
        generator=torch.Generator().manual_seed(rows * columns),
        dtype=torch.float64,
    )
    if scores is not None:
        scores = torch.as_tensor(scores, dtype=torch.float64)
    else:
        scores = drawn if signed else drawn.abs()
    fields = {
        "method": "attcat" if signed else "gae",
        "title": "AttCAT" if signed else "GAE",
        "target": "tabby cat",
        "score": 1.5,
        "poles": ("away from tabby cat", "towards tabby cat"),
        "cost": "1F 1B",
        "model": "tiny",
        "revision": "r1",
        "picture": photo(20 * columns, 20 * rows),
    } | fields
    labels = ["[CLS]", "[DIST]"][:before] + [
        f"row {i // columns + 1}, column {i % columns + 1}" for i in range(rows * columns)
    ]
    return ex.Heatmap(
        scores,
        labels,
        special_tokens=torch.arange(len(scores)) < before,
        signed=signed,
        grid=(rows, columns),
        rows=layers,
        **fields,
    )


def layered(layers=3, rows=3, columns=4, signed=True, totals=True, **fields) -> ex.Heatmap:
    drawn = torch.randn(
        layers,
        1 + rows * columns,
        generator=torch.Generator().manual_seed(layers),
        dtype=torch.float64,
    )
    drawn = drawn if signed else drawn.abs()
    made = {"Sum": drawn.sum(0), "Rollout": drawn.cumsum(0)[-1] / 2} if totals else {}
    return heat(
        rows,
        columns,
        signed,
        scores=drawn.sum(0),
        layers=drawn,
        row_labels=[f"L{i}" for i in range(layers)],
        totals=made,
        **fields,
    )


SIGNED, UNSIGNED = heat(), heat(signed=False)


def harmless(html: str) -> Reader:
    """Nothing but known elements, no handlers, no address outside the document."""
    reader = Reader(html)
    reader.check_harmless("figure", "figcaption", "svg", "g", "rect", "title", "image", "path")
    for element in reader.elements:
        for address in re.findall(r"url\(([^)]*)\)", element.get("style", "")):
            assert address.startswith("data:image/jpeg;base64,")
    return reader


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
