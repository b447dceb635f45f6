"""What people type: texts with nothing to see, and models that read them."""

import pytest

import explainers as ex

EMPTY = [
    "",
    " ",
    "\n\t \r\n",
    "\u200b",
    "\u200b\u200d\ufeff",
    "\x00",
    "\x00\x01\x1f\x7f",
    "\u00ad",
    "\u202e\u202c",
    "\u2060",
]


@pytest.fixture(params=["reader", "byte_reader"])
def model(request) -> ex.Model:
    """A WordPiece that lowers and strips accents, and a byte-level BPE in which a character can be
    several tokens.
    """
    return request.getfixturevalue(request.param)
