"""The command line:  python -m explainers explain --model sentiment --method attcat --text "..."
python -m explainers explain --model vit --method gae --image FILE --png FILE
python -m explainers imagine --model vit --class teapot --png FILE
python -m explainers evaluate --model sentiment --data FILE --methods attcat,gae --metrics aopc,logodds --out DIR
python -m explainers methods [KEY]
python -m explainers metrics [KEY]
"""

import argparse
import os
import sys
from pathlib import Path

from .errors import Refusal


def explain(args) -> str:
    """explain a text or a picture: which tokens or patches moved the score, which way"""
    from .explanation import stream
    from .heatmap import Comparison
    from .prediction import predict
    from .render.export import save, to_json, to_png, write, writer_for
    from .render.heatmaps import head_panel, page

    given = given_by(args)
    if args.save:
        writer_for(args.save)  # refuse before the model runs
    model = model_for(args)
    keys = None if args.method == ["all"] else args.method or ["attcat"]
    options = dict(option_of(one) for one in args.option)
    if options and (keys is None or len(keys) > 1):
        raise Refusal("Options belong to one method: give a single --method with them.")
    given = model.encode(given)
    warn(model, keys, options, given)
    left_out: dict[str, str] = {}
    heats = Comparison(
        stream(model, given, keys, args.target, left_out=left_out, **options), left_out
    )
    said = predict(model, given)
    about = {"prediction": f"the model says: {said}"}
    by_head = (
        [head_panel(heat, args.heads, style=False) for heat in heats]
        if args.heads is not None
        else []
    )
    if args.html:
        write(page(heats, more="".join(by_head)), args.html)
    if args.png:
        write(to_png(heats, about), args.png)
    if args.save:
        save(heats, args.save, about)
    if args.maps:
        write(maps_as_csv(model, given, heats, args.target), args.maps)
    if args.json:
        return to_json(heats)
    lines = [f"{model.name} says {model.task.introduction}{said}"]
    lines += [
        block(heat, args.tokens) + (by_layer(heat, args.heads) if args.heads is not None else "")
        for heat in heats
    ]
    if args.readings is not None:
        lines.append(every_reading(model, given, heats, args.target, args.readings))
    lines += (
        [
            "\n".join(
                [
                    "Methods without a map here:",
                    *(f"  {title}: {reason}" for title, reason in left_out.items()),
                ]
            )
        ]
        if left_out
        else []
    )
    lines += [f"written: {path}" for path in (args.html, args.png, args.save, args.maps) if path]
    return "\n\n".join(lines)


def every_reading(model, given, heats, target, path: str) -> str:
    """Optimus' search space: layer/head/row and how faithful (RFT) each is, the best first; to `path` as CSV if there is one."""
    from .methods import most_faithful_first, readings
    from .render.export import write

    options = [
        {name: value for name, value in heat.options.items() if name != "choice"}
        for heat in heats
        if heat.method == "optimus"
    ]
    if not options:
        raise Refusal("--readings are those of optimus: add --method optimus.")
    found = most_faithful_first(readings(model.trace(given, target), **options[0]))
    if path:
        write(
            "\n".join(
                [
                    "layer,head,row,rft",
                    *(f"{one.layer},{one.head},{one.view},{one.faithfulness}" for one in found),
                    "",
                ]
            ),
            path,
        )
        return f"{len(found)} readings, the best {found[0].name} (RFT {found[0].faithfulness:+.4g}): {path}"
    return "\n".join(
        [
            f"{len(found)} readings, RFT:",
            *(f"  {one.name:24}{one.faithfulness:+.4g}" for one in found),
        ]
    )


def maps_as_csv(model, given, heats, target) -> str:
    """What each token gave each token in every layer: a line a method, layer, query and key; methods without such maps are refused."""
    import csv
    import io

    from .methods import METHODS

    held = io.StringIO()
    rows = csv.writer(held, quoting=csv.QUOTE_NONNUMERIC)  # a piece such as ##ing is no comment
    rows.writerow(["method", "layer", "query", "key", "query_token", "key_token", "value"])
    trace = model.trace(given, target)
    for heat in heats:
        for layer, map_ in enumerate(METHODS[heat.method].maps(trace, **heat.options).tolist()):
            rows.writerows(
                [heat.method, layer, q, k, heat.labels[q], heat.labels[k], float(f"{value:.6g}")]
                for q, row in enumerate(map_)
                for k, value in enumerate(row)
            )
    return held.getvalue()


