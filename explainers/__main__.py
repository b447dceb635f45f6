"""The command line:  python -m explainers explain --model sentiment --method attcat --text "..."
                   python -m explainers methods [KEY]
"""

import argparse
import os
import sys

from .errors import Refusal


def explain(args) -> str:
    """explain a text: which tokens moved the score, which way"""
    import transformers

    from .explanation import Comparison, predict, stream
    from .models import load
    from .render.export import save, to_json, write, writer_for
    from .render.heatmaps import head_panel, page

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    given = given_by(args)
    if args.save:
        writer_for(args.save)                                  # refuse before the model runs
    model = load(args.model or ("question-answering" if args.question else "sentiment"), revision=args.revision)
    keys = args.method or ["attcat"]
    options = dict(option_of(one) for one in args.option)
    if options and len(keys) > 1:
        raise Refusal("Options belong to one method: give a single --method with them.")
    heats = Comparison(stream(model, given, keys, args.target, **options))
    by_head = [head_panel(heat, args.heads, style=False) for heat in heats] if args.heads is not None else []
    if args.html:
        write(page(heats, more="".join(by_head)), args.html)
    if args.save:
        save(heats, args.save)
    if args.json:
        return to_json(heats)
    said = predict(model, given)
    lines = [f"{model.name} says {'next: ' if model.task == 'next' else ''}{said}"]
    lines += [block(heat, args.tokens) + (by_layer(heat, args.heads) if args.heads is not None else "") for heat in heats]
    lines += [f"written: {path}" for path in (args.html, args.save) if path]
    return "\n\n".join(lines)


def given_by(args) -> str | tuple[str, str]:
    """The text, the pair, or the question with its context; - reads standard input."""
    if (args.question is None) != (args.context is None):
        raise Refusal(f"A {'question needs its --context' if args.context is None else 'context needs its --question'}.")
    if args.question is not None and (args.text is not None or args.pair is not None):
        raise Refusal("Give --text (and --pair), or --question and --context, not both.")
    halves = [args.text, args.pair] if args.question is None else [args.question, args.context]
    if halves[0] is None:
        raise Refusal("Give --text, or --question and --context.")
    if halves.count("-") > 1:
        raise Refusal("Only one of the two texts can be read from standard input.")
    first, second = (sys.stdin.read() if half == "-" else half for half in halves)
    return first if second is None else (first, second)


