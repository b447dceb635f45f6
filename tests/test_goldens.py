"""The methods' numbers against their authors' own code, on tiny fixed models.

See goldens/README.md.
"""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from tiny import GOLDENS, INPUTS, close, example, records, tiny

from explainers.methods import METHODS
from explainers.scores import Span
from explainers.tasks.answers import AnswerTarget

PRECISIONS = {torch.float64: 1e-6, torch.float32: 1e-4}
RECORDS = records()
PATHS = [one for one in RECORDS if one["name"] == "ig_embeddings_gausslegendre_50"]
SPANS = [one for one in RECORDS if "span" in one]
ON_METHODS = [one for one in RECORDS if one["method"] in METHODS and one not in PATHS + SPANS]

each_precision = pytest.mark.parametrize("dtype", PRECISIONS, ids=["float64", "float32"])


def named(records_: list[dict]):
    names = [f"{one['model']}-{one['name']}-{one['class']}".replace(" ", "_") for one in records_]
    return pytest.mark.parametrize("record", records_, ids=names)


@cache
def golden_trace(model: str, target, dtype: torch.dtype, padded: bool = False):
    """The fixed input, its first and last token marked special as [CLS] and [SEP]: bare ids do not
    say so.
    """
    inputs = example(model, dtype)
    if padded:
        ids = torch.nn.functional.pad(inputs["input_ids"], (0, 4))
        inputs = {"input_ids": ids, "attention_mask": (torch.arange(16) < 12).long()[None]}
    trace = tiny(model, dtype).trace(inputs, target)
    if trace.grid:
        return trace
    special_tokens = torch.zeros(len(trace.attended), dtype=torch.bool)
    special_tokens[0] = special_tokens[int(trace.attended.sum()) - 1] = True
    return replace(trace, special_tokens=special_tokens)


def seen_as(record: dict, scores: torch.Tensor) -> torch.Tensor:
    """The view of the scores that the authors print."""
    scores = scores[1:] if record.get("tokens") == "not the first" else scores
    return {
        None: lambda: scores,
        "absolute": lambda: scores.abs(),
        "divided by its largest": lambda: scores / scores.max(),
    }[record.get("view")]()


@each_precision
@named(ON_METHODS)
def test_scores_are_the_authors_own(record, dtype):
    trace = golden_trace(
        record["model"], record["class"] or 0, dtype, record.get("input") == "padded"
    )
    method = METHODS[record["method"]]
    if "layer" in record:
        scores = method.layers(trace, **record["options"])[record["layer"]]
    elif record.get("layers"):
        scores = method.layers(trace, **record["options"])
    else:
        scores = method(trace, **record["options"])
    close(seen_as(record, scores), record["scores"], PRECISIONS[dtype])


@each_precision
@named([one for one in RECORDS if one["method"] == "logits"])
def test_logits_are_the_authors_own_with_and_without_specials(record, dtype):
    model, inputs = tiny(record["model"], dtype), example("bert", dtype)
    if record["options"]:
        inputs = model.hide(inputs, torch.tensor([True, *[False] * 10, True]))
    answer = model.answer(inputs)
    if answer.token_logits is None:
        close(answer.class_logits[0], record["scores"], PRECISIONS[dtype])
    else:  # the authors' rows are start and end; a hidden token is no candidate here
        seen = answer.token_logits[0].isfinite().all(-1)
        close(
            answer.token_logits[0, seen],
            torch.tensor(record["scores"], dtype=torch.float64).T[seen],
            PRECISIONS[dtype],
        )


