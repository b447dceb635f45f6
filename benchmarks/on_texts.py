"""Speed and memory of methods on texts."""

import torch
from timing import Peak, Row, bert_base, medians, random_ids
from transformers import BertConfig, BertForSequenceClassification

import explainers as ex


def compare() -> list[Row]:
    """Ten single-pass methods on 128 tokens against one forward and backward of the same model."""
    plain, traced = bert_base(), ex.load(bert_base())
    ids = torch.randint(1000, 30000, (1, 128), generator=torch.Generator().manual_seed(1))
    methods = [
        "raw_attention",
        "rollout",
        "grads",
        "attgrads",
        "attn_gradcam",
        "gae",
        "cat",
        "attcat",
        "gradient",
        "input_x_gradient",
    ]

    def forward_backward():
        """With gradients of every weight, as in training."""
        plain.zero_grad()
        plain(ids).logits[0, 0].backward()

    def to_the_input():
        """With the gradient of the embeddings alone: the least that a gradient method can cost."""
        embeddings = plain.bert.embeddings(ids).detach().requires_grad_()
        torch.autograd.grad(plain(inputs_embeds=embeddings).logits[0, 0], embeddings)

    def all_ten():
        trace = traced.trace({"input_ids": ids}, 0)
        for key in methods:
            ex.METHODS[key](trace)

    seconds = medians(9, plain=forward_backward, least=to_the_input, ten=all_ten)
    return [
        (
            f"{len(methods)} single-pass methods, 128 tokens, BERT-base size ÷ one forward "
            "and backward",
            "≤ 1.5",
            f"{seconds['ten'] / seconds['plain']:.2f}",
        ),
        (
            "the same ÷ one forward and a backward to the embeddings alone",
            "",
            f"{seconds['ten'] / seconds['least']:.2f}",
        ),
    ]


def many() -> list[Row]:
    """32 sentences of equal length: single traces against trace_many."""
    model = ex.load("sentiment")
    words = [
        "a",
        "film",
        "that",
        "is",
        "not",
        "quite",
        "as",
        "good",
        "or",
        "bad",
        "as",
        "its",
        "many",
        "loud",
        "critics",
        "say",
        "it",
        "is",
    ]
    texts = [
        " ".join(words[k % len(words) :] + words[: k % len(words)]) + f" {k}" for k in range(32)
    ]
    coded = [model.encode(text) for text in texts]
    assert len({one.tensors["input_ids"].shape for one in coded}) == 1

    seconds = medians(
        7,
        single=lambda: [model.trace(one) for one in coded],
        together=lambda: model.trace_many(coded),
    )
    return [
        (
            "32 single traces of one length ÷ trace_many (bundled model)",
            "≥ 2",
            f"{seconds['single'] / seconds['together']:.2f}",
        )
    ]


def relevance() -> list[Row]:
    """TransAtt, LRP and Partial LRP, which share one relevance pass, against one forward and
    backward of the same model.
    """
    plain, model = bert_base(), ex.load(bert_base())
    inputs = random_ids(128)

    def forward_backward():
        plain.zero_grad()
        plain(**inputs).logits[0, 0].backward()

    def all_three():
        trace = model.trace(inputs, 0)
        for key in ("transatt", "lrp", "partial_lrp"):
            ex.METHODS[key](trace)

    seconds = medians(7, plain=forward_backward, three=all_three)
    return [
        (
            "TransAtt, LRP and Partial LRP with their trace, 128 tokens, BERT-base size ÷ "
            "one forward and backward",
            "≤ 3",
            f"{seconds['three'] / seconds['plain']:.2f}",
        )
    ]


