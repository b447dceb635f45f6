"""Every method, in the order of every menu. A new one is a file here and a line below."""
# isort: skip_file

from .raw_attention import raw_attention
from .rollout import rollout
from .attention_gradients import grads, attgrads, attn_gradcam, gae
from .attcat import cat, attcat
from .gradients import gradient, input_x_gradient, integrated_gradients, smoothgrad
from .occlusion import occlusion
from .registry import METHODS, Card, Method, Option, find

__all__ = [
    "METHODS", "Card", "Method", "Option",
    "attcat", "attgrads", "attn_gradcam", "cat", "find", "gae", "gradient", "grads", "input_x_gradient", "integrated_gradients",
    "occlusion", "raw_attention", "rollout", "smoothgrad",
]
