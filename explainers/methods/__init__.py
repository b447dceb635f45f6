"""Every method, in the order of every menu. A new one is a file here and a line below."""

from .attcat import attcat, cat
from .attention_gradients import attgrads, attn_gradcam, gae, grads
from .gradients import gradient, input_x_gradient, integrated_gradients, smoothgrad
from .occlusion import occlusion
from .raw_attention import raw_attention
from .registry import METHODS, Card, Method, Option, find
from .rollout import rollout

__all__ = [
    "METHODS",
    "Card",
    "Method",
    "Option",
    "attcat",
    "attgrads",
    "attn_gradcam",
    "cat",
    "find",
    "gae",
    "gradient",
    "grads",
    "input_x_gradient",
    "integrated_gradients",
    "occlusion",
    "raw_attention",
    "rollout",
    "smoothgrad",
]
