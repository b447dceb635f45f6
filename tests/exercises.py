"""What a lesson's check must do: accept its own solution, and refuse answers that a student might give and that are wrong."""

from collections.abc import Callable

import torch


def judge(solution, check: Callable[[object], None]) -> None:
    """Raise an AssertionError unless `check` accepts the solution and refuses every wrong answer."""
    check(solution)
    for name, answer in wrong_answers(solution).items():
        try:
            check(answer)
        except AssertionError:
            continue
        raise AssertionError(f"The check accepts a wrong answer: {name}.")


def wrong_answers(solution) -> dict[str, object]:
    """Wrong answers of the same kind as the solution, by name."""
    if isinstance(solution, list):
        return orders(solution)
    right = torch.as_tensor(solution)
    wrong = {"zeros": torch.zeros_like(right), "5 % more": right * 1.05, "1 % more": right * 1.01, "the sign turned round": -right}
    if right.dim():
        wrong |= {"reversed": right.flip(-1), "moved by one place": right.roll(1, -1)}
    return {name: answer.item() if isinstance(solution, float) else answer for name, answer in wrong.items()}


def orders(solution: list[int]) -> dict[str, list[int]]:
    """Wrong orders of the same places."""
    first, *rest = solution
    return {"zeros": [0] * len(solution), "reversed": solution[::-1], "reading order": sorted(solution),
            "the right first, the others in reading order": [first, *sorted(rest)]}
