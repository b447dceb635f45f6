"""Record one pass through a Transformer: what every layer saw, and what the score felt about it.

One attention function, registered with `transformers`, serves every architecture. Called with a `tape` it writes down
the probabilities and values that pass through it; without one it is plain scaled dot-product attention. The tape
travels as a keyword of the call, from `net(**inputs, tape=tape)` down to every block, which hands it on to its attention
module as `on_tape` if it is a block of the traced tower. From there to the attention function it is a context variable,
since some modules (SigLIP's) hand no keywords on. So any number of threads may trace the same network, and the other
tower of a dual encoder stays off the record.

Shapes are written without a batch axis: a `Trace` is one example. Batches exist only in here.
"""

from ..linear import Affine
from .attending import attention
from .layers import Layer
from .modes import evaluating, ordinary
from .passes import Rerun, rows_at_once, trace
from .readouts import elsewhere
from .tape import RECORDED, RUNNING, Edit, Tape, recording, running
from .traces import Trace
from .wiring import attend_by, configs_of, wire

__all__ = [
    "RECORDED",
    "RUNNING",
    "Affine",
    "Edit",
    "Layer",
    "Rerun",
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
    "trace",
    "wire",
]
