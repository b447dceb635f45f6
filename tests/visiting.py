"""For tests of the page in a browser: what a visitor does, and what is shown then."""

import pytest
from asking import question
from browser import SHOWN, until

import explainers as ex
from explainers.render import tokens
from explainers.render.characters import isolated, visible

TEXT = "The plot is dull, but the acting is unbelievably good."

# methods of one pass, in the page's order: signed, unsigned, unsigned
QUICK = "attcat,raw_attention,gae"

HOSTILE = "<script>alert(1)</script> good <img src=x onerror=alert(2)>"

SENTENCE = question(text=TEXT)


browser_test = pytest.mark.browser


def heats(model, text, methods=QUICK, target=None) -> list:
    return [tokens.view(one) for one in ex.compare(model, text, methods.split(","), target)]


def words_of(heat) -> list[str]:
    return [visible(label) for label in heat.labels]


def settled(page, words: list[str] | None = None, target: str = "") -> dict:
    """Wait until every method is there, for these words and this legend; what is shown then."""
    until(
        page,
        """([words, target]) => {
      const root = document.querySelector('#text-compared');
      if (!root) return false;
      const seen = [...root.querySelectorAll('.xp > .xp-prose [data-i]')]
          .map(cell => cell.textContent);
      return seen.length && !root.innerText.includes('computing …')
          && (!words || JSON.stringify(words) === JSON.stringify(seen))
        && root.querySelector('.xp-legend').innerText.includes(target);
    }""",
        [words, target],
    )
    page.wait_for_timeout(150)  # a frame for the script that adds tab stops
    return page.evaluate(SHOWN)


def strips(page, count: int):
    """Wait until a long text is explained by `count` methods."""
    until(
        page,
        """count => document.querySelectorAll('#text-compared .xp-strip').length === count
      && !document.querySelector('#text-compared').innerText.includes('computing …')""",
        count,
    )


def explain(page, text: str):
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Explain", exact=True).click()


def choose(page, menu: str, option: str):
    page.get_by_role("combobox", name=menu, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()
    until(page, "() => !document.querySelector('[role=option]')")


def tab(page, name: str):
    page.get_by_role("tab", name=name, exact=True).click()
    until(
        page,
        "name => document.querySelector('#text-views "
        "[role=tab][aria-selected=true]').textContent.trim() === name",
        name,
    )


def refusal(page, says: str = "") -> object:
    found = page.locator(".refusal:visible")
    found.wait_for()
    until(
        page,
        """says => [...document.querySelectorAll('.refusal')].some(
      one => one.checkVisibility() && one.innerText.includes(says))""",
        says,
    )
    assert found.count() == 1
    return found


def value(tip: str) -> float:
    return float(tip.rpartition("  ")[2].replace("−", "-"))


def check_numbers(tips: list[str], scores):
    assert [value(tip) for tip in tips] == pytest.approx(scores.tolist(), rel=6e-3, abs=1e-5)


def check_rows(shown: dict, expected: list):
    """Every row stands over the same words in order, with the library's numbers and signs."""
    words = words_of(expected[0])
    assert [cell["text"] for cell in shown["words"]] == words
    assert shown["columns"][-len(words) :] == words
    assert [row["name"] for row in shown["rows"]] == [heat.title for heat in expected]
    check_numbers([cell["tip"] for cell in shown["words"]], expected[0].scores)
    for row, heat in zip(shown["rows"], expected):
        assert [cell["i"] for cell in row["cells"]] == list(range(len(words)))
        assert [cell["tip"].rpartition("  ")[0] for cell in row["cells"]] == [
            isolated(word[:40]) for word in words
        ]
        check_numbers([cell["tip"] for cell in row["cells"]], heat.scores)
        for cell in row["cells"]:
            kinds, score = cell["kind"].split(), value(cell["tip"])
            assert ("pos" in kinds, "neg" in kinds) == (
                heat.signed and score > 0,
                heat.signed and score < 0,
            )
