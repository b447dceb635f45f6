"""What other libraries say, as it stands in a sentence of ours, and names that are nearly right."""

import pytest

from explainers.errors import first_line, nearest


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


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("atcat", "There is no method 'atcat'; did you mean 'AttCAT'? (AttCAT, GAE)"),
        ("ATCAT", "There is no method 'ATCAT'; did you mean 'AttCAT'? (AttCAT, GAE)"),
        ("zzz", "There is no method 'zzz'; there are AttCAT, GAE."),
        ("z" * 61, f"There is no method '{'z' * 60}'; there are AttCAT, GAE."),
    ],
)
def test_the_nearest_name_is_found_in_upper_and_lower_case_alike(given, said):
    assert str(nearest(given, ["AttCAT", "GAE"], "method")) == said


def test_a_refusal_lists_thirty_names():
    names = [f"n{number}" for number in range(32)]
    said = str(nearest("zzz", names, "name"))
    assert said.endswith("n28, n29, ... 2 more.")
    assert str(nearest("zzz", names[:30], "name")).endswith("n28, n29.")
