"""render/trials.py and the page's Test view: what is drawn is what was measured, and it can be
read.
"""

import re
from html import unescape

import pytest
import torch
from asking import question
from browser import until

import explainers as ex
from explainers import evaluation
from explainers.page import checks
from explainers.page.examples import EXAMPLE_FOLDER
from explainers.page.kinds import TABS
from explainers.render import probability_plots, trials

TEXT = "The plot is dull, but the acting is unbelievably good."


def plain(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", html)))


# ------------------------------------------------------------------------------------------ drawing


def test_curves_are_drawn_where_they_are():
    html = probability_plots.curves_html(
        [
            probability_plots.Plot(
                "Taken out", {"A": [1, 0.5, 0.25]}, [0.5] * 3, [0.75] * 3, [0.6] * 3
            )
        ],
        [0, 0.5, 1],
        "words",
        "<b>POSITIVE",
    )
    assert (
        'data-k="0" points="0,0 50,50 100,75"' in html
        and 'points="0,50 50,50 100,50 100,25 50,25 0,25"' in html
    )
    below = probability_plots.curves_html(
        [probability_plots.Plot("Taken out", {"A": [-1, 0, 1]}, [0] * 3, [0] * 3, [0] * 3)],
        [0, 0.5, 1],
        "words",
        "A − B",
    )
    assert 'points="0,100 50,50 100,0"' in below and "−100" in below, (
        "a difference of probabilities can be negative"
    )
    assert (
        "<b>POSITIVE" not in html.replace("<b>&lt;b&gt;POSITIVE", "")
        and "A from 100% to 25%, half way 50%" in html
    )


def test_the_best_number_of_a_column_is_marked_and_chance_never_is():
    rows = {
        "A": {"deletion": 0.3, "insertion": float("nan")},
        "B": {"deletion": 0.2, "insertion": 0.4},
    }
    columns = {"deletion": ("Deletion", "lower"), "insertion": ("Insertion", "higher")}
    best = lambda html: re.findall(r"<b>([^<]+)</b> <span class=\"xp-tick\">best", html)
    html = probability_plots.measures_html(
        rows, columns, {"Random": {"deletion": 0.3, "insertion": 0.3}}, "Of these."
    )
    assert best(html) == ["0.2", "0.4"] and "beats the random orders" not in html
    assert "not a number" in html and "One example is not evidence" in html
    html = probability_plots.measures_html(
        rows, columns, {"Random": {"deletion": 0.1, "insertion": 0.3}}, "Of these."
    )
    assert best(html) == ["0.4"] and "No map here beats the random orders in Deletion." in html, (
        "what is worse than chance is not best"
    )
    html = probability_plots.measures_html(
        rows, columns, {"Random": {"deletion": 0.2, "insertion": 0.9}}, "Of <this>."
    )
    assert (
        best(html) == []
        and "the random orders in Deletion, Insertion." in html
        and "Of &lt;this&gt;." in html
    )


def test_a_matrix_shows_sign_size_and_what_is_not_a_number():
    html = trials.matrix_html(
        ["A", "B"], [[1.0, -0.25], [float("nan"), 1.0]], "Agree?", "In words."
    )
    assert (
        '<td class="neg" style="--a:0.25">−0.25</td>' in html
        and ">none<" in html
        and html.count('scope="col"') == 2
    )


@pytest.mark.parametrize("count", [1, 3])
def test_what_was_taken_out_is_struck_through(sentiment, count):
    case = evaluation.case_of(sentiment, TEXT)
    heat = case.heat("attcat")
    left = evaluation.without_top(case, heat, count)
    html = trials.without_html(heat, left)
    merged = heat.merged().without_specials()
    first = [merged.labels[i] for i in merged.scores.argsort(descending=True, stable=True)[:count]]
    assert (
        sorted(re.findall("<s>([^<]+)</s>", html)) == sorted(first) and f"{left.after:.1%}" in html
    )
    assert plain(html.partition("xp-prose")[2]).replace(" ", "").endswith(TEXT.replace(" ", ""))


def test_taking_out_is_what_the_model_says_without_it(sentiment):
    case = evaluation.case_of(sentiment, TEXT)
    left = evaluation.without_top(case, case.heat("attcat"), 1)
    inputs = dict(case.coded.tensors)
    inputs["input_ids"] = inputs["input_ids"].masked_fill(
        ~left.keep, sentiment.tokenizer.pad_token_id
    )
    with torch.no_grad():
        said = sentiment.net(**inputs).logits.softmax(-1)[0]
    assert left.after == pytest.approx(float(said[case.explained]), abs=1e-6)
    assert left.says == (sentiment.labels[int(said.argmax())], pytest.approx(float(said.max())))
    with pytest.raises(ex.Refusal, match="At least one"):
        evaluation.without_top(case, case.heat("attcat"), 0)
    everything = evaluation.without_top(case, case.heat("attcat"), 10**6)
    assert int(everything.keep[case.words].sum()) == 1, "nothing can be said of nothing"
    with pytest.raises(
        ex.Refusal,
        match="Nothing can be removed: the input is a single word, and at least one must stay",
    ):
        evaluation.without_top(alone := evaluation.case_of(sentiment, "good"), alone.heat("attcat"))


def test_covered_patches_are_named_by_row_and_column(vit):
    case = evaluation.case_of(vit, str(EXAMPLE_FOLDER / "coffee.jpg"))
    heat = case.heat("occlusion")
    left = evaluation.without_top(case, heat, 2)
    html = trials.without_html(heat, left)
    columns = heat.grid[1]
    top = heat.patches.flatten().argsort(descending=True)[:2].tolist()
    assert (
        all(f"row {i // columns + 1}, column {i % columns + 1}" in html for i in top)
        and "<img" in html
    )
    assert (
        "4 equal steps, grey in place of removed parts, a blur in place of parts that"
        in evaluation.curves(case, [heat], levels=4, orders=2).html()
    )
    one = evaluation.without_top(case, heat, 1, "mean")
    assert one.before - one.after != 0


def test_curves_and_agreement_draw_themselves(sentiment):
    case = evaluation.case_of(sentiment, TEXT)
    curves = evaluation.curves(case, ["attcat", "gae:start=2"], orders=3)
    html = curves._repr_html_()
    assert (
        "<style>" in html and html.count('scope="row"') == 3 and "Random order, mean of 3" in html
    )
    assert (
        "these curves: 10 equal steps, nothing in place of removed parts, nothing in place of "
        "parts that are not added yet." in html
    )
    more = curves.joined(evaluation.curves(case, ["rollout"], orders=0))
    assert (
        list(more.titles) == ["attcat", "gae:start=2", "rollout"]
        and more.band.keys() == curves.band.keys()
    )
    both = evaluation.agreement([case.heat("attcat"), case.heat("gae")])._repr_html_()
    assert (
        both.count('scope="row"') == 4
        and "AttCAT" in both
        and "<style>" in both
        and "5 highest tokens" in both
    )


# ----------------------------------------------------------------------------------------- the page


SENTENCE = question(text=TEXT)


def steps_of_test(asked, fill: str = "[PAD]", methods=("attcat",), view: str = "test") -> list:
    """Everything that the view "Test" of the tab for texts shows, step by step."""
    chosen = {"view": view, "fill": fill, "options": "{}", "methods/all": list(methods)}
    return list(checks.check_maps(TABS["Text"], asked=asked, **chosen))


def test_maps_are_tried_cheap_tests_first(sentiment):
    steps = [step["tested"]["value"] for step in steps_of_test(SENTENCE, methods=["attcat", "gae"])]
    assert "Do the maps agree?" in steps[0] and "xp-plot" not in steps[0]
    rows = [step.partition("Do the maps agree")[0].count('scope="row"') for step in steps[1:]]
    assert rows == [2, 3]
    case = evaluation.case_of(sentiment, TEXT)
    for method in ("attcat", "gae"):
        number = evaluation.METRICS["aopc"].measure(case, case.heat(method), fill="pad")
        assert trials.number(number, False) in plain(steps[-1])
    assert "AttCAT" in steps[-1] and "Random order, mean of 8" in steps[-1]


@pytest.mark.parametrize(
    ("asked", "fill", "says"),
    [
        (question(), "[PAD]", "empty"),
        (
            question("Question", "Who sleeps?", pair="A man sleeps."),
            "nothing (delete them)",
            "Deleting tokens would move the positions",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_tested_is_a_sentence(asked, fill, says):
    last = steps_of_test(asked, fill)[-1]
    assert says in plain(last["test_refusal"]["value"])
    assert "Nothing tested yet" in last["tested"]["value"]


def test_questions_and_differences_are_tested_too():
    for asked in (
        question("Question", "Who sleeps?", pair="A man sleeps."),
        question(text=TEXT, versus="NEGATIVE"),
    ):
        first, *_, last = steps_of_test(asked, "[MASK]")
        assert not first["test_refusal"]["value"] and "xp-plot" in last["tested"]["value"]


def test_nothing_is_tried_unseen():
    assert steps_of_test(SENTENCE, view="compare") == [{}]
    assert steps_of_test(None) == [{}]


def test_random_weights_leave_less_of_a_map(sentiment):
    methods = {"methods/all": ["attcat", "raw_attention", "integrated_gradients"]}
    *_, last = checks.randomise_weights(asked=SENTENCE, options="{}", **methods)
    html = last["randomised"]["value"]
    assert html.count('scope="row"') == 2, "methods of many passes are not run nine times"
    assert plain(html).count("block") == 6 and "embeddings" in html
    last = float(re.findall(r"--a:([\d.]+)", html.partition("AttCAT")[2].partition("</tr>")[0])[-1])
    assert last < 0.9


browser_test = pytest.mark.browser


@browser_test
@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 1280), (False, 390)])
def test_the_test_view(visit, pictures, dark, width):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(text=TEXT, methods="attcat,gae", view="test", dark=dark, width=width)
    until(
        page, "() => document.querySelectorAll('#text-tested .xp-measures tbody tr').length === 3"
    )
    until(
        page,
        "() => document.querySelector('#text-tested').innerText.includes('Do the maps agree?')",
    )
    page.get_by_role("button", name="Remove the words and run the model").click()
    until(page, "() => document.querySelector('#text-removed s')?.textContent === 'good'")
    page.get_by_role("button", name=re.compile("random-weights")).click()
    until(
        page, "() => document.querySelector('#text-randomised')?.innerText.includes('embeddings')"
    )
    page.screenshot(
        path=pictures / f"test_{'dark' if dark else 'light'}_{width}.png", full_page=True
    )
    serious = [
        one["id"]
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    if width > 1000:
        page.locator("#text-tested .xp-measures tr[data-k='1']").hover()
        assert page.locator("#text-tested polyline.xp-faint").count() == 2
        page.get_by_role("radio", name="nothing (delete them)").check()
        until(
            page,
            "() => document.querySelectorAll('#text-tested .xp-measures tbody tr').length === 3",
        )


@browser_test
def test_a_new_question_is_tested_anew_while_the_view_is_open(visit, pictures):
    page = visit(kind="Picture", picture="cat", methods="attcat,gae", view="test")
    until(
        page, "() => document.querySelectorAll('#image-tested .xp-measures tbody tr').length === 3"
    )
    page.get_by_role("button", name="a rocket").click()
    until(
        page,
        "() => !document.querySelector('#image-tested').innerText.includes('golden retriever') && "
        "document.querySelectorAll('#image-tested .xp-measures tbody tr').length === 3",
    )
    page.get_by_role("button", name="Remove the patches and run the model").click()
    until(page, "() => document.querySelector('#image-removed img')")
    page.screenshot(path=pictures / "test_image.png", full_page=True)


@pytest.mark.parametrize(
    ("value", "cell"),
    [(-0.001, ">0.00<"), (0.0, ">0.00<"), (0.004, ">0.00<"), (-0.006, ">−0.01<"), (-1, ">−1.00<")],
)
def test_a_correlation_that_is_shown_as_zero_has_no_sign(value, cell):
    html = trials.correlation_cell(value)
    assert cell in html and ("neg" in html) == ("−" in html)
