"""For tests of the page's tabs for pictures: pictures as people have them, and maps of them."""

import numpy as np
import pytest
from browser import until
from PIL import Image

from explainers.page.examples import EXAMPLE_FOLDER

TEXTS = "a photo of a cat\na photo of a dog\na photo of a bird"


@pytest.fixture(scope="module")
def photo() -> str:
    return str(EXAMPLE_FOLDER / "coffee.jpg")


@pytest.fixture(scope="module")
def files(tmp_path_factory, photo) -> dict:
    """Pictures as people have them, and files that are none."""
    folder, coffee = tmp_path_factory.mktemp("files"), Image.open(photo)
    see_through = coffee.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(coffee.size))
    turned = Image.Exif()
    turned[274] = 6
    made = {
        "portrait.jpg": (coffee.resize((200, 400)), {}),
        "landscape.jpg": (coffee.resize((700, 200)), {}),
        "see_through.png": (see_through, {}),
        "grey.png": (coffee.convert("L"), {}),
        "cmyk.jpg": (coffee.convert("CMYK"), {}),
        "turned.jpg": (coffee, {"exif": turned}),
        "sixteen.png": (
            Image.fromarray(np.asarray(coffee.convert("L"), dtype=np.uint16) * 257),
            {},
        ),
        "dot.png": (coffee.crop((9, 9, 10, 10)), {}),
        "moving.gif": (
            coffee,
            {"save_all": True, "append_images": [coffee.rotate(90), coffee.rotate(180)]},
        ),
        "large.jpg": (coffee.resize((4000, 3000)), {"quality": 70}),
    }
    for name, (image, how) in made.items():
        image.save(folder / name, **how)
    (folder / "renamed.jpg").write_text("I am no picture.")
    (folder / "cut.jpg").write_bytes((folder / "landscape.jpg").read_bytes()[:3000])
    return {path.name: str(path) for path in folder.iterdir()}


def explained(page, tab: str = "image", maps: int = 2):
    """Wait until this many maps of the picture are there and nothing more is computed."""
    until(
        page,
        """([tab, maps]) => {
      const root = document.querySelector(`#${tab}-compared`);
      return root?.querySelectorAll('.xp-tile .xp-patches').length === maps
          && !/(computing|waiting) …/.test(root.innerText);
    }""",
        [tab, maps],
    )
    page.wait_for_timeout(150)  # a frame for the script
