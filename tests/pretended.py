"""A pretended graphics card: the checks of a second device, on any machine.

`Card()` makes PyTorch behave as if there were a device "cuda:0". Every number is still computed by the CPU; what is pretended is only
*where* a tensor lives. An operation that mixes tensors of the two places raises, as CUDA does:

    with Card():
        model = explainers.load("sentiment")        # moves to the card, since there seems to be one
        trace = model.trace("not bad at all")
        trace.attention[0] @ torch.eye(7)           # raises ElsewhereError: `torch.eye` makes its matrix on the CPU

The rules are those of PyTorch: a CPU tensor without dimensions may meet any tensor, indices may lie on the CPU, `copy_` may cross over.
"""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

CARD, CPU = torch.device("cuda", 0), torch.device("cpu")
Tensor = torch.Tensor
ANY_INDEX = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put")
CROSS_OVER = ("copy_", "_to_copy", "set_")
NO_SCALARS = ("cat", "stack", "index_fill", "index_select", "index_add", "index_copy", "gather", "scatter", "embedding")     # no CPU scalar beside the card's


class ElsewhereError(RuntimeError):
    """Tensors of two places met in one operation."""


def place(tensor: Tensor) -> torch.device | None:
    """Where a tensor lives. None: it was made inside of PyTorch, in a place that nobody wrote down."""
    return getattr(tensor.untyped_storage(), "place", None)


def put(tensor: Tensor, where: torch.device) -> Tensor:
    """Write down where a tensor lives. The note hangs on its storage, so views and detached tensors share it."""
    tensor.untyped_storage().place = where
    return tensor


def tensors(values: object) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from tensors(value)
    elif isinstance(values, dict):
        yield from tensors(list(values.values()))


def is_device(value: object) -> bool:
    if isinstance(value, torch.device):
        return True
    return isinstance(value, str) and value.split(":")[0] in ("cuda", "cpu")


class Places(TorchDispatchMode):
    """Below autograd: refuses what mixes places, and says where results live. It sees the passes backward, too."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunction():
            name = operation._schema.name.split("::")[1]
            given = list(tensors((args, kwargs)))
            found = {place(one) for one in given if name.rstrip("_") in NO_SCALARS or one.dim() or place(one) == CARD}
            found.discard(None)
            if len(found) > 1 and name not in CROSS_OVER and not self.only_indices(name, args):
                raise ElsewhereError(f"{name}: tensors on cuda:0 and on the CPU, of shapes {[list(one.shape) for one in given]}")
            results = operation(*args, **kwargs)
            if given:
                first = place(given[0])
                home = first if name in CROSS_OVER or name in ANY_INDEX else CARD if CARD in found else first
                for one in tensors(results):
                    if home is not None and place(one) is None:
                        put(one, home)
            return results

    @staticmethod
    def only_indices(name: str, args: tuple) -> bool:
        """Whether all that lies elsewhere are indices on the CPU."""
        if name not in ANY_INDEX:
            return False
        kept = [one for one in tensors((args[0], args[2:])) if one.dim()]
        indices = {place(one) for one in tensors(args[1])} - {None}
        return len({place(one) for one in kept} - {None}) <= 1 and indices <= {CPU, place(args[0])}


class Calls(TorchFunctionMode):
    """Above autograd: what a program asks for by `device=`, `.to`, `.cpu` and the like, and what it is told about devices."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "")
        owner = getattr(function, "__self__", None)
        if owner is Tensor.device and name == "__get__":
            return place(args[0]) or function(*args, **kwargs)
        if owner is Tensor.is_cuda and name == "__get__":
            return place(args[0]) == CARD
        if owner is Tensor.data and name == "__set__":
            return function(*args, **kwargs)
        if function in (Tensor.numpy, Tensor.__array__) and place(args[0]) == CARD:
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.")
        if function is Tensor.cpu:
            return moved(args[0], args[0], CPU)
        if function is Tensor.cuda:
            return moved(args[0], args[0], CARD)
        if function is Tensor.to:
            return self.to(*args, **kwargs)
        if function is torch._C._nn._parse_to:
            return function(*args, **kwargs)
        return self.made(function, args, kwargs)

    def to(self, tensor: Tensor, *args, **kwargs) -> Tensor:
        """`Tensor.to` by a device, by a tensor or by a type alone."""
        asked = [value for value in (*args, *kwargs.values()) if is_device(value) or isinstance(value, Tensor)]
        args = [CPU if is_device(value) else value for value in args]
        kwargs = {name: CPU if is_device(value) else value for name, value in kwargs.items()}
        result = tensor.to(*args, **kwargs)
        if not asked:
            return result
        where = place(asked[0]) or CPU if isinstance(asked[0], Tensor) else torch.device(asked[0])
        return moved(result, tensor, CARD if where.type == "cuda" else CPU)

    def made(self, function, args: tuple, kwargs: dict):
        """A constructor makes its tensor where `device=` says, and on the CPU unless told otherwise."""
        device = kwargs.pop("device", None)
        where = None if device is None else torch.device(device)
        if where is not None and where.type not in ("cuda", "cpu"):
            return function(*args, **kwargs, device=device)
        if where is not None and where.type == "cuda" and kwargs.get("generator") is not None:
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
        result = function(*args, **kwargs)
        if isinstance(result, Tensor):
            if function in (torch.as_tensor, torch.asarray) and place(result) not in (None, where) and where is not None:
                return moved(result, result, where)
            if where is not None:
                put(result, CARD if where.type == "cuda" else CPU)
            elif function is torch.tensor or not list(tensors((args, kwargs))):
                put(result, CPU)
        return result


def moved(result: Tensor, before: Tensor, where: torch.device) -> Tensor:
    """The tensor, or its copy in the other place."""
    if place(before) == where and (result is before or place(result) == where):
        return result
    if result.untyped_storage()._cdata == before.untyped_storage()._cdata:
        result = result.clone()
    return put(result, where)


class Card:
    """Within `with Card():`, or from `Card().start()` on, PyTorch seems to have one graphics card."""

    def __init__(self) -> None:
        self.calls, self.places = Calls(), Places()
        run = torch.autograd._engine_run_backward

        def run_backward(*args, **kwargs):      # torch.autograd steps out of `Calls`: what rules of the pass backward make is watched again
            with self.calls:
                return run(*args, **kwargs)

        self.patches = [mock.patch("torch.cuda.is_available", lambda: True), mock.patch("torch.cuda.get_device_name", lambda *_: "a pretended card"),
                        mock.patch("torch.autograd._engine_run_backward", run_backward)]

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
