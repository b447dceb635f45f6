"""Records of authors of relevance, decomposition and perturbation, and ours of the same inputs."""

import json
from dataclasses import replace
from functools import cache

import torch
from tiny import GOLDENS, example, fresh

import explainers as ex
from explainers.methods._chain import products
from explainers.methods.optimus import drops, views, weights

RECORDS = json.loads((GOLDENS / "decomposition.json").read_text())


def named(record: dict) -> str:
    return f"{record['model']}-{record['name']}-{record['class']}".replace(" ", "_")


@cache
def with_unknown(name: str, dtype: torch.dtype) -> ex.Model:
    """The tiny model, told that id 100 stands for an unknown word: Optimus takes words away with
    it.
    """
    model = fresh(name, dtype)
    model.net.config.unk_token_id = 100
    return model


@cache
def traced(name: str, target, dtype: torch.dtype, padded: bool = False):
    """The fixed input, its first and last token marked special as [CLS] and [SEP]: bare ids do not
    say so.
    """
    inputs = example(name, dtype)
    if padded:
        inputs = {
            "input_ids": torch.nn.functional.pad(inputs["input_ids"], (0, 4)),
            "attention_mask": (torch.arange(16) < 12).long()[None],
        }
    trace = with_unknown(name, dtype).trace(inputs, target)
    special_tokens = ~trace.attended.clone()
    special_tokens[0] = True
    if name != "vit":
        special_tokens[11:] = True
    return replace(trace, special_tokens=special_tokens)


def rows_of(trace, matrix: str) -> list[torch.Tensor]:
    """The rows that Optimus reads, in its order, at the words alone and as they come."""
    attention = weights(trace, matrix)
    heads = [attention.mean(1), *attention.unbind(1)]
    rows = []
    for layer in ["mean", *["product"] * (matrix == "A"), *range(len(attention))]:
        for maps in heads:
            whole = {"mean": lambda maps: maps.mean(0), "product": lambda maps: products(maps)[-1]}
            map_ = whole[layer](maps) if layer in whole else maps[layer]
            rows += [scores[~trace.special_tokens] for scores in views(trace, map_).values()]
    return rows


def ranks(row: torch.Tensor, share: float) -> torch.Tensor:
    """The authors' ranks: how many words are as large as this one, or larger.

    share: by how much a word may be smaller and yet be as large, as ties.py says.
    """
    size = row.abs()
    reach = share * size + share / 10 * size.max()
    return (size[None, :] >= (size - reach)[:, None]).sum(1)


def truthfulness(row: torch.Tensor, lost: torch.Tensor, rank: torch.Tensor) -> float:
    """The authors' formula, for a row without a zero."""
    return float((lost * row.sign() / rank).sum())


@cache
def faithfulness(number: int, dtype: torch.dtype) -> tuple[list[float], list[bool]]:
    """What each reading of a record must be in this precision, and whether the authors say so.

    They do, unless two of a row's words are so close that float32 calls them equal. Then it is
    what the authors' formula says of equal words; rows and drops are those of float64.
    """
    record = RECORDS[number]
    trace, share = traced(record["model"], record["class"], torch.float64), 1e-5
    lost = drops(trace, record["options"].get("activation", "softmax"))[~trace.special_tokens]
    rows, told, numbers = rows_of(trace, record["options"]["matrix"]), [], []
    for row, printed in zip(rows, record["scores"], strict=True):
        rank = ranks(row, share)
        told.append(dtype == torch.float64 or rank.equal(ranks(row, 0)))
        numbers.append(printed if told[-1] else truthfulness(row, lost, rank))
    return numbers, told


def wanted(record: dict, dtype: torch.dtype) -> list[float]:
    """The numbers of the authors; where float32 cannot tell words apart, those of their formula."""
    if record.get("part") != "readings":
        return record["scores"]
    return faithfulness(RECORDS.index(record), dtype)[0]


READINGS = [one for one in RECORDS if one.get("part") == "readings"]
