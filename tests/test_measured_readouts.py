"""Where a score is read, asked of the network: CLIP's end of text, [MASK], a caller's own
function."""

from dataclasses import replace

import pytest
import torch
from tiny import (
    ARCHITECTURES,
    READS,
    SEES,
    SIZE,
    TINY,
    close,
    each_method_of,
    example,
    random_model,
    tiny,
)
from torch import nn

import explainers as ex
from explainers.lrp import ATTNLRP, ChainRules
from explainers.methods import METHODS
from explainers.scores import Custom, Difference, Span

#: What a published CLIP of OpenAI's says of its text tower: an end token with the id 2, which no
#: text has.
OPENAI = dict(eos_token_id=2, bos_token_id=198, pad_token_id=1)


def clip(**text) -> torch.nn.Module:
    settings = {"text_config": READS | text, "vision_config": SEES, "projection_dim": 24}
    return random_model("CLIPModel", **settings)


def both(**text):
    """The two encoders that `VisionTextDualEncoderModel` puts together, the text one CLIP's."""
    settings = {
        "text_config": READS | text | {"model_type": "clip_text_model"},
        "vision_config": SEES | {"model_type": "vit"},
        "projection_dim": 24,
    }
    return random_model("VisionTextDualEncoderModel", **settings)


def matched(ids: list[int]) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.tensor([ids]), "pixel_values": example("vit")["pixel_values"]}


@pytest.mark.parametrize("made", [clip, both])
@pytest.mark.parametrize(
    "ids, at",
    [
        ([198, 5, 17, 30, 199], 4),
        ([198, 5, 199, 30, 7, 1], 2),
        ([198, 150, 7, 2, 8], 0),
        ([5, 150, 7, 2, 8], 1),
    ],
    ids=str,
)
def test_a_text_tower_with_the_end_token_2_is_read_at_the_highest_id(made, ids, at):
    """Wherever the id 2 stands: the network does not look for it."""
    model = ex.load(made(**OPENAI), tower="text", device="cpu", dtype=torch.float64)
    trace = model.trace(matched(ids), 0)
    assert trace.read_at == [at]
    assert trace.grad.hidden[-1].abs().sum(-1).nonzero().flatten().tolist() == [at]


@each_method_of("clip.text")
def test_the_setting_of_the_end_token_changes_no_map(method):
    """Of two networks that read the same token, one by its id and one by its height. No method
    blanks the end token, as a tokenizer would say."""
    maps = []
    for end in (2, 199):
        model = ex.load(
            clip(**OPENAI | {"eos_token_id": end}), tower="text", device="cpu", dtype=torch.float64
        )
        coded = model.encode(matched([198, 5, 17, 30, 199]))
        coded = replace(coded, special_tokens=torch.tensor([True, False, False, False, True]))
        maps.append(method(model.trace(coded, 0)))
    close(*maps, 1e-9)


def test_a_text_without_its_end_token_is_refused():
    """Where the network would read the first token, since it looks for none."""
    model = ex.load(clip(), tower="text", device="cpu", dtype=torch.float64)
    with pytest.raises(
        ex.Refusal, match=r"no end token .id 199., at which the model would read it"
    ):
        model.trace(matched([198, 5, 17, 30]), 0)


# ------------------------------------------------------------ functions of the outputs


def at_token(place: int, column: int = 42):
    return lambda outputs: outputs.logits[:, place, column]


PER_TOKEN = [
    "BertForMaskedLM",
    "BertForTokenClassification",
    "BertForPreTraining",
    "ModernBertForMaskedLM",
    "GPT2LMHeadModel",
]


def per_token(kind: str) -> ex.Model:
    settings = TINY["modernbert"].settings if kind.startswith("Modern") else SIZE
    return ex.load(
        random_model(
            kind, **{name: value for name, value in settings.items() if name != "num_labels"}
        ),
        device="cpu",
        dtype=torch.float64,
    )


@pytest.mark.parametrize("kind", PER_TOKEN)
@pytest.mark.parametrize("place", [0, 5, 11])
def test_a_function_of_one_tokens_logits_is_read_at_that_token(kind, place):
    name = "prediction_logits" if kind == "BertForPreTraining" else "logits"
    model = per_token(kind)
    trace = model.trace(example("bert"), lambda outputs: outputs[name][:, place, 1])
    assert trace.read_at == [place] and trace.readout[place] == 1
    close(METHODS["raw_attention"](trace), trace.attention[-1, :, place].mean(0), 1e-12)
    assert METHODS["grads"](trace).any()


def test_a_function_of_several_tokens_is_read_at_each_by_the_length_of_its_slope():
    trace = per_token("BertForTokenClassification").trace(
        example("bert"), lambda outputs: outputs.logits[:, 3, 0] - 2 * outputs.logits[:, 7, 0]
    )
    assert trace.read_at == [3, 7]
    close(trace.readout[[3, 7]], torch.tensor([1 / 3, 2 / 3], dtype=torch.float64), 1e-12)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_function_that_gives_a_classs_logit_has_the_classs_readout(name):
    """The same score, the same maps, whether it is asked for by its class or by a function."""
    key = {"vision": "logits_per_image", "text": "logits_per_text"}.get(
        name.rpartition(".")[2], "logits"
    )
    model = tiny(name)
    wanted = model.trace(example(name), 0)

    def logit(outputs):
        logits = outputs[key][:, 11] if name == "gpt2" else outputs[key]
        return logits[:, 0]

    found = model.trace(example(name), logit)
    close(found.score, wanted.score, 1e-12)
    assert torch.equal(found.readout, wanted.readout)


