"""Check in every test run the shapes of tensors that signatures name.

`conftest.py` calls `watch` before the package is imported. A function whose signature holds a
shape, such as `Float[Tensor, "layer head query key"]`, then refuses other tensors, and an axis
named twice must have one length in all arguments and the result. Other annotations are checked by
pyright, without running anything.
"""

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

#: The parts whose public functions name shapes.
PARTS = ("explainers.trace", "explainers.methods", "explainers.evaluation")

#: An int is a float, as PEP 484 has it.
CONFIGURATION = BeartypeConf(is_pep484_tower=True)

#: jaxtyping's names for numbers of one kind.
KINDS = ("Float", "Int", "Bool", "Num", "Real", "Shaped", "Complex", "Inexact", "UInt", "Integer")


def names_shapes(thing) -> bool:
    """Whether an annotation of a function or class is a shape, given as a type or as text."""
    for hint in getattr(thing, "__annotations__", {}).values():
        text = hint if isinstance(hint, str) else repr(hint)
        if any(f"{kind}[" in text for kind in KINDS):
            return True
    return False


def check(thing):
    """Have beartype check what names shapes; leave everything else as it is."""
    if not names_shapes(thing):
        return thing
    return beartype(conf=CONFIGURATION)(thing)


def watch() -> None:
    install_import_hook(PARTS, "shapes.check")