@each_precision
@named(SPANS)
@pytest.mark.parametrize("custom", [False, True], ids=["span", "function"])
def test_answer_spans_are_the_authors_own(record, dtype, custom):
    start, end = record["span"]

    def answer(outputs):
        ends = [
            logits[:, index]
            for logits, index in ((outputs.start_logits, start), (outputs.end_logits, end))
            if index is not None
        ]
        return sum(ends)

    terms = tuple(
        (index, column, 1.0) for column, index in enumerate((start, end)) if index is not None
    )
    trace = tiny(record["model"], dtype).trace(
        example("bert"), answer if custom else Span(terms, "the authors' span")
    )
    assert custom or (trace.read_at, trace.target.columns(0)) == (
        sorted({place for place, _, _ in terms}),
        list(terms),
    )
    special_tokens = torch.zeros(12, dtype=torch.bool)
    special_tokens[0] = special_tokens[-1] = True
    close(
        METHODS["attcat"](replace(trace, special_tokens=special_tokens), **record["options"]),
        record["scores"],
        PRECISIONS[dtype],
    )


@each_precision
def test_the_authors_ends_are_the_predicted_ones_and_start_and_end_add_up_to_the_answer(dtype):
    inputs = example("bert")  # without segments: an answer may lie at any token
    everywhere = (True,) * inputs["input_ids"].shape[1]
    asked = {
        part: AnswerTarget(everywhere, "{}-{}".format, part) for part in ("start", "end", "answer")
    }
    trace = {part: tiny("bert-qa-2label", dtype).trace(inputs, one) for part, one in asked.items()}
    assert (trace["start"].read_at, trace["end"].read_at, trace["answer"].read_at) == (
        [7],
        [9],
        [7, 9],
    )
    scores = {part: METHODS["attcat"](one) for part, one in trace.items()}
    close(scores["start"] + scores["end"], scores["answer"], PRECISIONS[dtype])
    wanted = next(one for one in RECORDS if one["name"] == "qa_attcat@allmask1")
    close(scores["answer"], wanted["scores"], PRECISIONS[dtype])


@each_precision
def test_product_is_the_layers_multiplied_as_in_the_authors_notebook(dtype):
    for record in RECORDS:
        if record["name"] == "attcat_perlayer":
            trace = golden_trace(record["model"], record["class"], dtype)
            wanted = torch.tensor(record["scores"], dtype=torch.float64).prod(0)
            close(
                METHODS["attcat"](trace, aggregate="product"), wanted, 10 * PRECISIONS[dtype]
            )  # an error a factor


@each_precision
@named(PATHS)
def test_a_path_of_entries_gives_captums_integrated_gradients(record, dtype):
    """Of a picture too, by the passes that the method is made of: the blank's embedded patches are
    where the path begins.
    """
    trace = golden_trace(record["model"], record["class"], dtype)
    start = trace.again(
        inputs={"pixel_values": torch.zeros_like(INPUTS["pixel_values"], dtype=dtype)}
    ).hidden[0]
    way = trace.hidden[0] - start
    nodes, weights = (
        torch.as_tensor(values).to(dtype) for values in np.polynomial.legendre.leggauss(50)
    )
    path = trace.again_many(
        entry=lambda _: start + (nodes[:, None, None] + 1) / 2 * way, record=("hidden",)
    )
    mean = sum(weight / 2 * step.grad.hidden[0] for weight, step in zip(weights, path))
    close((way * mean).sum(-1), record["scores"], PRECISIONS[dtype])


def test_every_method_with_published_numbers_is_covered():
    covered = {one["method"] for one in RECORDS}
    for others in ("decomposition.json", "vision.json"):
        covered |= {one["method"] for one in json.loads((GOLDENS / others).read_text())}
    without = {
        "occlusion",
        "vit_cx",
        "smoothgrad",
    } - covered  # slow_twins.py; recorded masks and noise: test_vision_goldens.py
    assert covered - {"logits", "mixing_ratios"} == set(METHODS) - without


def test_an_all_zero_golden_is_among_them():
    """Attention Grad-CAM of the tiny BERT's class 0: a map that must be exactly zero, not nearly
    so.
    """
    assert any(not any(one["scores"]) for one in RECORDS if one["method"] == "attn_gradcam")
