"""list the metrics, or define one"""

from argparse import ArgumentParser, Namespace

from ..evaluation import METRICS, find_metric


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("key", nargs="?", help="of the metric to define")


def run(args: Namespace) -> str:
    if args.key:
        return definition(find_metric(args.key))
    return "\n".join(line(metric) for metric in METRICS.values())


def definition(metric) -> str:
    """Title, direction, reference and definition of one metric."""
    direction = better(metric) or "neither"
    return (
        f"{metric.title} ({metric.key}): {direction} is better; {metric.reference}\n\n"
        f"{metric.definition}"
    )


def line(metric) -> str:
    """One line of the menu: key, title, and which numbers are better."""
    direction = better(metric)
    ending = f": {direction} is better" if direction else ""
    return f"{metric.key:24}{metric.title}{ending}"


def better(metric) -> str:
    """Which numbers of a metric are better: "higher", "lower", one word a part, or nothing."""
    if metric.better:
        return metric.better
    return ", ".join(f"{part} {direction}" for part, direction in metric.directions().items())
