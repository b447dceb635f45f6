"""What makes a run what it is, by value: shares, noise, seeds, samples, manifests, fingerprints."""

import json
import random
from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from tiny import example, tiny

import explainers as ex
from explainers import evaluation as ev
from explainers.cli import main
from explainers.evaluation import Example
from explainers.evaluation.data import Dataset, read
from explainers.evaluation.runs import Plan, Work, evaluate, means, shards

TEXT = "a boring film but some of the actors were really good"
PLAN = Plan("sentiment", ("attcat",), ("aopc:levels=2",), baselines=False)


def texts(n: int) -> Dataset:
    words = ("a fine film", "dull and long", "i laughed", "never again", "what a waste")
    examples = [Example(f"{words[k % 5]} number {k}", k % 2, f"row {k}") for k in range(n)]
    return Dataset("texts", examples)


# --------------------------------------------------------------------------------------- heatmaps


def heat_of(scores: list[float], special_tokens: list[bool]) -> ex.Heatmap:
    labels = [f"token {k}" for k in range(len(scores))]
    return ex.Heatmap(
        torch.tensor(scores),
        labels,
        "given",
        "Given",
        "a class",
        1.0,
        True,
        torch.tensor(special_tokens),
    )


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        ([3.0, 1.0, -1.0, -3.0], 0.75),  # signs that differ do not cancel each other
        ([3.0, 1.0, -1.0, 3.0], 0.75),
        ([0.0, 2.0, -2.0, 0.0], 0.0),
        ([-2.0, 0.0, 0.0, 1.0], 1.0),
        ([0.0, 0.0, 0.0, 0.0], 0.0),
    ],
)
def test_the_share_of_specials_is_of_sizes(scores, wanted):
    assert heat_of(scores, [True, False, False, True]).special_share == pytest.approx(wanted)


# ------------------------------------------------------------------------------- noise and blanks


def shaken_by_sensitivity(case: ev.Case, **options) -> tuple[torch.Tensor, torch.Tensor]:
    """What `sensitivity` feeds to the network: the clean vectors [token dim], and its noise."""
    seen = []
    heat = case.heat("attcat")
    norm = case.model.net.bert.embeddings.LayerNorm
    keep = lambda module, given: seen.append(given[0].detach().clone())
    hook = norm.register_forward_pre_hook(keep)
    try:
        case.trace.again(inputs=case.trace.embed())
        clean = seen.pop()
        ev.METRICS["sensitivity"].measure(case, heat, **options)
    finally:
        hook.remove()
    noise = torch.cat(seen) - clean
    return clean, noise[noise.flatten(1).abs().amax(1) > 1e-12]  # the clean map is made, too


def test_noise_of_sensitivity_goes_both_ways_as_far_as_its_radius(reader):
    pytest.importorskip("captum")
    case = ev.case_of(reader, TEXT)
    _, noise = shaken_by_sensitivity(case, radius=0.05, samples=6)
    x = case.trace.embed()["inputs_embeds"]
    reach = 0.05 * float(x.max() - x.min())
    assert len(noise) == 6
    assert noise.abs().max() <= reach * (1 + 1e-9)
    assert noise.max() > 0.99 * reach and noise.min() < -0.99 * reach
    assert abs(noise.mean()) < 0.05 * reach  # uniform: standard error below 0.01 reach
    assert noise.pow(2).mean().sqrt() == pytest.approx(reach / 3**0.5, rel=0.02)


def test_noise_of_sensitivity_is_drawn_from_its_seed(reader):
    pytest.importorskip("captum")
    case = ev.case_of(reader, TEXT)
    first, same, other = (
        shaken_by_sensitivity(case, samples=2, seed=seed)[1] for seed in (1, 1, 2)
    )
    torch.testing.assert_close(first, same)
    assert not torch.allclose(first, other)


