"""Every method, in the order of every menu. A new one is a file here and a line below."""
# isort: skip_file

from .raw_attention import raw_attention
from .rollout import rollout
from .attention_flow import attention_flow
from .attention_gradients import grads, attgrads, attn_gradcam, gae
from .beyond_intuition import beyond_intuition
from .attattr import attattr
from .attcat import cat, attcat
from .gradients import gradient, input_x_gradient, integrated_gradients, smoothgrad
from .relevance import partial_lrp, transatt, lrp, attnlrp
from .norm import mixing_ratios, norm
from .globenc import globenc
from .alti import alti
from .value_zeroing import value_zeroing
from .decompx import decompx
from .grad_cam import grad_cam
from .legrad import legrad
from .vit_cx import vit_cx
from .occlusion import occlusion
from .optimus import best_reading, mean_readings, most_faithful_first, optimus, readings
from .registry import METHODS, Card, Method, Option, find

__all__ = [
    "METHODS",
    "Card",
    "Method",
    "Option",
    "alti",
    "attattr",
    "attcat",
    "attention_flow",
    "attgrads",
    "attn_gradcam",
    "attnlrp",
    "best_reading",
    "beyond_intuition",
    "cat",
    "decompx",
    "find",
    "gae",
    "globenc",
    "grad_cam",
    "gradient",
    "grads",
    "input_x_gradient",
    "integrated_gradients",
    "legrad",
    "lrp",
    "mean_readings",
    "mixing_ratios",
    "most_faithful_first",
    "norm",
    "occlusion",
    "optimus",
    "partial_lrp",
    "raw_attention",
    "readings",
    "rollout",
    "smoothgrad",
    "transatt",
    "value_zeroing",
    "vit_cx",
]
