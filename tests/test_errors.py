"""What other libraries say, as it stands in a sentence of ours."""

import pytest

from explainers.errors import first_line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no such file."), "no such file"),
        (ValueError("\n  first\nsecond"), "first"),
        (KeyError(), "KeyError"),
        (OSError(" \n "), "OSError"),
        (ValueError("x" * 999), "x" * 300),
    ],
)
def test_an_error_is_told_by_its_first_line_that_says_something(error, said):
    assert first_line(error) == said