def test_what_contains_a_function_is_read_where_the_whole_is():
    model = per_token("BertForTokenClassification")
    whole = Difference(Custom(at_token(3, 1)), Span(((8, 0, 1.0),), "LABEL_0"))
    assert model.trace(example("bert"), whole).read_at == [3, 8]


@pytest.mark.parametrize("method", ["partial_lrp", "transatt", "lrp", "attnlrp"])
def test_relevance_is_read_where_the_ordinary_pass_says(method):
    """Under other rules `grad` is no slope. A function of a text's only tokens gives what the
    answer's place gives."""
    model = ex.load(
        random_model("BertForQuestionAnswering", **SIZE | {"num_labels": 2}),
        device="cpu",
        dtype=torch.float64,
    )
    place = model.trace(example("bert"), Span(((6, 0, 1.0),), "start"))
    function = model.trace(example("bert"), lambda outputs: outputs.start_logits[:, 6])
    close(METHODS[method](function), METHODS[method](place), 1e-9)


def test_the_readout_needs_no_record_of_hidden_states_and_survives_other_rules():
    trace = per_token("BertForMaskedLM").trace(example("bert"), at_token(5))
    assert trace.again(record=("attention",)).read_at == [5]
    rules = ChainRules(ATTNLRP, gradient=True)
    assert trace.again(rules=rules, record=("attention",)).read_at == [5]
    other = trace.again(rules=rules, record=("attention",), target=type(trace.target)(at_token(9)))
    assert other.read_at == [9]
    assert trace.again(entry=lambda hidden: hidden * 0.9).read_at == [5]


def test_a_function_without_a_slope_is_read_where_a_class_is_or_refused():
    """It is flat at this input: a network with a score of its own has one place for it, one with
    logits for every token has none."""
    flat = lambda outputs: outputs.logits.flatten(1)[:, 0].sub(1e6).relu()
    assert tiny("bert").trace(example("bert"), flat).read_at == [0]
    with pytest.raises(ex.Refusal, match="gradient of the custom score is zero at this input"):
        per_token("BertForMaskedLM").trace(example("bert"), flat)


def test_what_is_predicted_at_masks_is_refused_with_what_to_give():
    with pytest.raises(ex.Refusal, match=r"such as lambda outputs: outputs\.logits\[:, 5, 42\]"):
        per_token("BertForMaskedLM").trace(example("bert"))


def test_a_heatmap_says_from_which_tokens_a_function_is_read(word_tokenizer):
    settings = {name: value for name, value in SIZE.items() if name != "num_labels"}
    model = ex.load(
        random_model("BertForMaskedLM", **settings), tokenizer=word_tokenizer, device="cpu"
    )
    text = "the [MASK] was good and the [MASK] bad"
    first, second = (i for i, label in enumerate(model.encode(text).labels) if label == "[MASK]")
    one = ex.explain(model, text, "raw_attention", at_token(first))
    assert f"This score is read from “[MASK]” (token {first})." in one.notes
    two = ex.explain(
        model, text, "rollout", lambda outputs: outputs.logits[:, [first, second], 7].sum(1)
    )
    note = f"This score is read from “[MASK]” (token {first}) and “[MASK]” (token {second}); "
    assert any(said.startswith(note) for said in two.notes)


# ------------------------------------------------------------ a row that is not true


class MeanPooled(nn.Module):
    """A pooler that reads all tokens, where BERT's reads the first."""

    def __init__(self, pooler):
        super().__init__()
        self.dense, self.activation = pooler.dense, pooler.activation

    def forward(self, hidden):
        return self.activation(self.dense(hidden.mean(1)))


def test_a_head_that_reads_elsewhere_than_its_row_says_is_refused():
    model = ex.load(
        random_model("BertForSequenceClassification", **SIZE), device="cpu", dtype=torch.float64
    )
    model.net.bert.pooler = MeanPooled(model.net.bert.pooler)
    with pytest.raises(
        ex.Refusal,
        match=r"at tokens 0, 1, 2, 3, 4, 5, 6, 7 …, .* is known here to read it at token 0",
    ):
        model.trace(example("bert"), 0)


def test_a_probability_that_tokens_share_is_read_at_its_places():
    """A softmax over all tokens has a slope at each of them, and stays an answer's probability."""
    settings = SIZE | {"num_labels": 2}
    net = random_model("BertForQuestionAnswering", **settings)
    model = ex.load(net, device="cpu", dtype=torch.float64)
    answer = Span(((6, 0, 1.0), (8, 1, 1.0)), "answer")
    trace = model.trace(example("bert"), answer.as_probability())
    assert trace.read_at == [6, 8] and trace.grad.hidden[-1].abs().sum(-1).all()


def test_without_a_score_of_its_own_a_model_says_what_helps_whoever_typed_its_name():
    model = ex.load(random_model("BertForMaskedLM", **SIZE), device="cpu")
    with pytest.raises(ex.Refusal, match=r"Choose a model that classifies, .*\. In Python"):
        ex.predict(model, {"input_ids": torch.tensor([[1, 5, 6]])})