def warn(model, keys: list[str] | None, options: dict, given) -> None:
    """Say on standard error what will take more than one pass, before it starts."""
    from .methods import METHODS, find

    tokens = int((~given.special_tokens).sum())
    layers = getattr(
        model.tower.config, "num_hidden_layers", len(model.blocks)
    )  # ALBERT's few blocks run often
    chosen = (
        map(find, keys)
        if keys
        else (method for method in METHODS.values() if model.anatomy.modality in method.tasks)
    )
    slow = [method for method in chosen if not method.is_single_pass(method.read(options))]
    if slow:
        said = "; ".join(
            f"{method.title} takes {method.cost_of(method.read(options), tokens, layers)}"
            for method in slow
        )
        print(f"{said} (F forward, B backward passes).", file=sys.stderr)


def model_for(args):
    """The model that is asked for, or the bundled one for what is given; of a dual encoder the side that is explained."""
    bundled = (
        "question-answering"
        if args.question is not None
        else "image-text"
        if args.image and args.text
        else "vit"
        if args.image
        else "sentiment"
    )
    model = loaded(args.model or bundled, args.revision)
    modality = model.is_dual_encoder or model.anatomy.modality == "image"
    if args.question is not None and model.task.key != "answers":
        raise Refusal(
            f"{model.name} does not look for answers in a context; for --question take a model that does, such as question-answering."
        )
    if args.image and not modality:
        raise Refusal(
            f"{model.name} reads texts; for --image take a model that sees pictures, such as vit, or image-text with --text."
        )
    if not args.image and modality:
        raise Refusal(
            f"{model.name} sees pictures: give --image{' and --text' if model.is_dual_encoder else ''}."
        )
    if args.image and args.text and not model.is_dual_encoder:
        raise Refusal(
            f"{model.name} sees pictures alone; for --image with --text take a model that matches them, such as image-text."
        )
    return model.side(args.side) if args.side else model


def loaded(name: str, revision: str | None):
    """A model, without progress bars."""
    from .models import load

    transformers_quiet()
    return load(name, revision=revision)


def transformers_quiet() -> None:
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def given_by(args):
    """The text, the pair, the question with its context, the picture, or the picture with its texts; - reads standard input."""
    if (args.question is None) != (args.context is None):
        raise Refusal(
            f"A {'question needs its --context' if args.context is None else 'context needs its --question'}."
        )
    if args.question is not None and (args.text or args.pair is not None or args.image):
        raise Refusal("Give --text (and --pair), or --question and --context, not both.")
    if args.image and args.pair is not None:
        raise Refusal(
            "A picture is matched with single texts: give --image with one or several --text, without --pair."
        )
    if args.side and not (args.image and args.text):
        raise Refusal("A --side is that of a picture or of its text: give --image and --text.")
    if not (args.text or args.image or args.question is not None):
        raise Refusal("Give --text, --image, both, or --question and --context.")
    if len(args.text) > 1 and not args.image:
        raise Refusal(
            "Several --text are for matching with a picture: give --image too, or one --text (and --pair)."
        )
    texts = (
        [*args.text, *([args.pair] if args.pair is not None else [])]
        if args.question is None
        else [args.question, args.context]
    )
    if texts.count("-") > 1:
        raise Refusal("Only one of the texts can be read from standard input.")
    texts = [sys.stdin.read() if text == "-" else text for text in texts]
    if args.image:
        return (Path(args.image), texts) if texts else Path(args.image)
    return texts[0] if len(texts) == 1 else tuple(texts)


