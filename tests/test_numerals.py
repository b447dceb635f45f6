"""Numbers as a person reads them, in every view."""

import re
from dataclasses import replace

import pytest
from drawn_words import SIGNED

from explainers.numerals import readable
from explainers.render import characters, terminal
from explainers.render.heatmaps import heatmaps_html


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (0.71849, "0.718"),
        (-0.71849, "−0.718"),
        (-1.12e-5, "−0.0000112"),
        (1e-6, "0.000001"),
        (-1.2e-9, "−1.2e−09"),
        (1234.5, "1230"),
        (-999999.0, "−1000000"),
        (1.5e9, "1.5e+09"),
    ],
)
def test_a_number_has_a_minus_sign_and_an_exponent_only_far_from_one(value, said):
    assert readable(value) == said
    assert characters.number(value, signed=False) == said


def test_a_signed_number_says_plus_too():
    assert readable(0.00002, signed=True) == "+0.00002"
    assert characters.number(-0.00002) == "−0.00002"
    assert readable(0.123456, 4) == "0.1235"


def test_small_numbers_are_written_alike_on_the_page_and_in_a_terminal():
    small = replace(SIGNED, scores=SIGNED.scores * 1e-4, facts={"completeness gap": -1.12e-5})
    page, typed = heatmaps_html([small]), terminal.heatmap_text(small).plain
    for shown in (page.replace("\u00a0", " "), typed):
        assert "completeness gap −0.0000112" in shown
        assert not re.search(r"\de[-+−]\d", shown)
