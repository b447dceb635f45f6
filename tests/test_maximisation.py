"""Activation maximisation against two recorded climbs, and the laws of a climb."""

import math

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny import GOLDENS, IMAGE, fresh, tiny

import explainers as ex
from explainers.maximisation import total_variation
from explainers.render.maximised import curve

RECORDED = load_file(GOLDENS / "activation.safetensors")

#: y(x) − 0.01 ‖x‖² by 20 plain steps of 0.05 from grey: height of the first steps, of the picture
#: at the end, and its length, by class.
PLAIN = {
    0: (
        [-1.3445122895303485, 0.878095547543196, 2.716871777327558],
        8.04019729423715,
        1.9558443867306958,
    ),
    3: (
        [0.2546717751993852, 2.916236966267445, 4.310269439035541],
        7.176947433069368,
        1.5617404560090085,
    ),
}

#: Adam from recorded noise, 50 steps of 0.1 with total variation: the first three scores and the
#: last.
ADAM = {
    0: ([0.8965840683521012, 3.7847128589561985, 5.734724853693299], 9.016995869858476),
    3: ([0.4145037842053236, 4.278922998833249, 5.905964649097827], 7.51409671126289),
}


@pytest.mark.parametrize("index", PLAIN)
def test_a_plain_climb_with_a_penalty_on_length_is_the_recorded_one(index):
    """The recording's attention softmaxed in float32, and twenty steps of a climb enlarge that:
    equal to four digits at the end.
    """
    first, last, length = PLAIN[index]
    got = ex.imagine(
        tiny("vit"),
        index,
        optimiser="sgd",
        rate=0.0125,
        l2=0.01,
        tv=0,
        jitter=0,
        start="grey",
        bounded=False,
        steps=20,
    )
    assert got.scores[0] == pytest.approx(first[0], rel=1e-6)
    heights = [
        ex.imagine(
            tiny("vit"),
            index,
            optimiser="sgd",
            rate=0.0125,
            l2=0.01,
            tv=0,
            jitter=0,
            start="grey",
            bounded=False,
            steps=n,
        )
        for n in (1, 2)
    ]
    for climb, wanted in zip(heights, first[1:]):
        x = tiny("vit").normalised(climb.rgb)
        assert climb.scores[-1] - 0.01 * float(x.pow(2).sum()) == pytest.approx(wanted, rel=1e-6)
    x = tiny("vit").normalised(got.rgb)
    torch.testing.assert_close(x.float(), RECORDED[f"climbed.{index}"].float(), rtol=0, atol=1e-3)
    assert got.scores[-1] == pytest.approx(last, rel=1e-3) and float(x.norm()) == pytest.approx(
        length, rel=1e-3
    )


@pytest.mark.parametrize("index", ADAM)
def test_a_climb_by_adam_starts_as_the_recorded_one_and_ends_as_high(index):
    """The first steps to six digits; later ones are sensitive to the last, and the two climbs end
    equally high.
    """
    first, last = ADAM[index]
    got = ex.imagine(
        tiny("vit"),
        index,
        rate=0.1,
        tv=0.0005,
        jitter=0,
        start=RECORDED["start"].double(),
        steps=50,
    )
    assert got.scores[:3] == pytest.approx(first, rel=2e-6)
    assert got.scores[-1] == pytest.approx(last, rel=1e-3)


@pytest.mark.parametrize("name", [name for name in IMAGE if "." not in name])
def test_a_climb_goes_up_and_gives_a_picture(name):
    got = ex.imagine(tiny(name), 1, steps=12, tv=0.002, jitter=2)
    assert got.scores[-1] > got.scores[0] and len(got.scores) == 13
    assert got.image.size == (32, 32) and got.image.mode == "RGB"
    assert got.rgb.min() >= 0 and got.rgb.max() <= 1


def test_a_dual_encoder_imagines_a_text(word_tokenizer):
    net = fresh("vision-text-dual-encoder.vision").net
    model = ex.load(net, tokenizer=word_tokenizer, device="cpu")
    got = ex.imagine(model, "a good movie", texts=["a good movie", "bad"], steps=8, tv=0, jitter=0)
    assert got.target == "a good movie" and got.scores[-1] > got.scores[0]
    with pytest.raises(ex.Refusal, match="needs `texts`"):
        ex.imagine(model, 0)


