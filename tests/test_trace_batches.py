"""Many inputs and many threads at a time give the traces of the single ones."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from tiny import ARCHITECTURES, DUAL, SIZE, TINY, example, fresh, random_model, stock, tiny, varied
from traces import same_traces, tight

import explainers as ex

# ------------------------------------------------------------------------------ batches and threads


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name not in DUAL])
def test_many_traces_are_the_single_ones(name):
    """Lengths and targets mixed: what shares a batch must not be felt."""
    inputs = [varied(name, seed, tokens) for seed, tokens in enumerate([9, 7, 9, 8, 7])]
    targets = [None, 1, (0, 2), 2, None]
    model = tiny(name)
    for one, alone in zip(
        model.trace_many(inputs, targets), (model.trace(*both) for both in zip(inputs, targets))
    ):
        same_traces(one, alone)
        assert one.target.name == alone.target.name


@pytest.mark.parametrize("name", DUAL)
def test_many_pairs_of_picture_and_text_are_the_single_ones(name):
    """Each picture is explained for its own text, whatever else is traced with it."""
    inputs = [varied(name, seed) for seed in range(3)]
    model = tiny(name)
    for one, alone in zip(
        model.trace_many(inputs, [0, 0, 0]), [model.trace(one, 0) for one in inputs]
    ):
        same_traces(one, alone)


def several_texts() -> dict:
    """One picture and three texts, of which a target chooses one."""
    texts = [varied("clip.text", seed)["input_ids"] for seed in range(3)]
    return example("clip.vision") | {"input_ids": torch.cat(texts)}


def test_a_picture_is_explained_for_the_text_that_was_chosen():
    model, inputs = tiny("clip.vision"), several_texts()
    one = model.trace(inputs, 1)
    assert one.target.name == "text 1"
    same_traces(one, model.trace(inputs | {"input_ids": inputs["input_ids"][1:2]}, 0))


def test_more_inputs_than_rows_are_all_traced():
    inputs = [varied("bert", seed) for seed in range(5)]
    model = tiny("bert")
    for one, alone in zip(model.trace_many(inputs, rows=2), (model.trace(one) for one in inputs)):
        same_traces(one, alone)


def test_as_many_targets_as_inputs_are_wanted():
    with pytest.raises(ex.Refusal, match="2 inputs need as many targets; got 1"):
        tiny("bert").trace_many([example("bert")] * 2, [0])


@pytest.mark.parametrize(
    "name",
    [name for name, row in TINY.items() if name == "bert" or (row.kind and name not in DUAL)],
)
def test_threads_on_one_model_do_not_disturb_one_another(name):
    model = tiny(name)
    inputs = [varied(name, seed, 6 + seed % 5) for seed in range(20)]
    serial = [model.trace(one, seed % 3) for seed, one in enumerate(inputs)]
    with ThreadPoolExecutor(20) as threads:
        together = list(
            threads.map(lambda both: model.trace(both[1], both[0] % 3), enumerate(inputs))
        )
    for one, other in zip(serial, together):
        same_traces(one, other)


def test_the_towers_of_one_clip_can_be_traced_by_turns():
    """Both wired into one network: each writes its own states only."""
    net = fresh("clip.vision").net
    vision, text = (ex.load(net, tower=tower, device="cpu") for tower in ("vision", "text"))
    for _ in range(2):
        assert vision.trace(example("clip.vision"), 0).attention.shape == (4, 3, 17, 17)
        assert text.trace(example("clip.text"), 0).attention.shape == (4, 3, 8, 8)


def texts(lengths: list[int], left: bool = False) -> dict:
    """Texts of several lengths, padded to one."""
    rows = [
        varied("gpt2-classifier", seed, length)["input_ids"][0]
        for seed, length in enumerate(lengths)
    ]

    def fill(row: torch.Tensor, value: int) -> torch.Tensor:
        missing = max(lengths) - len(row)
        return F.pad(row, (missing, 0) if left else (0, missing), value=value)

    return {
        "input_ids": torch.stack([fill(row, 199) for row in rows]),
        "attention_mask": torch.stack([fill(torch.ones_like(row), 0) for row in rows]),
    }


# ---------------------------------------------------------------------------- GPT-2 as a classifier


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_a_batch_of_padded_texts_gets_the_stock_models_logits(left):
    batch = texts([9, 5, 7], left)
    with torch.no_grad():
        wanted = stock("gpt2-classifier")(**batch, use_cache=False).logits
        got = tiny("gpt2-classifier", torch.float32).answer(batch)
    assert torch.equal(got.class_logits, wanted) and torch.equal(got.outputs.logits, wanted)


@pytest.mark.parametrize(
    "ids", [[[7, 8, 9, 199, 199]], [[199, 7, 8, 199]], [[7, 199, 8]], [[199, 199]]], ids=str
)
def test_without_a_mask_trailing_padding_is_what_the_stock_model_takes_for_it(ids):
    with torch.no_grad():
        wanted = stock("gpt2-classifier")(input_ids=torch.tensor(ids), use_cache=False).logits[0]
    trace = tiny("gpt2-classifier", torch.float32).trace({"input_ids": ids}, 0)
    assert torch.equal(trace.logits, wanted)
    (last,) = trace.read_at
    assert not trace.attended[last + 1 :].any() and trace.attended[:last].all()


def test_a_blank_at_the_end_does_not_move_the_readout():
    """The stock model would read one token earlier; the score that a token takes with it is asked
    at the same place.
    """
    trace = tiny("gpt2-classifier").trace(example("gpt2-classifier"), 0)
    last = torch.arange(12)[None] == 11
    blanked = trace.again(inputs=trace.fill(last, "pad"))
    assert blanked.read_at == [11] and blanked.attended.all() and blanked.score != trace.score
    assert blanked.grad.hidden[-1].abs().sum(-1).nonzero().flatten().tolist() == [11]
    torch.testing.assert_close(trace.rescore(trace.fill(last, "pad"))[0], blanked.score, **tight)


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_word_embeddings_and_edits_are_read_at_the_last_real_token(left):
    """Neither has ids that say where padding is; the traced text does."""
    batch = {name: tensor[1:2] for name, tensor in texts([9, 5], left).items()}
    trace = tiny("gpt2-classifier").trace(batch, 0)
    assert trace.read_at == [8 if left else 4]
    same_traces(trace.again(inputs=trace.embed()), trace)
    for one in trace.again_many(entry=lambda hidden: hidden.expand(3, -1, -1)):
        same_traces(one, trace)
    stack = {name: torch.cat([tensor] * 3) for name, tensor in trace.embed().items()}
    torch.testing.assert_close(trace.rescore(stack), trace.score.expand(3), **tight)


def test_no_padding_token_is_needed():
    net = random_model(
        "GPT2ForSequenceClassification",
        **SIZE | {"pad_token_id": None, "eos_token_id": 199, "bos_token_id": 199},
    )
    model = ex.load(net, device="cpu", dtype=torch.float64)
    inputs = [varied("gpt2-classifier", seed) for seed in range(3)]
    for one, given in zip(model.trace_many(inputs, [0, 1, 2]), inputs):
        same_traces(one, model.trace(given, one.target))
        with torch.no_grad():
            torch.testing.assert_close(one.logits, net(**given).logits[0], **tight)