def materialised(trace) -> torch.Tensor:
    """N-Enc as it is usually computed: every vector [head query key dim] in memory, a layer at a
    time.
    """
    maps = []
    for l, layer in enumerate(trace.layers):
        moved = torch.einsum("hkv,hvd->hkd", trace.value[l], layer.w_o)
        vectors = (trace.attention[l][..., None] * moved[:, None]).sum(0)
        vectors[torch.arange(len(vectors)), torch.arange(len(vectors))] += trace.hidden[l]
        before1 = vectors.sum(1) + layer.b_o
        after1 = layer.norm1(before1)
        before2 = after1 + layer.down(layer.act(layer.up(after1)))
        for norm, state in ((layer.norm1, before1), (layer.norm2, before2)):
            vectors = (
                (vectors - vectors.mean(-1, keepdim=True))
                / (state.var(-1, unbiased=False) + norm.eps).sqrt()[:, None, None]
                * norm.weight
            )
        maps.append(vectors.norm(dim=-1))
    return torch.stack(maps)


@torch.no_grad()
def globenc() -> list[Row]:
    """GlobEnc's memory at 512 tokens, and its time at 128 against making the vectors."""
    model, method = ex.load(bert_base()), ex.METHODS["globenc"]
    long, short = model.trace(random_ids(512), 0), model.trace(random_ids(128), 0)
    torch.testing.assert_close(method.maps(short), materialised(short), rtol=1e-3, atol=1e-4)
    with Peak() as peak:
        method(long)
    seconds = medians(3, gram=lambda: method.maps(short), vectors=lambda: materialised(short))
    return [
        (
            "GlobEnc (N-Enc), 512 tokens, BERT-base size: peak extra memory, MB",
            "< 600",
            f"{peak.mb:.0f}",
        ),
        (
            "making all its vectors ÷ GlobEnc by the Gram identity, 128 tokens",
            "> 1",
            f"{seconds['vectors'] / seconds['gram']:.1f}",
        ),
    ]


def perturbing() -> list[Row]:
    """Attention flow in seconds; Value Zeroing against one whole forward pass for each token and
    layer.
    """
    plain, model = bert_base(), ex.load(bert_base())
    long, short = model.trace(random_ids(128), 0), random_ids(64)

    @torch.no_grad()
    def forward():
        plain(**short)

    def zeroing():
        """On a trace of its own, which remembers nothing."""
        ex.METHODS["value_zeroing"].maps(model.trace(short, 0))

    seconds = medians(
        3,
        flow=lambda: ex.METHODS["attention_flow"](long),
        zeroing=zeroing,
        forward=forward,
    )
    return [
        ("attention flow, 128 tokens, 12 layers, seconds", "< 2", f"{seconds['flow']:.2f}"),
        (
            "one forward per token and layer (64 x 12, from the time of one) ÷ Value Zeroing "
            "with its trace, 64 tokens, BERT-base size",
            "≥ 3",
            f"{64 * 12 * seconds['forward'] / seconds['zeroing']:.1f}",
        ),
    ]


def decomposition() -> list[Row]:
    """Memory of ALTI and DecompX at 512 tokens of BERT-base's width; three layers, since memory
    does not grow with depth.
    """
    torch.manual_seed(0)
    model = ex.load(
        BertForSequenceClassification(BertConfig(num_labels=2, num_hidden_layers=3)).eval()
    )
    trace, rows = model.trace(random_ids(512), 0), []
    for key in ("alti", "decompx"):
        with Peak() as peak:
            ex.METHODS[key](trace)
        rows.append(
            (
                f"{ex.METHODS[key].title}, 512 tokens, BERT-base width, 3 layers: peak "
                "extra memory, MB",
                "< 4000",
                f"{peak.mb:.0f}",
            )
        )
    return rows


def shared() -> list[Row]:
    """Passes through the first block: all methods compared, against all of them run alone."""
    model = ex.load("sentiment")
    text, passes = "A film that is not quite as good, or bad, as its many loud critics say.", []
    model.blocks[0].register_forward_hook(lambda block, args, output: passes.append(len(output)))
    ex.compare(model, text)
    together = sum(passes)
    passes.clear()
    keys = [key for key, method in ex.METHODS.items() if "text" in method.tasks]
    for key in keys:
        ex.explain(model, text, key)
    return [
        (
            f"passes when all {len(keys)} methods explain one text alone ÷ compared together",
            "",
            f"{sum(passes)} ÷ {together}",
        )
    ]