def option_of(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise Refusal(f"An option is written name=value; got {given!r}.")
    return name.strip(), value.strip()


def block(heat, tokens: bool) -> str:
    """One method's map for a terminal: a bar and a number a word, or the grid of a picture's patches; sign first."""
    from .render.card import visible

    facts = "".join(f"; {name} {value:.3g}" for name, value in heat.facts.items())
    lines = [
        f"{heat.title}, explaining {visible(heat.target)} ({heat.unit} {heat.score:.3f}); "
        + (
            f"+ {heat.poles[1]}, − {heat.poles[0]}"
            if heat.signed
            else "unsigned: how much, not which way"
        )
    ]
    lines += by_word(heat, tokens) if heat.grid is None else by_patch(heat)
    lines.append(
        f"  ({heat.cost}; {100 * heat.special_share:.0f} % of all |score| lies on special tokens{facts})"
    )
    if heat.marked:
        lines.append(f"  (< what is explained: {visible(heat.text[slice(*heat.marked)])})")
    return "\n".join(lines + [f"  {note}" for note in heat.notes])


def by_word(heat, tokens: bool) -> list[str]:
    """A word a line; tokens: sub-words and special tokens as they are."""
    from .render.card import largest, number, visible
    from .render.tokens import view

    seen = view(heat, merge=not tokens, specials=tokens)
    scale, lines = largest(seen.scores) or 1.0, []
    width = min(24, max(len(visible(label)) for label in seen.labels))
    for i, (label, score) in enumerate(zip(seen.labels, seen.scores.tolist())):
        if seen.halves and (i == 0 or seen.half(i) != seen.half(i - 1)):
            lines.append(f"  -- {seen.halves[seen.half(i)]} --")
        mark = " <" if seen.is_marked(i) else ""
        bar = ("█" if score >= 0 else "░") * round(20 * abs(score) / scale)
        lines.append(
            f"  {visible(label)[:24]:{width}}  {number(score, heat.signed):>9}  {bar}{mark}".rstrip()
        )
    return lines


SHADES = "·░▒▓█"  # of a patch, by its share of the largest |score|
TOP = 5  # patches that are named


def by_patch(heat) -> list[str]:
    """The grid of patches, a sign and a shade each, then the strongest patches by name."""
    from .render.card import largest, number
    from .ties import ranked

    grid = heat.patches.nan_to_num(0, 0, 0)
    scale = largest(grid) or 1.0

    def cell(score: float) -> str:
        shade = SHADES[round((len(SHADES) - 1) * abs(score) / scale)]
        return (
            ("−" if score < 0 else "+" if heat.signed and shade != SHADES[0] else " ") + shade
            if shade != SHADES[0]
            else " " + shade
        )

    lines = ["       " + "".join(f"{column % 100:2}" for column in range(1, heat.grid[1] + 1))]
    lines += [
        f"  {row:3}  " + "".join(map(cell, scores)) for row, scores in enumerate(grid.tolist(), 1)
    ]
    flat = grid.flatten()
    for i in ranked(flat.abs())[:TOP].tolist():
        score, (row, column) = float(flat[i]), divmod(i, heat.grid[1])
        bar = ("█" if score >= 0 else "░") * round(20 * abs(score) / scale)
        lines.append(
            f"  row {row + 1:2}, column {column + 1:2}  {number(score, heat.signed):>9}  {bar}".rstrip()
        )
    return lines


def by_layer(heat, layer: int) -> str:
    """Every head's sum of |score| over the words or patches, a line a layer, the chosen layer marked; then that layer's heads word by word."""
    from .render.card import visible
    from .render.tokens import view

    sums = heat.merged().without_specials().heads.nan_to_num(0, 0, 0).abs().sum(-1)
    lines = [
        f"  layer  sum of |score| over the {'words' if heat.grid is None else 'patches'}, head 0 to {sums.shape[1] - 1}"
    ]
    lines += [
        f"  {'>' if l == layer % len(sums) else ' '} L{l:<3} "
        + " ".join(f"{value:9.3g}" for value in row)
        for l, row in enumerate(sums.tolist())
    ]
    if heat.grid is None:
        seen = view(heat)
        within = seen.heads[layer]  # [head word]
        width = min(24, max(len(visible(label)) for label in seen.labels))
        lines.append(f"  layer {layer % len(sums)}, each head over the words")
        lines += [
            f"  {visible(label)[:24]:{width}} " + " ".join(f"{value:9.3g}" for value in column)
            for label, column in zip(seen.labels, within.mT.tolist())
        ]
    return "\n" + "\n".join(lines)


def imagine(args) -> str:
    """make the picture that a class, or a unit, answers to most"""
    from .activation import imagine
    from .render.card import visible

    if not Path(args.png).absolute().parent.is_dir():
        raise Refusal(f"{args.png} could not be written: there is no such folder.")
    model = loaded(args.model or ("image-text" if args.text else "vit"), args.revision)
    told = sys.stderr.isatty()
    progress = lambda done, of, _: (
        print(f"\r{done} of {of} steps", end="\n" if done == of else "", file=sys.stderr)
        if told
        else None
    )
    made = imagine(
        model,
        args.target,
        unit=args.unit,
        texts=args.text,
        steps=args.steps,
        tv=args.tv,
        l2=args.l2,
        jitter=args.jitter,
        seed=args.seed,
        progress=progress,
    )
    made.save(args.png)
    return (
        f"{made.model}, {visible(made.target)}: score {made.scores[0]:.3f} to {made.scores[-1]:.3f} in {args.steps} steps\n"
        f"{rising(made.scores)}\nwritten: {args.png}"
    )


def rising(scores: list[float], width: int = 60) -> str:
    """A curve as a line of bars."""
    picked = [
        scores[i * (len(scores) - 1) // max(1, min(width, len(scores)) - 1)]
        for i in range(min(width, len(scores)))
    ]
    low, high = min(picked), max(picked)
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (score - low) / ((high - low) or 1))] for score in picked)