def option_of(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise Refusal(f"An option is written name=value; got {given!r}.")
    return name.strip(), value.strip()


def block(heat, tokens: bool) -> str:
    """One method's map for a terminal: a bar and a number a word, sign first."""
    from .render.tokens import largest, number, view, visible

    seen = view(heat, merge=not tokens, specials=tokens)
    scale = largest(seen.scores) or 1.0
    width = min(24, max(len(visible(label)) for label in seen.labels))
    lines = [f"{heat.title}, explaining {visible(heat.target)} (logit {heat.score:.3f}); "
             + (f"+ {heat.poles[1]}, − {heat.poles[0]}" if heat.signed else "unsigned: how much, not which way")]
    for i, (label, score) in enumerate(zip(seen.labels, seen.scores.tolist())):
        if seen.halves and (i == 0 or seen.half(i) != seen.half(i - 1)):
            lines.append(f"  -- {seen.halves[seen.half(i)]} --")
        mark = " <" if seen.is_marked(i) else ""
        bar = ("█" if score >= 0 else "░") * round(20 * abs(score) / scale)
        lines.append(f"  {visible(label)[:24]:{width}}  {number(score, heat.signed):>9}  {bar}{mark}".rstrip())
    facts = "".join(f"; {name} {value:.2g}" for name, value in heat.facts.items())
    lines.append(f"  ({heat.cost}; {100 * heat.special_share:.0f} % of all |score| lies on special tokens{facts})")
    if heat.marked:
        lines.append(f"  (< what is explained: {visible(heat.text[slice(*heat.marked)])})")
    return "\n".join(lines + [f"  {note}" for note in heat.notes])


def by_layer(heat, layer: int) -> str:
    """Every head's sum of |score| over the words, a line a layer, the chosen layer marked."""
    from .render.tokens import view

    sums = view(heat).heads.nan_to_num(0, 0, 0).abs().sum(-1)
    lines = ["  layer  sum of |score| over the words, head 0 to " + str(sums.shape[1] - 1)]
    lines += [f"  {'>' if l == layer % len(sums) else ' '} L{l:<3} " + " ".join(f"{value:9.3g}" for value in row) for l, row in enumerate(sums.tolist())]
    return "\n" + "\n".join(lines)


def methods(args) -> str:
    """list the methods, or show one method's card"""
    from .methods import METHODS, find

    if args.markdown:
        return markdown()
    if not args.key:
        return "\n".join(f"{m.key:22} {'signed  ' if m.signed else 'unsigned'} {m.passes:8} {m.title}  ({m.paper})" for m in METHODS.values())
    m = find(args.key)
    card = m.card
    options = ", ".join(f"{o.name}={o.default}" + (f" of {'/'.join(map(str, o.choices))}" if o.choices else "") for o in m.options.values())
    parts = [("", f"{m.title} ({m.key})"), ("", card.idea), ("Formula", card.formula), ("Sign", card.sign), ("Limits", card.limits),
             ("Options", card.options), ("", options), ("Cost", m.passes), ("Paper", f"{m.paper}, {m.url}")]
    return "\n\n".join(f"{name + ': ' if name else ''}{text}" for name, text in parts if text)


def markdown() -> str:
    """The README's table of methods."""
    from .methods import METHODS

    lines = ["| method | key | what it says | sign | passes | layers | paper |", "|---|---|---|---|---|---|---|"]
    for m in METHODS.values():
        idea = m.card.idea.split(":")[0].rstrip(".")
        lines.append(f"| {m.title} | `{m.key}` | {idea} | {'signed' if m.signed else 'unsigned'} | {m.passes} "
                     f"| {'yes' if m.run_layers else ''} | [{m.paper}]({m.url}) |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m explainers", description="Which tokens moved this model's score, and which way?")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("explain", help=explain.__doc__)
    one.set_defaults(run=explain)
    one.add_argument("--text", help="what to explain; - reads standard input")
    one.add_argument("--pair", metavar="TEXT", help="the second text, for models of text pairs")
    one.add_argument("--question", metavar="TEXT", help="for models that look for an answer, with --context")
    one.add_argument("--context", metavar="TEXT", help="the text in which the answer is looked for")
    one.add_argument("--model", help="a bundled name, a folder or a Hub id (default: sentiment; question-answering with --question)")
    one.add_argument("--revision", help="commit or branch of a Hub model")
    one.add_argument("--method", action="append", metavar="KEY", help="may be repeated (default: attcat)")
    one.add_argument("--target", help="class label or index, or 'A - B'; of a question: answer, start, end, best span, no answer or a part of the "
                     "context; of a language model: the next token, as ' Paris' or '#262'; of words: 'LABEL at word' (default: what is predicted)")
    one.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="an option of the method")
    one.add_argument("--heads", type=int, metavar="LAYER", help="also every attention head: its part in each layer, and over the words in LAYER (-1: the last)")
    one.add_argument("--tokens", action="store_true", help="show sub-words and special tokens as they are")
    one.add_argument("--json", action="store_true", help="print raw numbers as JSON")
    one.add_argument("--html", metavar="FILE", help="write a page")
    one.add_argument("--save", metavar="FILE", help="write .html, .svg, .png, .csv or .json, by suffix")

    menu = commands.add_parser("methods", help=methods.__doc__)
    menu.set_defaults(run=methods)
    menu.add_argument("key", nargs="?")
    menu.add_argument("--markdown", action="store_true", help="as the README's table")

    args = parser.parse_args(arguments)
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")                # odd bytes in a pipe, a terminal that cannot draw a bar
    try:
        print(args.run(args))
    except Refusal as refusal:
        print(f"explainers: {refusal}", file=sys.stderr)
        return 2
    except BrokenPipeError:                                     # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
