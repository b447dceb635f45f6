"""list the methods, or show one method's card"""

from argparse import ArgumentParser, Namespace

from ..methods import METHODS, Method, find
from ..modalities import MODALITIES


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("key", nargs="?", help="of the method to show")
    parser.add_argument("--markdown", action="store_true", help="the table of the README")


def run(args: Namespace) -> str:
    if args.markdown:
        return readme_table()
    if args.key:
        return card_text(find(args.key))
    width = max(len(method.passes) for method in METHODS.values())
    return "\n".join(line(method, width) for method in METHODS.values())


def line(method: Method, width: int) -> str:
    """One line of the menu: key, input, sign, cost in `width` letters, title and paper."""
    return (
        f"{method.key:22} {explained_inputs(method):9}{sign(method):9}{method.passes:{width}}  "
        f"{method.title}  ({method.paper})"
    )


def card_text(method: Method) -> str:
    """A method's card as plain text."""
    card = method.card
    parts = {
        "Formula": card.formula,
        "Sign": card.sign,
        "Limits": card.limits,
        "For": explained_inputs(method) + (f" only: {method.only}" if method.only else ""),
        "Cost": method.passes,
        "Paper": f"{method.paper}, {method.url}",
    }
    paragraphs = [f"{method.title} ({method.key})", card.idea]
    paragraphs += [f"{name}: {text}" for name, text in parts.items() if text]
    if card.options:
        lines = [option_text(method, text) for text in card.options.splitlines()]
        paragraphs.append("\n".join(["Options (--option NAME=VALUE):", *lines]))
    return "\n\n".join(paragraphs)


def option_text(method: Method, text: str) -> str:
    """An option as an item of a list: name, choices, default and what it does.

    text: its line on the card, "name (default): what it does".
    """
    head, meaning = text.split(": ", 1)
    option = method.options[head.split()[0]]
    facts = []
    if option.choices:
        facts.append(f"one of {', '.join(map(str, option.choices))}")
    if option.default is not None:
        facts.append(f"default: {shown(option.default)}")
    beside = ""
    if facts:
        beside = f" ({'; '.join(facts)})"
    return f"- {option.name}{beside}: {meaning}"


def shown(default: object) -> str:
    """A default as it is typed on the command line."""
    return str(default).lower() if isinstance(default, bool) else str(default)


def explained_inputs(method: Method) -> str:
    """What a method explains: "texts", "pictures" or "both"."""
    first, *others = method.modalities
    if others:
        return "both"
    return MODALITIES[first].inputs


def sign(method: Method) -> str:
    return "signed" if method.signed else "unsigned"


def readme_table() -> str:
    """The README's table of methods, in Markdown."""
    lines = [
        "| method | key | what it says | for | sign | passes | layers | paper |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method in METHODS.values():
        idea = method.card.idea.split(":")[0].rstrip(".")
        layers = "yes" if "layers" in method.parts else ""
        cells = (
            method.title,
            f"`{method.key}`",
            idea,
            explained_inputs(method),
            sign(method),
            method.passes,
            layers,
            method.citation.markdown,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