def evaluate(args) -> str:
    """measure methods on a dataset, or repeat a paper's protocol; a run that was stopped goes on from where it was"""
    from .evaluation import data as datasets, protocols, runs as runner

    transformers_quiet()
    chosen = protocols.find_protocol(args.protocol) if args.protocol else None
    if args.list:
        return "\n".join(
            f"{one.key:24}{one.title}; --data: {one.data}" for one in protocols.PROTOCOLS.values()
        )
    if not args.data or not args.out:
        raise Refusal(
            "Give --data (a file, a folder or a name on the Hub) and --out (a folder for the results)."
        )
    if chosen and args.target:
        raise Refusal(
            f"The protocol {chosen.key} explains {chosen.target or 'the predicted class'}, as its authors did: leave --target out, or give --methods "
            "and --metrics instead of --protocol."
        )
    columns = datasets.Columns(
        args.text_column,
        args.pair_column,
        args.label_column,
        tuple(filter(None, args.columns.split(","))),
        args.labels,
    )
    data = datasets.read(args.data, columns).sample(args.limit, args.seed)
    given = {
        "methods": listed(args.methods),
        "metrics": listed(args.metrics),
        "seed": args.seed,
        "revision": args.revision,
        "side": args.side,
    }
    model = args.model or (chosen and chosen.model) or fitting(data)
    if chosen:
        plan = chosen.plan(model, data, **given)
    else:
        target = None if args.target in (None, "predicted") else args.target
        plan = runner.Plan(
            model,
            target=target,
            **{
                name: value
                for name, value in given.items()
                if value or name in ("methods", "metrics")
            },
        )
    note = chosen.note(args.data) if chosen else ""
    result = runner.evaluate(data, plan, args.out, engine=args.engine, note=note)
    return (
        f"{result.markdown}\nwritten: {args.out}/records.parquet, left_out.csv, table.md, table.csv"
    )


def fitting(data) -> str:
    """The bundled model for a dataset, by what its examples are."""
    one = data.examples[0]
    if not isinstance(one.inputs, str | tuple):
        return "vit"
    if isinstance(one.inputs, str):
        return "sentiment"
    if "answer" not in one.data:
        raise Refusal(
            f"{data.name} has pairs of texts, and pairs are made for different questions: give --model, of the bundled ones inference or paraphrase."
        )
    return "question-answering"


def listed(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip())


def metrics(args) -> str:
    """the menu of metrics, or one metric's definition"""
    from .evaluation import METRICS, find_metric

    said = {
        one.key: one.better
        or ", ".join(f"{part} {way}" for part, way in one.directions().items())
        for one in METRICS.values()
    }
    if args.key:
        one = find_metric(args.key)
        return f"{one.title} ({one.key}): {said[one.key] or 'neither'} is better; {one.reference}\n\n{one.definition}"
    return "\n".join(
        f"{one.key:24}{one.title}{': ' + said[one.key] + ' is better' if said[one.key] else ''}"
        for one in METRICS.values()
    )


