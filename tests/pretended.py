"""A pretended graphics card: the checks of a second device, on any machine.

`Card()` makes PyTorch behave as if there were a device "cuda:0". Every number is still computed
by the CPU; what is pretended is only *where* a tensor lives. An operation that mixes tensors of
the two places raises, as CUDA does:

    with Card():
        model = explainers.load("sentiment")        # moves to the card: there seems to be one
        trace = model.trace("not bad at all")
        trace.attention[0] @ torch.eye(7)           # ElsewhereError: this matrix is on the CPU

The rules are those of PyTorch: a CPU tensor without dimensions may meet tensors of the card in
arithmetic, indices may lie on the CPU, and `copy_` may cross over.
"""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

Tensor = torch.Tensor
CARD, CPU = torch.device("cuda", 0), torch.device("cpu")

#: Operations by name, without the underscore of those that work in place.
INDEXING = ("index", "index_put", "_index_put_impl", "_unsafe_index", "_unsafe_index_put")
CROSSING = ("copy", "_to_copy", "set")
#: These take no scalar of the CPU beside tensors of the card.
STRICT = (
    "cat",
    "stack",
    "index_fill",
    "index_select",
    "index_add",
    "index_copy",
    "gather",
    "scatter",
    "embedding",
)


class ElsewhereError(RuntimeError):
    """Tensors of two places met in one operation."""


def place(tensor: Tensor) -> torch.device | None:
    """Where a tensor lives. None: PyTorch made it inside, in a place that nobody wrote down."""
    return getattr(tensor.untyped_storage(), "place", None)


def put(tensor: Tensor, where: torch.device) -> Tensor:
    """Write down where a tensor lives: on its storage, which views and detached tensors share."""
    tensor.untyped_storage().place = where
    return tensor


def moved(result: Tensor, before: Tensor, where: torch.device) -> Tensor:
    """`result`, computed from `before`, in the place `where`; a copy, if it has to move."""
    if place(before) == where and place(result) == where:
        return result
    if result.untyped_storage()._cdata == before.untyped_storage()._cdata:
        result = result.clone()
    return put(result, where)


def tensors(values: object) -> Iterator[Tensor]:
    """All tensors in arguments, nested as they may be."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from tensors(value)
    elif isinstance(values, dict):
        yield from tensors(list(values.values()))


def places(values: object) -> set[torch.device]:
    return {place(one) for one in tensors(values)} - {None}


def is_device(value: object) -> bool:
    if isinstance(value, torch.device):
        return value.type in ("cuda", "cpu")
    return isinstance(value, str) and value.split(":")[0] in ("cuda", "cpu")


def device(value: object) -> torch.device:
    """The place that an argument `device=` means."""
    return CARD if torch.device(value).type == "cuda" else CPU


class Places(TorchDispatchMode):
    """Below autograd, so passes backward too: refuses to mix places, notes where results live."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunction():
            name = operation._schema.name.split("::")[1].rstrip("_")
            given = list(tensors((args, kwargs)))
            if self.mixes(name, given, args):
                shapes = [list(one.shape) for one in given]
                raise ElsewhereError(f"{name}: tensors on cuda:0 and on the CPU, shapes {shapes}")
            results = operation(*args, **(kwargs or {}))
            where = self.home(name, given)
            if where:
                for one in tensors(results):
                    put(one, place(one) or where)
            return results

    @staticmethod
    def mixes(name: str, given: list[Tensor], args: tuple) -> bool:
        if name in CROSSING:
            return False
        if name in INDEXING:
            held, indices, values = args[0], args[1], args[2:]
            values = [one for one in tensors(values) if one.dim()]
            return len(places([held, values])) > 1 or not places(indices) <= {CPU, place(held)}
        counted = given
        if name not in STRICT:
            counted = [one for one in given if one.dim() or place(one) != CPU]
        return len(places(counted)) > 1

    @staticmethod
    def home(name: str, given: list[Tensor]) -> torch.device | None:
        """Of results: copies and parts with the first tensor; others on the card, if any is."""
        if not given:
            return None
        if name not in CROSSING + INDEXING and CARD in places(given):
            return CARD
        return place(given[0])


class Calls(TorchFunctionMode):
    """Above autograd: what a program asks of devices, by `device=`, `.to`, `.cpu` and the like."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        getter = getattr(function, "__self__", None)
        if getter is Tensor.device:
            return place(args[0]) or function(*args, **kwargs)
        if getter is Tensor.is_cuda:
            return place(args[0]) == CARD
        if function in (Tensor.numpy, Tensor.__array__) and place(args[0]) == CARD:
            raise TypeError("can't convert a tensor of cuda:0 to numpy; copy it with Tensor.cpu()")
        if function is Tensor.cpu:
            return moved(args[0], args[0], CPU)
        if function is Tensor.cuda:
            return moved(args[0], args[0], CARD)
        if function is Tensor.to:
            return self.to(*args, **kwargs)
        if function is torch._C._nn._parse_to:  # how `Module.to` reads its arguments
            return function(*args, **kwargs)
        return self.made(function, args, kwargs)

    def to(self, tensor: Tensor, *args, **kwargs) -> Tensor:
        """`Tensor.to` by a device, by a tensor or by a type alone."""
        given = (*args, *kwargs.values())
        wanted = [device(value) for value in given if is_device(value)]
        wanted += [place(value) or CPU for value in given if isinstance(value, Tensor)]
        args = [CPU if is_device(value) else value for value in args]
        kwargs = {name: CPU if is_device(value) else value for name, value in kwargs.items()}
        result = tensor.to(*args, **kwargs)
        return moved(result, tensor, wanted[0]) if wanted else result

    def made(self, function, args: tuple, kwargs: dict):
        """A constructor makes its tensor where `device=` says, on the CPU if it says nothing."""
        said = kwargs.pop("device", None)
        if said is not None and torch.device(said).type not in ("cuda", "cpu"):
            return function(*args, **kwargs, device=said)
        if said is not None and device(said) == CARD and kwargs.get("generator") is not None:
            raise RuntimeError("a generator of the CPU draws no numbers on cuda:0")
        result = function(*args, **kwargs)
        if not isinstance(result, Tensor):
            return result
        if said is not None and function in (torch.as_tensor, torch.asarray):
            return moved(result, result, device(said))
        if said is not None:
            return put(result, device(said))
        if function is torch.tensor or not list(tensors((args, kwargs))):
            return put(result, CPU)
        return result


class Card:
    """Within `with Card():`, or from `Card().start()` on, there seems to be one graphics card."""

    def __init__(self) -> None:
        self.calls, self.places = Calls(), Places()
        run = torch.autograd._engine_run_backward

        def run_backward(*args, **kwargs):
            # torch.autograd has stepped out of `calls`; the rules of the pass backward are heard
            with self.calls:
                return run(*args, **kwargs)

        self.patches = [
            mock.patch("torch.cuda.is_available", lambda: True),
            mock.patch("torch.cuda.get_device_name", lambda *_: "a pretended card"),
            mock.patch("torch.autograd._engine_run_backward", run_backward),
        ]

    def start(self) -> Card:
        for patch in self.patches:
            patch.start()
        self.places.__enter__()
        self.calls.__enter__()
        return self

    def stop(self) -> None:
        self.calls.__exit__(None, None, None)
        self.places.__exit__(None, None, None)
        for patch in reversed(self.patches):
            patch.stop()

    def __enter__(self) -> Card:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
