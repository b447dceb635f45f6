"""All methods, in the order of the menus. A new one is a file here and a line below.

Methods are reached by `METHODS[key]`; importing a file puts its methods there.
"""
# isort: skip_file

from . import raw_attention
from . import rollout
from . import attention_flow
from . import attention_gradients
from . import beyond_intuition
from . import attattr
from . import attcat
from . import gradients
from . import relevance
from . import norm
from . import globenc
from . import alti
from . import value_zeroing
from . import decompx
from . import grad_cam
from . import legrad
from . import vit_cx
from . import occlusion
from . import optimus
from .attribution import Attribution
from .norm import mixing_ratios
from .optimus import best_reading, mean_readings, most_faithful_first, readings
from .registry import METHODS, Card, Cost, Method, Only, Output, find, method
from ..options import Option

__all__ = [
    "METHODS",
    "Attribution",
    "Card",
    "Cost",
    "Method",
    "Only",
    "Option",
    "Output",
    "alti",
    "attattr",
    "attcat",
    "attention_flow",
    "attention_gradients",
    "best_reading",
    "beyond_intuition",
    "decompx",
    "find",
    "globenc",
    "grad_cam",
    "gradients",
    "legrad",
    "mean_readings",
    "method",
    "mixing_ratios",
    "most_faithful_first",
    "norm",
    "occlusion",
    "optimus",
    "raw_attention",
    "readings",
    "relevance",
    "rollout",
    "value_zeroing",
    "vit_cx",
]
