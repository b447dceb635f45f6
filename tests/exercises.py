"""What the check of a lesson's exercise must do: accept its solution, refuse wrong answers."""

from collections.abc import Callable

import torch


def judge(solution, check: Callable[[object], None]) -> None:
    """AssertionError unless `check` accepts the solution and refuses every wrong answer."""
    check(solution)
    for name, answer in wrong_answers(solution).items():
        try:
            check(answer)
        except AssertionError:
            continue
        raise AssertionError(f"The check accepts a wrong answer: {name}.")


def wrong_answers(solution) -> dict[str, object]:
    """Wrong answers of the same kind as the solution (a number, a tensor, an order), by name."""
    if isinstance(solution, list):
        return wrong_orders(solution)
    right = torch.as_tensor(solution)
    wrong = {
        "zeros": torch.zeros_like(right),
        "5 % more": right * 1.05,
        "1 % more": right * 1.01,
        "the sign turned round": -right,
    }
    if right.dim():
        wrong |= {"reversed": right.flip(-1), "moved by one place": right.roll(1, -1)}
    if isinstance(solution, float):
        wrong = {name: answer.item() for name, answer in wrong.items()}
    return wrong


def wrong_orders(solution: list[int]) -> dict[str, list[int]]:
    first, *rest = solution
    return {
        "zeros": [0] * len(solution),
        "reversed": solution[::-1],
        "reading order": sorted(solution),
        "the right first, the others in reading order": [first, *sorted(rest)],
    }
