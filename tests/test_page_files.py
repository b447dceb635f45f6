"""Files that the page serves, an hour later: Gradio has deleted what it copied and what visitors
gave.
"""

import re

import pytest
from browser import Server, until
from PIL import Image

browser_test = pytest.mark.browser


@pytest.fixture
def server(tmp_path):
    """A server of its own, whose copies of files are under `server.copies`."""
    one = Server(tmp_path)
    one.copies = tmp_path / "gradio"
    try:
        one.wait()
        yield one
        assert "Traceback" not in one.said()
    finally:
        one.close()


def deleted(server) -> int:
    """How many files were deleted: all that Gradio keeps for a while."""
    files = [path for path in server.copies.rglob("*") if path.is_file()]
    for path in files:
        path.unlink()
    return len(files)


@browser_test
def test_example_pictures_outlive_the_copies_that_are_deleted_after_an_hour(
    visit, server, tmp_path
):
    deleted(server)
    page = visit(kind="Picture", picture="cat", methods="raw_attention")
    page.locator("#image-compared .xp-tiles").first.wait_for()
    widths = page.evaluate(
        "[...document.querySelectorAll('.examples img')].map(icon => icon.complete && "
        "icon.naturalWidth)"
    )
    assert len(widths) >= 4 and all(widths)
    deleted(server)
    page.get_by_role("button", name="a rocket").first.click()
    until(page, "() => new URLSearchParams(location.search).get('picture') === 'rocket'")
    assert page.locator("#image-photo img").evaluate("photo => photo.naturalWidth") > 0
    deleted(server)
    page.locator("#image-left").get_by_role("checkbox", name="AttCAT").check()
    until(page, "() => document.querySelectorAll('#image-compared .xp-tile').length === 3")

    own = tmp_path / "mine.png"
    page.locator("#image-photo").get_by_role(
        "button", name=re.compile("Clear|Remove")
    ).first.click()
    Image.linear_gradient("L").save(own)
    page.locator("#image-photo input[type=file]").set_input_files(own)
    until(page, "() => new URLSearchParams(location.search).get('own')")
    assert deleted(server) > 0
    page.locator("#image-left").get_by_role("checkbox", name="AttCAT").uncheck()
    said = page.locator("#image-left .refusal:visible")
    said.wait_for()
    assert "no longer here" in said.inner_text() and str(server.copies) not in said.inner_text()