def test_the_same_seed_gives_the_same_picture_and_another_another():
    one, same, other = (ex.imagine(tiny("vit"), 2, steps=4, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.rgb, same.rgb) and one.scores == same.scores
    assert not torch.equal(one.rgb, other.rgb)


@pytest.mark.parametrize("unit, token", [((2, 5), slice(1, None)), ((2, 5, 3), 3)])
def test_a_unit_is_what_its_own_module_puts_out(unit, token):
    model, seen = fresh("vit"), []
    model.blocks[2].mlp.activation_fn = Watched(model.blocks[2].mlp.activation_fn, seen)
    got = ex.imagine(model, unit=unit, steps=1, jitter=0)
    assert got.scores[0] == pytest.approx(seen[0][0, token, 5].mean().item(), rel=1e-9)


class Watched(torch.nn.Module):
    """A module that keeps what it puts out."""

    def __init__(self, inner, seen):
        super().__init__()
        self.inner, self.seen = inner, seen

    def forward(self, x):
        self.seen.append(self.inner(x))
        return self.seen[-1]


def test_total_variation_is_the_length_of_all_steps_across_and_down():
    x = torch.tensor([[[[1.0, 3.0], [1.0, 0.0]]]])
    assert float(total_variation(x)) == pytest.approx((2**2 + 1**2) ** 0.5 + (0**2 + 3**2) ** 0.5)


def test_progress_is_told_about_thirty_times():
    told = []
    ex.imagine(
        tiny("vit"),
        0,
        steps=60,
        progress=lambda done, of, image: told.append((done, of, image.size)),
    )
    assert len(told) == 30 and told[-1] == (60, 60, (32, 32))


def test_the_defaults_climb_on_a_trained_model_and_smooth_the_picture():
    model = ex.load("vit", device="cpu")
    smooth, rough = (
        ex.imagine(model, "goldfish", steps=48),
        ex.imagine(model, "goldfish", steps=48, tv=0),
    )
    assert smooth.scores[-1] > smooth.scores[0] + 3
    assert total_variation(smooth.rgb[None]) < total_variation(rough.rgb[None]) / 2


def test_a_file_says_what_it_is_of(tmp_path):
    got = ex.imagine(tiny("vit"), 1, steps=2)
    got.save(tmp_path / "climb.png")
    with Image.open(tmp_path / "climb.png") as file:
        assert (
            file.text["target"] == got.target
            and file.text["steps"] == "2"
            and file.size == (32, 32)
        )
    with pytest.raises(ex.Refusal, match="could not be written"):
        got.save(tmp_path / "nowhere" / "climb.png")


@pytest.mark.parametrize(
    "name, how, said",
    [
        ("bert", {"target": 0}, "reads pictures"),
        ("vit", {}, "which class or unit"),
        ("vit", {"target": "dragon"}, "no class 'dragon'"),
        ("vit", {"target": 0, "steps": 0}, "at least one step"),
        ("vit", {"target": 0, "rate": 0}, "rate above 0"),
        ("vit", {"target": 0, "tv": -1}, "0 or more"),
        ("vit", {"target": 0, "unit": (0, 0)}, "not both"),
        ("vit", {"unit": (9, 0)}, "no layer 9"),
        ("vit", {"unit": (0, 96)}, "no feature 96"),
        ("vit", {"unit": (0, 0, 17)}, "no token 17"),
        ("vit", {"unit": (1,)}, "(layer, feature)"),
        ("vit", {"unit": (0, 0, -1)}, "no token -1"),
        ("vit", {"target": 0, "rate": math.nan}, "rate above 0"),
        ("vit", {"target": 0, "tv": math.nan}, "0 or more"),
        ("vit", {"target": 0, "steps": 2.5}, "whole numbers"),
        ("vit", {"target": 0, "jitter": 1.5}, "whole numbers"),
        ("vit", {"target": 0, "seed": 10**30}, "whole numbers"),
        ("vit", {"target": 0, "optimiser": "hill"}, "adam or sgd"),
        ("vit", {"target": 0, "texts": ["a cat"]}, "sees pictures alone"),
        ("beit", {"unit": (0, 0)}, "not where this package looks"),
        ("vit", {"target": 0, "start": "sky"}, "The start is noise, grey"),
        ("vit", {"target": 0, "start": torch.zeros(32, 32)}, "(3, height, width)"),
    ],
)
def test_what_cannot_be_climbed_is_refused_in_words(name, how, said):
    with pytest.raises(ex.Refusal) as refused:
        ex.imagine(tiny(name), **how)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_the_sentence_over_the_curve_holds_for_a_score_that_fell():
    assert "The score went from 3 to 1 in 1 steps." in curve([3.0, 1.0])