def methods(args) -> str:
    """list the methods, or show one method's card"""
    from .methods import METHODS, find

    if args.markdown:
        return markdown()
    if not args.key:
        return "\n".join(
            f"{m.key:22} {kinds(m):9}{'signed  ' if m.signed else 'unsigned'} {m.passes:8} {m.title}  ({m.paper})"
            for m in METHODS.values()
        )
    m = find(args.key)
    card = m.card
    options = ", ".join(
        f"{o.name}={o.default}" + (f" of {'/'.join(map(str, o.choices))}" if o.choices else "")
        for o in m.options.values()
    )
    only = f" only: {m.only}" if m.only else ""
    parts = [
        ("", f"{m.title} ({m.key})"),
        ("", card.idea),
        ("Formula", card.formula),
        ("Sign", card.sign),
        ("Limits", card.limits),
        ("Options", card.options),
        ("", options),
        ("For", kinds(m) + only),
        ("Cost", m.passes),
        ("Paper", f"{m.paper}, {m.url}"),
    ]
    return "\n\n".join(f"{name + ': ' if name else ''}{text}" for name, text in parts if text)


def kinds(method) -> str:
    """What a method is for, in words."""
    return {("text",): "texts", ("image",): "pictures"}.get(method.tasks, "both")


def markdown() -> str:
    """The README's table of methods."""
    from .methods import METHODS

    lines = [
        "| method | key | what it says | for | sign | passes | layers | paper |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for m in METHODS.values():
        idea = m.card.idea.split(":")[0].rstrip(".")
        lines.append(
            f"| {m.title} | `{m.key}` | {idea} | {kinds(m)} | {'signed' if m.signed else 'unsigned'} | {m.passes} "
            f"| {'yes' if 'layers' in m.parts else ''} | [{m.paper}]({m.url}) |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m explainers",
        description="Which tokens or patches moved this model's score, and which way?",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("explain", help=explain.__doc__)
    one.set_defaults(run=explain)
    one.add_argument(
        "--text",
        action="append",
        default=[],
        help="what to explain; - reads standard input; with --image what to match it with, "
        "and may be repeated",
    )
    one.add_argument("--image", metavar="FILE", help="a picture to explain, alone or with --text")
    one.add_argument(
        "--side",
        choices=("vision", "text"),
        help="of --image with --text, which is explained (default: vision, the picture)",
    )
    one.add_argument("--pair", metavar="TEXT", help="the second text, for models of text pairs")
    one.add_argument(
        "--question", metavar="TEXT", help="for models that look for an answer, with --context"
    )
    one.add_argument("--context", metavar="TEXT", help="the text in which the answer is looked for")
    one.add_argument(
        "--model",
        help="a bundled name, a folder or a Hub id (default: sentiment; question-answering with --question; vit with --image, "
        "image-text with --image and --text)",
    )
    one.add_argument("--revision", help="commit or branch of a Hub model")
    one.add_argument(
        "--method", action="append", metavar="KEY", help="may be repeated (default: attcat), or all"
    )
    one.add_argument(
        "--target",
        help="class label or index, or 'A - B'; of a question: answer, start, end, best span, no answer or a part of the "
        "context; of a language model: the next token, as ' Paris' or '#262'; of words: 'LABEL at word'; "
        "of a picture with texts: a text (default: what is predicted)",
    )
    one.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the method",
    )
    one.add_argument(
        "--heads",
        type=int,
        metavar="LAYER",
        help="also every attention head: its part in each layer, and over the words in LAYER (-1: the last)",
    )
    one.add_argument(
        "--maps",
        metavar="FILE",
        help="write what each token gave each token in every layer, of methods that have it, as .csv",
    )
    one.add_argument(
        "--readings",
        nargs="?",
        const="",
        metavar="FILE",
        help="of optimus: every reading of attention with its faithfulness, the best first; as CSV if FILE is given",
    )
    one.add_argument(
        "--tokens", action="store_true", help="show sub-words and special tokens as they are"
    )
    one.add_argument("--json", action="store_true", help="print raw numbers as JSON")
    one.add_argument("--html", metavar="FILE", help="write a page")
    one.add_argument("--png", metavar="FILE", help="write a figure")
    one.add_argument(
        "--save", metavar="FILE", help="write .html, .svg, .png, .csv or .json, by suffix"
    )

    climb = commands.add_parser("imagine", help=imagine.__doc__)
    climb.set_defaults(run=imagine)
    climb.add_argument(
        "--model",
        help="a bundled name, a folder or a Hub id (default: vit; image-text with --text)",
    )
    climb.add_argument("--revision", help="commit or branch of a Hub model")
    climb.add_argument(
        "--class",
        dest="target",
        metavar="CLASS",
        help="label or index, or 'A - B'; of a model that matches pictures with texts, one of --text",
    )
    climb.add_argument(
        "--unit",
        type=int,
        nargs="+",
        metavar="N",
        help="instead of a class: layer and unit of its feed-forward part, and a token if not all",
    )
    climb.add_argument(
        "--text", action="append", default=[], help="a text to match; may be repeated"
    )
    climb.add_argument("--steps", type=int, default=128, help="(default: 128)")
    climb.add_argument(
        "--tv",
        type=float,
        default=0.1,
        metavar="WEIGHT",
        help="how much smoothness counts (default: 0.1)",
    )
    climb.add_argument(
        "--l2",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="how much greyness counts (default: 0)",
    )
    climb.add_argument(
        "--jitter",
        type=int,
        default=4,
        metavar="PIXELS",
        help="shift before each step, at most (default: 4)",
    )
    climb.add_argument(
        "--seed", type=int, default=0, help="another number, another picture (default: 0)"
    )
    climb.add_argument("--png", metavar="FILE", required=True, help="where the picture is written")

    many = commands.add_parser("evaluate", help=evaluate.__doc__)
    many.set_defaults(run=evaluate)
    many.add_argument(
        "--model",
        help="a bundled name, a folder or a Hub id (default: the protocol's, or by the data sentiment, question-answering or vit; "
        "pairs of texts need one)",
    )
    many.add_argument("--revision", help="commit or branch of a Hub model")
    many.add_argument(
        "--side",
        choices=("vision", "text"),
        default="",
        help="of a model that matches pictures with texts, which tower is explained",
    )
    many.add_argument(
        "--data",
        metavar="PLACE",
        help="a .csv, .tsv, .jsonl, .json or .parquet table, SQuAD's .json, ERASER's movies folder, "
        "a folder or .zip of pictures, or owner/name/configuration:split on the Hub (the last two if there are any)",
    )
    many.add_argument(
        "--methods", default="", metavar="A,B", help="keys, with options as attcat:states=output"
    )
    many.add_argument(
        "--metrics",
        default="",
        metavar="A,B",
        help="keys, with options as aopc:fill=pad:levels=5 (the menu: python -m explainers metrics)",
    )
    many.add_argument(
        "--target",
        help="what is explained: predicted (default), label, a class, or of a question answer, start, end; a protocol has its own",
    )
    many.add_argument(
        "--protocol",
        metavar="NAME",
        help="a paper's: methods, metrics and target as its authors had them",
    )
    many.add_argument("--list", action="store_true", help="list the protocols")
    many.add_argument(
        "--out",
        metavar="DIR",
        help="for records.parquet, left_out.csv, table.md, table.csv; a stopped run goes on from what is there",
    )
    many.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="this process, or Ray's workers (default: local)",
    )
    many.add_argument(
        "--limit", type=int, metavar="N", help="at most so many examples, drawn with the seed"
    )
    many.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the sample, the random baseline and the intervals (default: 0)",
    )
    many.add_argument("--text-column", default="", metavar="NAME")
    many.add_argument("--pair-column", default="", metavar="NAME")
    many.add_argument("--label-column", default="", metavar="NAME")
    many.add_argument(
        "--columns",
        default="",
        metavar="A,B",
        help="names of a table's columns, if its first line is an example already",
    )
    many.add_argument(
        "--labels",
        choices=("as is", "polarity"),
        default="as is",
        help="polarity: stars, the middle left out",
    )

    choice = commands.add_parser("metrics", help=metrics.__doc__)
    choice.set_defaults(run=metrics)
    choice.add_argument("key", nargs="?")

    menu = commands.add_parser("methods", help=methods.__doc__)
    menu.set_defaults(run=methods)
    menu.add_argument("key", nargs="?")
    menu.add_argument("--markdown", action="store_true", help="as the README's table")

    args = parser.parse_args(arguments)
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="replace"
            )  # odd bytes in a pipe, a terminal that cannot draw a bar
    try:
        print(args.run(args))
    except Refusal as refusal:
        print(f"explainers: {refusal}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("explainers: stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
