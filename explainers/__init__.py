"""Which tokens moved this model's score, by how much, and in which direction?

import explainers as ex
model = ex.load("sentiment")
ex.explain(model, "really didn't like this movie", method="attcat", target="NEGATIVE")
"""

from .errors import ModelUnavailable, Refusal
from .explanation import compare, explain, explain_trace, stream
from .heatmap import Comparison, Heatmap
from .maximisation import Imagined, imagine
from .methods import METHODS, Method
from .models import ANATOMIES, BUNDLED, Anatomy, Model, load, register
from .pictures import open_picture, photo
from .prediction import Prediction, predict
from .trace import Layer, Trace

__version__ = "0.2.0"

__all__ = [
    "ANATOMIES",
    "BUNDLED",
    "METHODS",
    "Anatomy",
    "Comparison",
    "Heatmap",
    "Imagined",
    "Layer",
    "Method",
    "Model",
    "ModelUnavailable",
    "Prediction",
    "Refusal",
    "Trace",
    "compare",
    "explain",
    "explain_trace",
    "imagine",
    "load",
    "open_picture",
    "photo",
    "predict",
    "register",
    "stream",
]
