"""explain a text or a picture: which tokens or patches moved the score, and which way"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from ..errors import Refusal
from ..explanation import stream
from ..heatmap import Comparison, Heatmap
from ..inputs import Encoded
from ..methods import METHODS, find, most_faithful_first, readings
from ..models import Model
from ..numerals import readable
from ..prediction import predict
from ..render.export import maps_to_csv, readings_to_csv, save, to_json, to_png, write, writer_for
from ..render.heatmaps import document, heads_html
from ..render.terminal import heads_text, heatmap_text
from .given import inputs_of, model_for, parse_option


def add_arguments(parser: ArgumentParser) -> None:
    add_input_arguments(parser)
    parser.add_argument(
        "--method", action="append", metavar="KEY", help="may be repeated; or all (default: attcat)"
    )
    parser.add_argument(
        "--target",
        help="what is explained (default: what the model predicts). A class: its label or index, "
        "or 'A - B'. Of a question: answer, start, end, best span, no answer, or a part of the "
        "context. Of a language model: the next token, as ' Paris' or '#262'. Of word labels: "
        "'LABEL at word'. Of a picture with texts: a text",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the method; may be repeated",
    )
    add_output_arguments(parser)


def add_input_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--text",
        action="append",
        default=[],
        help="the text to explain; - reads standard input. With --image, a text to match the "
        "picture with; may be repeated",
    )
    parser.add_argument(
        "--image", metavar="FILE", help="a picture to explain, alone or with --text"
    )
    parser.add_argument(
        "--side",
        choices=("vision", "text"),
        help="of --image with --text, which one is explained (default: vision, the picture)",
    )
    parser.add_argument("--pair", metavar="TEXT", help="the second text, for models of text pairs")
    parser.add_argument(
        "--question", metavar="TEXT", help="for models that find answers in a text; with --context"
    )
    parser.add_argument("--context", metavar="TEXT", help="the text that holds the answer")
    parser.add_argument(
        "--model",
        help="a bundled name, a folder or a Hub id (default: sentiment; question-answering with "
        "--question; vit with --image; image-text with --image and --text)",
    )
    parser.add_argument("--revision", help="commit or branch of a Hub model")


def add_output_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--heads",
        type=int,
        metavar="LAYER",
        help="also show the attention heads: the sum of |score| of each head in every layer, and "
        "the map of each head of LAYER over the words (-1: the last layer)",
    )
    parser.add_argument(
        "--maps",
        metavar="FILE",
        help="write the token-by-token maps of all layers as .csv, for methods that have them",
    )
    parser.add_argument(
        "--readings",
        nargs="?",
        const="",
        metavar="FILE",
        help="of optimus: every attention map with its faithfulness, the best first; with FILE, "
        "as .csv",
    )
    parser.add_argument("--tokens", action="store_true", help="show sub-words and special tokens")
    parser.add_argument("--json", action="store_true", help="print the raw numbers as JSON")
    parser.add_argument("--html", metavar="FILE", help="write a page")
    parser.add_argument("--png", metavar="FILE", help="write a figure")
    parser.add_argument(
        "--save", metavar="FILE", help="write .html, .svg, .png, .csv or .json, by the suffix"
    )


@dataclass(frozen=True)
class Explained:
    """A model, its input, the target that was asked for, and the heatmaps."""

    model: Model
    coded: Encoded
    target: str | None
    heats: Comparison

    def trace(self):
        return self.model.trace(self.coded, self.target)


def run(args: Namespace) -> str | Text:
    inputs = inputs_of(args)
    if args.save:
        writer_for(args.save)  # refuse an unknown suffix before the model runs
    model = model_for(args)
    keys = None if args.method == ["all"] else args.method or ["attcat"]
    options = dict(parse_option(one) for one in args.option)
    if options and (keys is None or len(keys) > 1):
        raise Refusal("Options belong to one method: give a single --method with them.")
    coded = model.encode(inputs)
    announce_cost(model, keys, options, coded)
    left_out: dict[str, str] = {}
    maps = stream(model, coded, keys, args.target, left_out=left_out, **options)
    explained = Explained(model, coded, args.target, Comparison(maps, left_out))
    prediction = predict(model, coded)
    panels = []
    if args.heads is not None:
        panels = [heads_html(heat, args.heads, style=False) for heat in explained.heats]
    if args.html:
        write(document(explained.heats, more="".join(panels)), args.html)
    write_files(args, explained, {"prediction": f"the model says: {prediction}"})
    if args.json:
        return to_json(explained.heats)
    sentence = f"{model.name} says {model.task.introduction}{prediction}"
    return report(args, explained, sentence)


def announce_cost(
    model: Model, keys: list[str] | None, options: dict[str, str], coded: Encoded
) -> None:
    """Say on standard error which methods take more than one pass, before they start."""
    if keys is None:
        chosen = [one for one in METHODS.values() if model.anatomy.modality in one.modalities]
    else:
        chosen = [find(key) for key in keys]
    tokens = int((~coded.special_tokens).sum())
    # of a model whose few blocks run often (ALBERT), the passes through a block
    layers = getattr(model.tower.config, "num_hidden_layers", len(model.blocks))
    costs = []
    for method in chosen:
        values = method.read(options)
        if not method.is_single_pass(values):
            costs.append(f"{method.title} takes {method.cost_of(values, tokens, layers)}")
    if costs:
        lines = [*costs, "(F forward, B backward passes)."]
        print("\n".join(lines), file=sys.stderr)


def write_files(args: Namespace, explained: Explained, about: dict[str, str]) -> None:
    """Write what --png, --save and --maps ask for."""
    heats = explained.heats
    if args.png:
        write(to_png(heats, about), args.png)
    if args.save:
        save(heats, args.save, about)
    if args.maps:
        trace = explained.trace()
        maps = [METHODS[heat.method].maps(trace, **heat.options) for heat in heats]
        write(maps_to_csv(heats, maps), args.maps)


def report(args: Namespace, explained: Explained, prediction: str) -> Text:
    """The prediction, every map, and what was written, for a terminal."""
    parts = [Text(prediction)]
    for heat in explained.heats:
        part = heatmap_text(heat, args.tokens)
        if args.heads is not None:
            part = Text("\n").join([part, heads_text(heat, args.heads)])
        parts.append(part)
    if args.readings is not None:
        parts.append(Text(every_reading(explained, args.readings)))
    left_out = explained.heats.left_out
    if left_out:
        reasons = [f"  {title}: {reason}" for title, reason in left_out.items()]
        parts.append(Text("\n".join(["Methods without a map here:", *reasons])))
    for path in (args.html, args.png, args.save, args.maps):
        if path:
            parts.append(Text(f"written: {path}"))
    return Text("\n\n").join(parts)


def every_reading(explained: Explained, path: str) -> str:
    """All attention maps that Optimus chooses from, with their faithfulness, the best first.

    path: a .csv file to write them to; "" to print them.
    """
    found = most_faithful_first(readings(explained.trace(), **optimus_options(explained.heats)))
    if path:
        write(readings_to_csv(found), path)
        best = f"{found[0].name} (RFT {readable(found[0].faithfulness, 4, signed=True)})"
        return f"{len(found)} readings, the best {best}: {path}"
    lines = [f"  {one.name:24}{readable(one.faithfulness, 4, signed=True)}" for one in found]
    return "\n".join([f"{len(found)} readings, RFT:", *lines])


def optimus_options(heats: Sequence[Heatmap]) -> dict[str, Any]:
    """The options that the map of Optimus was made with, without its choice among the maps."""
    for heat in heats:
        if heat.method == "optimus":
            return {name: value for name, value in heat.options.items() if name != "choice"}
    raise Refusal("--readings are those of optimus: add --method optimus.")
