"""Record the activations of one pass through a Transformer, and the gradient of the score by each.

One attention function, registered with `transformers`, serves every architecture (`attending`). If
a tape is running, it records the probabilities and values that pass through it; if not, it is plain
scaled dot-product attention. The tape travels as a keyword of the call, from
`net(**inputs, tape=tape)` to every block. A block of the traced tower passes it on to its attention
module as `on_tape` (`wiring`). From there to the attention function it is a context variable
(`tape`), since some modules (SigLIP's) do not forward keyword arguments. So any number of threads
may trace the same network, and the other tower of a dual encoder is not recorded.

A `Pass` runs the network for a batch and gives a `Trace` of each example. The shapes of a trace
have no batch axis.
"""

from ..linear import Affine
from .activations import Activations
from .attending import NAME, attention
from .batches import rows_at_once
from .layers import Layer
from .modes import evaluating, ordinary
from .passes import Pass
from .readouts import elsewhere
from .tape import RECORDED, RUNNING, Edit, Tape, recording, running
from .traces import Trace
from .watchers import tell, watching
from .wiring import attend_by, configs_of, wire

__all__ = [
    "NAME",
    "RECORDED",
    "RUNNING",
    "Activations",
    "Affine",
    "Edit",
    "Layer",
    "Pass",
    "Tape",
    "Trace",
    "attend_by",
    "attention",
    "configs_of",
    "elsewhere",
    "evaluating",
    "ordinary",
    "recording",
    "rows_at_once",
    "running",
    "tell",
    "watching",
    "wire",
]
