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


def names_shape(hint) -> bool:
    """Whether an annotation, a type or text, names a shape."""
    text = hint if isinstance(hint, str) else repr(hint)
    return any(f"{kind}[" in text for kind in KINDS)


def check(thing):
    """Have beartype check the shapes that `thing` names; leave everything else as it is.

    jaxtyping hands over a stand-in that has the signature of the function and nothing inside, so
    that its annotations may be thinned out here.
    """
    hints = getattr(thing, "__annotations__", {})
    shapes = {name: hint for name, hint in hints.items() if names_shape(hint)}
    if not shapes:
        return thing
    thing.__annotations__ = shapes
    return beartype(conf=CONFIGURATION)(thing)


def watch() -> None:
    install_import_hook(PARTS, "shapes.check")