def test_sensitivity_is_the_largest_change_over_the_length_of_the_map():
    """For one draw and pixels, which can be drawn again here."""
    pytest.importorskip("captum")
    case = ev.case_of(tiny("vit"), ev.Example(example("vit")), 1)
    heat = case.heat("attcat")
    found = ev.METRICS["sensitivity"].measure(case, heat, radius=0.1, samples=1, seed=3)
    pixels = case.coded.tensors["pixel_values"]
    drawn = torch.rand(pixels.shape, generator=torch.Generator().manual_seed(3))
    reach = 0.1 * (pixels.max() - pixels.min())
    shaken = pixels + reach * (2 * drawn - 1).to(pixels)
    run = case.trace.again(inputs=case.coded.tensors | {"pixel_values": shaken})
    change = ex.METHODS["attcat"](run).cpu() - heat.scores
    assert found == pytest.approx(float(change.norm() / heat.scores.norm()), rel=1e-6)


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_infidelity_blanks_that_share_of_the_words_and_no_special(reader, share, monkeypatch):
    pytest.importorskip("captum")
    case = ev.case_of(reader, TEXT)
    seen = []
    fill = type(case.trace).fill

    def keep(trace, where, how):
        seen.append(where)
        return fill(trace, where, how)

    monkeypatch.setattr(type(case.trace), "fill", keep)
    ev.METRICS["infidelity"].measure(case, case.heat("attcat"), samples=400, share=share)
    blanked = torch.cat(seen)
    blanked = blanked[blanked.any(1)]
    assert not blanked[:, case.coded.special_tokens].any()
    taken = blanked[:, case.words].double()
    assert float(taken.mean()) == pytest.approx(share, abs=0.05)


# ------------------------------------------------------------------------------------- the sample


@pytest.fixture
def table(tmp_path) -> Path:
    rows = [f"{one.id}\t{one.inputs}\t{one.label}\n" for one in texts(40).examples]
    (tmp_path / "data.tsv").write_text("id\ttext\tlabel\n" + "".join(rows))
    return tmp_path / "data.tsv"


def ids_of_run(table: Path, out: Path, *more: str) -> list[str]:
    given = ["evaluate", "--data", str(table), "--methods", "random", "--metrics", "aopc:levels=1"]
    assert main([*given, "--out", str(out), *more]) == 0
    return sorted(pd.read_parquet(out / "records.parquet")["id"].unique())


def test_the_seed_of_the_command_line_draws_the_sample(table, tmp_path):
    drawn = {}
    for name, seed in (("first", 1), ("same", 1), ("other", 2)):
        drawn[name] = ids_of_run(table, tmp_path / name, "--limit", "5", "--seed", str(seed))
        assert len(drawn[name]) == 5
        rows = random.Random(seed).sample(range(40), 5)
        assert drawn[name] == sorted(f"row {k}" for k in rows)
        assert json.loads((tmp_path / name / "run.json").read_text())["seed"] == seed
    assert drawn["first"] == drawn["same"] != drawn["other"]


def test_the_seed_of_a_protocol_draws_its_sample_too(table, tmp_path):
    more = ("--protocol", "attcat-table1", "--limit", "3", "--seed", "7")
    assert ids_of_run(table, tmp_path / "out", *more) == sorted(
        f"row {k}" for k in random.Random(7).sample(range(40), 3)
    )


def test_without_a_limit_every_row_is_measured(table, tmp_path):
    assert ids_of_run(table, tmp_path / "out") == sorted(f"row {k}" for k in range(40))


def test_the_seed_reaches_the_random_order_and_the_intervals(tmp_path):
    plan = replace(PLAN, methods=("random", "attcat"))
    runs = [
        evaluate(texts(6), replace(plan, seed=seed), tmp_path / name, quiet=True)
        for name, seed in (("first", 1), ("same", 1), ("other", 2))
    ]

    def found(method: str, of: str) -> list[float]:
        return [run.table.loc[method, ("aopc:levels=2", of)] for run in runs]

    first, same, other = found("random", "mean")
    assert first == same != other  # another random order
    first, same, other = found("attcat", "mean")
    assert first == same == pytest.approx(other)
    first, same, other = zip(found("attcat", "low"), found("attcat", "high"))
    assert first == same != other  # other examples were resampled


