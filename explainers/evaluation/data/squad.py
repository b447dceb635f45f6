"""SQuAD's JSON: questions with the texts that hold the answers."""

from collections.abc import Iterator, Mapping

from ..case import Example
from .dataset import Dataset
from .readers import Request, parse_errors_as_refusals, reader


def is_squad(asked: Request) -> bool:
    return asked.ending == ".json" and isinstance(asked.json, dict) and "data" in asked.json


@reader(is_squad)
def read_squad(asked: Request) -> Dataset:
    """Questions with their contexts; data["answer"] is where the first gold answer stands."""
    name = asked.path.name
    examples, left_out = [], []
    with parse_errors_as_refusals("SQuAD's questions", name):
        for context, question in questions_in(asked.json):
            answer = first_answer(question)
            if answer is None and asked.answerable:
                reason = "it has no answer in its context"
                left_out.append({"id": question["id"], "reason": reason})
                continue
            inputs = (question["question"], context)
            data = {} if answer is None else {"answer": answer}
            examples.append(Example(inputs, None, question["id"], data))
    return Dataset(name, examples, left_out)


def questions_in(squad) -> Iterator[tuple[str, Mapping]]:
    """Each question of a file, with its context before it."""
    for article in squad["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                yield paragraph["context"], question


def first_answer(question: Mapping) -> tuple[int, int] | None:
    """The first and the last+1 character of the first gold answer in the context, or None."""
    for answer in question["answers"]:
        start = answer["answer_start"]
        return start, start + len(answer["text"])
    return None
