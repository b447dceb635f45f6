"""Speed and memory of an evaluation."""

import math
import random
import tempfile
import time

import torch
from timing import Peak, Row, medians

import explainers as ex
from explainers.evaluation import Example, measure
from explainers.evaluation.data import Dataset
from explainers.evaluation.runs import Plan, evaluate

LEVELS = 10
METHODS = (
    "raw_attention",
    "rollout",
    "grads",
    "attgrads",
    "partial_lrp",
    "transatt",
    "cat",
    "attcat",
)


def sentences(count: int, length: int | None = None) -> list[str]:
    """Sentences of the lengths that SST-2's dev set has, about 9 to 33 words, or all of one, none
    alike.
    """
    drawn = random.Random(0)
    words = (
        "a film that is not quite as good or bad its many loud critics say and yet the plot "
        "never slows down while actors shine in every "
        "quiet scene of this long dull tale about two brothers who lost their way home"
    )
    return [
        " ".join(drawn.choices(words.split(), k=length or round(drawn.triangular(6, 40, 18))))
        for _ in range(count)
    ]


@torch.no_grad()
def probability(model: ex.Model, ids: torch.Tensor, target: int) -> float:
    logits = model.net(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    return float(logits.softmax(-1)[0, target])


def measured_plainly(model: ex.Model, text: str, key: str) -> tuple[float, float]:
    """AOPC and log-odds of one method: the loop that everybody writes first."""
    trace = model.trace(text)
    scores, ids = ex.METHODS[key](trace), model.encode(text).tensors["input_ids"]
    words, target = (~trace.special_tokens).nonzero().flatten(), trace.target.index
    order = words[scores[words].argsort(descending=True, stable=True)]
    before, pad = probability(model, ids, target), model.tokenizer.pad_token_id
    deleted, blanked = [], []
    for level in range(1, LEVELS + 1):
        gone = order[: round(len(order) * level / LEVELS)]
        left = torch.ones(ids.shape[1], dtype=torch.bool).index_fill(0, gone, False)
        deleted.append(probability(model, ids[:, left], target))
        blanked.append(probability(model, ids.masked_fill(~left, pad), target))
    aopc = sum(before - one for one in deleted) / LEVELS
    return aopc, sum(math.log(one / before) for one in blanked) / LEVELS


def examples(texts: list[str]) -> list[Example]:
    return [Example(text, id=str(i)) for i, text in enumerate(texts)]


def evaluation() -> list[Row]:
    """`measure` against one example, method and changed input at a time; few and many examples."""
    return [*against_a_plain_loop(), *by_the_number_of_examples()]


def against_a_plain_loop() -> list[Row]:
    """Eight methods with AOPC and log-odds at ten levels; both sides must give the same numbers."""
    model, texts = ex.load("sentiment"), sentences(24)

    def plain() -> dict[tuple[int, str], tuple[float, float]]:
        found = {}
        for i, text in enumerate(texts):
            for key in METHODS:
                found[i, key] = measured_plainly(model, text, key)
        return found

    def together() -> list[dict]:
        return measure(model, examples(texts), METHODS, ["aopc", "logodds"], baselines=False)

    slow = plain()
    for record in together():
        aopc, logodds = slow[int(record["id"]), record["method"]]
        assert abs(record["aopc"] - aopc) < 1e-3, (record, aopc)
        assert abs(record["logodds"] - logodds) < 1e-3, (record, logodds)
    seconds = medians(3, plain=plain, together=together)
    what = (
        f"{len(texts)} sentences, {len(METHODS)} methods, AOPC and log-odds at ten levels: "
        "one thing at a time ÷ evaluation.measure (bundled model)"
    )
    return [(what, "≥ 8", f"{seconds['plain'] / seconds['together']:.1f}")]


def by_the_number_of_examples() -> list[Row]:
    took, memory = {}, {}
    plan = Plan("sentiment", ("attcat", "gae"), ("aopc:levels=5",))
    for count in (100, 1000):
        data = Dataset("sentences", examples(sentences(count, 20)))
        with tempfile.TemporaryDirectory() as folder, Peak() as peak:
            began = time.perf_counter()
            evaluate(data, plan, folder, quiet=True)
            took[count], memory[count] = (time.perf_counter() - began) / count, peak.mb
    return [
        (
            "evaluate: seconds per example, of 1,000 ÷ of 100 sentences of 20 words",
            "≤ 1.2",
            f"{took[1000] / took[100]:.2f}",
        ),
        (
            "evaluate: peak extra memory of 1,000 and of 100 sentences, MB",
            "equal",
            f"{memory[1000]:.0f} and {memory[100]:.0f}",
        ),
    ]