def test_an_interval_holds_95_in_100_of_the_resampled_means():
    values = np.random.default_rng(5).normal(2, 3, 400)
    found = means.interval(values, 0)
    half = 1.96 * values.std() / len(values) ** 0.5
    assert found["mean"] == pytest.approx(values.mean()) and found["n"] == 400
    assert found["low"] == pytest.approx(values.mean() - half, abs=0.08 * half)
    assert found["high"] == pytest.approx(values.mean() + half, abs=0.08 * half)


# ----------------------------------------------------------------------------------- the manifest

CHANGED = {
    "model": "paraphrase",
    "methods": ("rollout",),
    "metrics": ("aopc:levels=3",),
    "target": "label",
    "seed": 1,
    "revision": "0123abc",
    "side": "text",
    "texts": ("a cat",),
    "baselines": True,
}


def test_the_manifest_says_all_of_the_plan_and_the_data(tmp_path):
    data = texts(2)
    evaluate(data, PLAN, tmp_path, quiet=True)
    said = json.loads((tmp_path / "run.json").read_text())
    for field in fields(Plan):
        value = getattr(PLAN, field.name)
        assert said[field.name] == (list(value) if isinstance(value, tuple) else value)
    assert (said["data"], said["examples"], said["fingerprint"]) == ("texts", 2, data.fingerprint)
    assert said["shard"] == shards.TEXTS
    assert said["versions"]["torch"] == version("torch")
    assert said["versions"]["transformers"] == version("transformers")
    assert said["versions"]["explainers"] == ex.__version__


@pytest.mark.parametrize("name", [field.name for field in fields(Plan)])
def test_a_run_with_anything_else_in_its_plan_is_another_run(tmp_path, name):
    """Refused before anything is loaded, so that a revision need not be there."""
    evaluate(texts(2), PLAN, tmp_path, quiet=True)
    table = (tmp_path / "table.md").read_text()
    with pytest.raises(ex.Refusal, match=f"holds another run: {name} was"):
        evaluate(texts(2), replace(PLAN, **{name: CHANGED[name]}), tmp_path, quiet=True)
    assert (tmp_path / "table.md").read_text() == table


def test_the_revision_of_the_command_line_is_in_the_plan(table, tmp_path, capsys):
    ids_of_run(table, tmp_path / "out", "--limit", "2")
    given = ["evaluate", "--data", str(table), "--methods", "random", "--metrics", "aopc:levels=1"]
    more = ["--limit", "2", "--out", str(tmp_path / "out"), "--revision", "v2"]
    assert main([*given, *more]) == 2
    assert "revision was None and is 'v2'" in capsys.readouterr().err


class Half(Work):
    """The work, stopped before its second shard."""

    done = False

    def __call__(self, examples):
        if self.done:
            raise KeyboardInterrupt
        self.done = True
        return super().__call__(examples)


def test_a_run_does_not_go_on_with_other_weights_of_the_same_name(tmp_path, word_tokenizer):
    """A folder into which a training writes, a branch of the Hub that moves."""
    folder = tmp_path / "model"
    net = tiny("bert", torch.float32).net
    net.save_pretrained(folder)
    word_tokenizer.save_pretrained(folder)
    plan = replace(PLAN, model=str(folder))
    data, out = texts(4), tmp_path / "out"

    def stopped() -> None:
        with pytest.raises(ex.Refusal, match="Stopped: 1 of 2 shards"):
            evaluate(data, plan, out, shard=2, work=Half(plan), quiet=True)

    stopped()
    trained = ex.load(str(folder), device="cpu").net
    with torch.no_grad():
        trained.classifier.bias[0] += 1e-3
    trained.save_pretrained(tmp_path / "trained")
    file = folder / "model.safetensors"
    before, after = file.read_bytes(), (tmp_path / "trained/model.safetensors").read_bytes()
    file.write_bytes(after)
    with pytest.raises(ex.Refusal, match=r"^The shards in .* were measured with other weights of"):
        evaluate(data, plan, out, shard=2, quiet=True)
    assert len(list((out / "shards").glob("*.parquet"))) == 1
    file.write_bytes(before)
    result = evaluate(data, plan, out, shard=2, quiet=True)
    assert len(result.records) == 4
    assert list(result.records) == ["id", "method", "target", *PLAN.metrics]


