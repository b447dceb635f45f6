"""Long methods: they tell of their passes, and end when nobody waits for them."""

import time
from threading import Thread

import pytest
from asking import question, state
from tiny import example, tiny

import explainers as ex
from explainers.page import asking
from explainers.page.asking import Turn
from explainers.page.running import Running, Unwanted, progress_html, while_wanted
from explainers.trace import tell, watching

LONG = "a dull film that goes on and on " * 12


def passes_of(trace: ex.Trace, method: str, **options) -> float:
    """How many passes a method tells of."""
    told: list[float] = []
    with watching(told.append):
        ex.METHODS[method](trace, **options)
    return sum(told)


@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients", "value_zeroing"])
def test_a_method_tells_of_as_many_passes_as_its_cost_says(method):
    model, inputs = tiny("bert"), example("bert")
    trace = model.trace(inputs, 0)
    tokens = int((~trace.special_tokens).sum())
    if method == "value_zeroing":
        tokens = len(trace.special_tokens)  # it silences special tokens, too
    wanted = ex.METHODS[method].forward_passes({}, tokens, len(model.blocks))
    assert passes_of(trace, method) == pytest.approx(wanted, abs=1)  # a blank input, too


def test_the_number_of_passes_is_read_off_the_cost():
    def passes(method: str, **options):
        return ex.METHODS[method].forward_passes(options, tokens=7, layers=3)

    assert passes("attcat") == 1 and passes("occlusion", by="word") == 7
    assert passes("attattr", steps=4) == 12 and passes("vit_cx") is None


def test_a_watcher_hears_what_happens_inside_and_ends_it():
    told: list[float] = []

    def second(passes):
        if len(told) == 2:
            raise Unwanted

    tell(1)
    with watching(told.append):
        with pytest.raises(Unwanted), watching(second):
            for _ in range(9):
                tell(2)
        tell(0.5)
    tell(1)
    assert told == [2, 2, 0.5]


def test_a_step_ends_after_its_next_pass_when_nobody_waits():
    done: list[int] = []

    def steps():
        yield {"said": {"value": "one"}}
        for number in range(9):
            done.append(number)
            try:
                tell(1)
            except Exception:
                pytest.fail("an error of a method would be taken for the end")
        yield {"said": {"value": "two"}}

    found = list(while_wanted(steps(), lambda: len(done) < 3))
    assert found == [{"said": {"value": "one"}}, {}] and done == [0, 1, 2]


def test_a_function_in_a_thread_is_watched_and_gives_what_it_returns():
    told: list[float] = []

    def work(word: str) -> str:
        tell(3)
        return word

    def fail():
        raise ex.Refusal("no")

    with watching(told.append):
        running = Running(work, "done")
    assert running.result() == "done" and running.passes == 3 and told == [3]
    with pytest.raises(ex.Refusal, match="no"):
        Running(fail).result()


def test_progress_is_a_bar_where_the_end_is_known():
    assert "AttCAT: 3 of 9 passes" in progress_html("AttCAT", 3, 9)
    assert '<progress value="9" max="9">' in progress_html("AttCAT", 12, 9)
    unknown = progress_html("A & B", 3, None)
    assert "A &amp; B: 3 passes" in unknown and "<progress" not in unknown


def test_the_next_question_ends_a_running_method_and_progress_is_shown(monkeypatch):
    monkeypatch.setattr("explainers.page.running.PAUSE", 0.05)
    turn = Turn()
    first: list[dict] = []

    def ask_first():
        for changes in asking.ask(turn, state(question(text=LONG), ["occlusion"])):
            first.append(changes)

    thread = Thread(target=ask_first)
    thread.start()
    while not any("passes of the model" in str(one.get("running")) for one in first):
        assert thread.is_alive()
        time.sleep(0.01)
    second = list(asking.ask(turn, state(question(text="a dull film"), ["attcat"])))
    assert "AttCAT" in second[-1]["compared"]["value"] and turn.asked == question(
        text="a dull film"
    )
    thread.join(30)
    assert first[-1] == {}, "the older question did not get a map"
    assert second[-1]["running"]["value"] == ""


def test_no_question_waits_for_another_one_or_is_left_out():
    program = pytest.importorskip("explainers.page.program")
    config = program.build().config
    maps = set()
    for component in config["components"]:
        if str(component["props"].get("elem_id")).endswith("-compared"):
            maps.add(component["id"])
    modes = []
    for event in config["dependencies"]:
        if maps & set(event["outputs"]):
            modes.append(event["trigger_mode"])
    assert len(maps) == 3 and len(modes) > 20 and set(modes) == {"multiple"}
