"""AttnLRP by its authors' package, for `attnlrp.json`.

    pip install lxt==2.1 zennit transformers==4.52.4        (in an environment of its own)
    python tests/goldens/attnlrp.py > tests/goldens/attnlrp.json

Each model runs in a process of its own, since the package patches classes for good. What it has no
patch for (the picture classifier of `transformers`, ModernBERT) is patched here, out of the
package's own rules.
"""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch
import transformers
from lxt.efficient import models as patched
from lxt.efficient import monkey_patch, patches
from lxt.efficient.rules import divide_gradient, identity_rule_implicit
from safetensors.torch import load_file
from transformers.models.modernbert import modeling_modernbert
from transformers.models.vit import modeling_vit

HERE = Path(__file__).parent
INPUTS = load_file(HERE / "inputs.safetensors")
RUNS = [
    ("bert", "attn"),
    ("gpt2", "attn"),
    ("gpt2", "cp"),
    ("vit", "attn"),
    ("llama", "attn"),
    ("llama", "cp"),
    ("modernbert", "attn"),
]
CLASSES = {"gpt2": (0, 7)}


def halved_attention(forward):
    """Queries, keys and values of ModernBERT come in one tensor: the same divisions as in the
    package's own wrapper.
    """

    def attention(module, qkv, *args, **kwargs):
        query, key, value = qkv.unbind(2)
        return forward(
            module,
            torch.stack(
                [divide_gradient(query, 4), divide_gradient(key, 4), divide_gradient(value, 2)], 2
            ),
            *args,
            **kwargs,
        )

    return attention


def modernbert_mlp(self, x):
    signal, gate = self.Wi(x).chunk(2, dim=-1)
    return self.Wo(divide_gradient(identity_rule_implicit(self.act, signal) * gate, 2))


def modernbert_head(self, x):
    return self.norm(identity_rule_implicit(self.act, self.dense(x)))


def modernbert_attention(module):
    functions = module.MODERNBERT_ATTENTION_FUNCTION
    functions["eager"] = halved_attention(functions["eager"])
    return True


def patch(name: str, variant: str) -> None:
    norm = {torch.nn.LayerNorm: partial(patches.patch_method, patches.layer_norm_forward)}
    own = {
        "vit": norm
        | {
            transformers.activations.GELUActivation: partial(
                patches.patch_method, patches.non_linear_forward, keep_original=True
            ),
            modeling_vit: patches.patch_attention,
        },
        "modernbert": norm
        | {
            modeling_modernbert.ModernBertMLP: partial(patches.patch_method, modernbert_mlp),
            modeling_modernbert.ModernBertPredictionHead: partial(
                patches.patch_method, modernbert_head
            ),
            modeling_modernbert: modernbert_attention,
        },
        "gpt2": {"attn": patched.gpt2.attnLRP, "cp": patched.gpt2.cp_LRP}[variant],
        "llama": {"attn": patched.llama.attnLRP, "cp": patched.llama.cp_LRP}[variant],
    }
    module = sys.modules[f"transformers.models.{name}.modeling_{name}"]
    monkey_patch(module, own.get(name))


def run(name: str, variant: str) -> list[dict]:
    folder = HERE / "models" / name
    kind = json.loads((folder / "config.json").read_text())["architectures"][0]
    patch(name, variant)
    net, report = getattr(transformers, kind).from_pretrained(
        folder, attn_implementation="eager", output_loading_info=True
    )
    assert not report["missing_keys"] and not report["unexpected_keys"], report
    net = net.double().eval()
    records = []
    for target in CLASSES.get(name, (0, 2)):
        held = {}
        entrance = net.vit.embeddings if name == "vit" else net.get_input_embeddings()
        hook = entrance.register_forward_hook(
            lambda module, args, y, held=held: held.setdefault("e", y.detach().requires_grad_())
        )
        if name == "vit":
            logits = net(pixel_values=INPUTS["pixel_values"].double()).logits
        else:
            ids = INPUTS["input_ids"]
            logits = net(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        hook.remove()
        logits = logits[:, -1] if logits.ndim == 3 else logits
        (slope,) = torch.autograd.grad(logits[0, target], held["e"])
        scores = (slope * held["e"]).sum(-1)[0].tolist()
        logit = logits[0, target].item()
        records.append(
            {
                "name": f"lxt {variant}",
                "model": name,
                "method": "attnlrp",
                "options": {"variant": variant},
                "class": target,
                "logit": float(f"{logit:.12g}"),
                "source": "lxt 2.1",
                "scores": [float(f"{score:.12g}") for score in scores],
            }
        )
    return records


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print("RECORDS", json.dumps(run(*sys.argv[1:])))
    else:
        lines = []
        for name, variant in RUNS:
            said = subprocess.run(
                [sys.executable, __file__, name, variant],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            found = next(line for line in said.splitlines() if line.startswith("RECORDS "))
            lines += [json.dumps(record) for record in json.loads(found.removeprefix("RECORDS "))]
        print("[\n" + ",\n".join(lines) + "\n]")
