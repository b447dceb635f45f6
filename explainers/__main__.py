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
    from .render.tokens import page

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    text = sys.stdin.read() if args.text == "-" else args.text
    given = text if args.pair is None else (text, args.pair)
    if args.save:
        writer_for(args.save)                                  # refuse before the model runs
    model = load(args.model, revision=args.revision)
    keys = args.method or ["attcat"]
    options = dict(option_of(one) for one in args.option)
    if options and len(keys) > 1:
        raise Refusal("Options belong to one method: give a single --method with them.")
    heats = Comparison(stream(model, given, keys, args.target, **options))
    if args.html:
        write(page(heats), args.html)
    if args.save:
        save(heats, args.save)
    if args.json:
        return to_json(heats)
    said = predict(model, given)
    lines = [f"{model.name} says " + ", ".join(f"{label} {value:.1%}" if said.kind != "value" else f"{label} {value:.3f}"
                                               for label, value in list(zip(said.labels, said.values))[:5])]
    lines += [block(heat, args.tokens) for heat in heats]
    lines += [f"written: {path}" for path in (args.html, args.save) if path]
    return "\n\n".join(lines)


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
    lines = [f"{heat.title}, explaining {heat.target} (logit {heat.score:.3f}); "
             + (f"+ {heat.poles[1]}, − {heat.poles[0]}" if heat.signed else "unsigned: how much, not which way")]
    for label, score in zip(seen.labels, seen.scores.tolist()):
        bar = ("█" if score >= 0 else "░") * round(20 * abs(score) / scale)
        value = number(score) if heat.signed else f"{score:.3g}"
        lines.append(f"  {visible(label)[:24]:{width}}  {value:>9}  {bar}".rstrip())
    facts = "".join(f"; {name} {value:.2g}" for name, value in heat.facts.items())
    lines.append(f"  ({heat.cost}; {100 * heat.special_share:.0f} % of all |score| lies on special tokens{facts})")
    return "\n".join(lines + [f"  {note}" for note in heat.notes])


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
    one.add_argument("--text", required=True, help="what to explain; - reads standard input")
    one.add_argument("--pair", metavar="TEXT", help="the second text, for models of text pairs")
    one.add_argument("--model", default="sentiment", help="a bundled name, a folder or a Hub id (default: %(default)s)")
    one.add_argument("--revision", help="commit or branch of a Hub model")
    one.add_argument("--method", action="append", metavar="KEY", help="may be repeated (default: attcat)")
    one.add_argument("--target", help="class label or index, or 'A - B' (default: the predicted class)")
    one.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="an option of the method")
    one.add_argument("--tokens", action="store_true", help="show sub-words and special tokens as they are")
    one.add_argument("--json", action="store_true", help="print raw numbers as JSON")
    one.add_argument("--html", metavar="FILE", help="write a page")
    one.add_argument("--save", metavar="FILE", help="write .html, .svg, .csv or .json, by suffix")

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
