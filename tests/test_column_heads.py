"""Heads of columns are written upwards, and a thumb in them still points where it points in the
text: looked at in pixels.
"""

import io

import numpy as np
import pytest
import torch
from browser import missing
from PIL import Image, ImageChops

from explainers.render.cards import column_head
from explainers.render.maps import token_map
from explainers.render.trials import matrix_html

UP, DOWN = "👍", "👎"


def test_pictograms_are_set_apart_whole():
    assert column_head("a<b") == "a&lt;b"
    for one in (UP, "👎🏽", "👩‍👩‍👧", "🇫🇷", "❤️", "↓", "☝️"):
        assert column_head(f"so {one}!") == f'so <span class="xp-upright">{one}</span>!'
    assert column_head(UP + DOWN).count("xp-upright") == 2
    assert "xp-upright" not in column_head("映画 هذا é × − ␣")


def drawn(locator) -> np.ndarray:
    """What is drawn there, cut to its edges, 32 x 32."""
    picture = Image.open(io.BytesIO(locator.screenshot())).convert("RGB")
    box = ImageChops.difference(
        picture, Image.new("RGB", picture.size, picture.getpixel((0, 0)))
    ).getbbox()
    return np.asarray(picture.crop(box).resize((32, 32)), dtype=float)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_thumb_in_a_head_points_where_it_points_in_the_text(chromium, sentiment, scheme):
    from explainers import compare

    tables = [
        compare(sentiment, f"I love it {UP} not {DOWN}", ["attcat", "raw_attention"]).html(
            layers="all"
        ),
        token_map([UP, DOWN], torch.eye(2)),
        matrix_html([UP, DOWN], [[1, 0], [0, 1]], "", ""),
    ]
    page = chromium.new_page(
        color_scheme=scheme, viewport={"width": 900, "height": 900}, device_scale_factor=2
    )
    for html in tables:
        page.set_content(
            f"<body>{html}<p class='xp'><span id='up'>{UP}</span> <span id='down'>{DOWN}</span></p>"
        )
        up, down = drawn(page.locator("#up")), drawn(page.locator("#down"))
        if apart(up, down) < 5:
            missing("no font with emoji")
        heads = (
            page.locator("thead th span").filter(has_text=UP).filter(has_not=page.locator("span"))
        )
        assert (
            heads.count()
            == page.locator("thead th span")
            .filter(has_text=DOWN)
            .filter(has_not=page.locator("span"))
            .count()
            >= 1
        )
        for head in heads.all():
            assert apart(drawn(head), up) < apart(drawn(head), down) / 2
            assert apart(drawn(head), up) < apart(drawn(head), np.rot90(up, 2)) / 2
    page.close()
