"""“As the model sees it” is what it sees: the pixels that it gets, not a sharper photo."""

import io
import re
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image
from visiting_pictures import explained

import explainers as ex
from explainers.page.examples import EXAMPLE_FOLDER
from explainers.render import heatmaps


def levels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"), dtype=float)


def shown(html: str) -> Image.Image:
    """The picture of the tile that is called so."""
    (tile,) = re.findall(r'<div class="xp-photo xp-plain"[^>]*>', html)
    assert 'aria-label="the picture as the model sees it"' in tile
    return Image.open(io.BytesIO(b64decode(re.search(r"base64,([^)]*)\)", tile)[1])))


def test_a_map_carries_the_pixels_that_the_model_gets(vit):
    coded = vit.encode(ex.photo("coffee"))
    got = vit.rgb(coded.tensors["pixel_values"][0]).permute(1, 2, 0) * 255
    for one in (coded, ex.explain(vit, coded, "attcat")):
        assert one.seen.size == (64, 64) and one.picture.size > (64, 64)
        assert np.abs(levels(one.seen) - got.numpy()).max() <= 0.51
    pixels = coded.tensors["pixel_values"]
    alone = vit.encode({"pixel_values": pixels[..., :60]})  # four columns fill no patch
    assert alone.seen.size == (56, 64)
    assert np.array_equal(levels(alone.seen), levels(coded.seen)[:, :56])


def test_what_is_called_so_in_html_is_the_pixels_and_not_the_sharp_photo(vit):
    heat = ex.explain(vit, ex.photo("cat"), "attcat")
    for html, off in ((heat.html(), 3), (heat.html(brief=True), 8), (heatmaps.document([heat]), 3)):
        picture = shown(html)
        assert picture.size == (64, 64) and np.abs(levels(picture) - levels(heat.seen)).mean() < off
        assert "64 × 64 pixels" in html
    sharp = np.abs(levels(heat.picture) - levels(heat.seen.resize(heat.picture.size, 0))).mean()
    assert sharp > 2 * np.abs(levels(shown(heat.html())) - levels(heat.seen)).mean()


def test_a_map_that_came_without_them_does_not_say_so(vit):
    heat = ex.explain(vit, ex.photo("cat"), "attcat")
    old = ex.Heatmap(
        heat.scores,
        heat.labels,
        "attcat",
        "AttCAT",
        "a",
        1.0,
        True,
        heat.special_tokens,
        grid=heat.grid,
        picture=heat.picture,
    )
    assert "as the model sees it" in heat.html() and "as the model sees it" not in old.html()


@pytest.mark.browser
def test_on_the_page_it_is_squares_of_one_colour_each(visit, vit):
    """A screenshot of the tile against the pixels, enlarged without smoothing."""
    page = visit(kind="Picture", picture="cat", methods="attcat,raw_attention")
    explained(page)
    tile = page.locator("#image-compared .xp-plain")
    assert tile.get_attribute("aria-label") == "the picture as the model sees it"
    assert "64 × 64 pixels" in page.locator("#image-compared .xp-tile").first.inner_text()
    drawn = Image.open(io.BytesIO(tile.screenshot()))
    coded = vit.encode(EXAMPLE_FOLDER / "cat.jpg")
    near, smooth = (levels(coded.seen.resize(drawn.size, how)) for how in (0, 2))
    middle = slice(drawn.height // 8, -drawn.height // 8)  # its corners are round
    off = [np.abs(levels(drawn) - one)[middle, middle].mean() for one in (near, smooth)]
    assert off[0] < 5 and off[0] < 0.7 * off[1], off