# -------------------------------------------------------------------------------- the fingerprint

LONG = "a film " * 1000
PICTURE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
IMAGE, OTHER_IMAGE = Image.fromarray(PICTURE), Image.fromarray(PICTURE + 1)
BASE = Example("a film", 1, "one", {"rationale": [(0, 1)], "boxes": [(0, 0, 2, 2)]})


def masked(mask) -> Example:
    return replace(BASE, data={"mask": mask})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (BASE, replace(BASE, id="two")),
        (BASE, replace(BASE, label=0)),
        (BASE, replace(BASE, label="1")),
        (BASE, replace(BASE, label=None)),
        (BASE, replace(BASE, inputs="a film.")),
        (BASE, replace(BASE, inputs=("a", "film"))),
        (BASE, replace(BASE, data=BASE.data | {"rationale": [(2, 6)]})),
        (BASE, replace(BASE, data=BASE.data | {"boxes": [(0, 0, 2, 3)]})),
        (BASE, replace(BASE, data={})),
        (replace(BASE, inputs=LONG + "good"), replace(BASE, inputs=LONG + "bad!")),
        (replace(BASE, inputs=("a film", "x")), replace(BASE, inputs=("a", "filmx"))),
        (replace(BASE, inputs=b"\x00" * 3000 + b"a"), replace(BASE, inputs=b"\x00" * 3000 + b"b")),
        (replace(BASE, inputs=IMAGE), replace(BASE, inputs=OTHER_IMAGE)),
        (replace(BASE, inputs=PICTURE), replace(BASE, inputs=PICTURE + 1)),
        (masked(PICTURE[..., 0] > 9), masked(PICTURE[..., 0] > 12)),
        (masked(torch.ones(2, 2)), masked(torch.zeros(2, 2))),
    ],
    ids=lambda one: "",
)
def test_a_fingerprint_is_of_all_that_an_example_is(first, second):
    prints = [Dataset("d", [one]).fingerprint for one in (first, second)]
    assert prints[0] != prints[1]
    copies = [replace(one, data=dict(reversed(one.data.items()))) for one in (first, second)]
    assert [Dataset("e", [one]).fingerprint for one in copies] == prints


def test_a_fingerprint_is_of_the_examples_in_their_order():
    data = texts(3)
    other = replace(data, examples=data.examples[::-1])
    assert data.fingerprint == texts(3).fingerprint != other.fingerprint
    assert data.fingerprint != texts(4).fingerprint


def test_a_picture_or_a_mask_in_a_file_is_known_by_its_name_and_size(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / "a" / name).mkdir(parents=True)
    drawn = np.zeros((8, 8), np.uint8)
    Image.fromarray(drawn).save(tmp_path / "a/images/one.png")
    Image.fromarray(drawn).save(tmp_path / "a/masks/one.png")
    before = read(tmp_path / "a").fingerprint
    (tmp_path / "a").rename(tmp_path / "b")
    assert read(tmp_path / "b").fingerprint == before
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(noise).save(tmp_path / "b/masks/one.png")
    assert read(tmp_path / "b").fingerprint != before
    Image.fromarray(drawn).save(tmp_path / "b/masks/one.png")
    assert read(tmp_path / "b").fingerprint == before
    Image.fromarray(noise).save(tmp_path / "b/images/one.png")
    assert read(tmp_path / "b").fingerprint != before
