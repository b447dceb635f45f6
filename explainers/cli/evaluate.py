"""measure methods on a dataset, or repeat a paper's protocol

An interrupted run goes on from where it stopped.
"""

from argparse import ArgumentParser, Namespace

from ..errors import Refusal
from ..evaluation import protocols, runs
from ..evaluation.data import Columns, read
from ..inputs.kinds import PAIR, PICTURE, QUESTION, TEXT
from ..models.bundled import BUNDLED, bundled_for
from .given import parse_list, silence_transformers

#: What a run needs besides what has a default.
NEEDED = {
    "data": "--data (a file, a folder or a name on the Hub)",
    "out": "--out (a folder for the results)",
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        help="a bundled name, a folder or a Hub id (default: the protocol's, or by the data "
        f"{bundled_for(TEXT)}, {bundled_for(QUESTION)} or {bundled_for(PICTURE)}; pairs of texts "
        "need one)",
    )
    parser.add_argument("--revision", help="commit or branch of a Hub model")
    parser.add_argument(
        "--side",
        choices=("vision", "text"),
        default="",
        help="of a model that matches pictures with texts, which side is explained",
    )
    parser.add_argument(
        "--methods", default="", metavar="A,B", help="keys, with options as attcat:states=output"
    )
    parser.add_argument(
        "--metrics",
        default="",
        metavar="A,B",
        help="keys, with options as aopc:fill=pad:levels=5 "
        "(the menu: python -m explainers metrics)",
    )
    parser.add_argument(
        "--target",
        help="what is explained: predicted (default), label, a class, or of a question answer, "
        "start, end; a protocol has its own",
    )
    parser.add_argument(
        "--protocol",
        metavar="NAME",
        help="a paper's methods, metrics and target, as its authors had them",
    )
    parser.add_argument("--list", action="store_true", help="list the protocols")
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="folder for records.parquet, left_out.csv, table.md and table.csv; an interrupted run "
        "goes on from what is there",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="this process, or Ray's workers (default: local)",
    )
    add_data_arguments(parser)


def add_data_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="PLACE",
        help="a .csv, .tsv, .jsonl, .json or .parquet table, SQuAD's .json, ERASER's movies "
        "folder, a folder or .zip of pictures, the name of a planted model (planted-and, ...), or "
        "owner/name/configuration:split on the Hub (configuration and split only if there are "
        "any)",
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="at most N examples, drawn with the seed"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the sample, the random baseline and the intervals (default: 0)",
    )
    parser.add_argument(
        "--text-column",
        default="",
        metavar="NAME",
        help="the column of a table that holds the text (default: found by its usual names)",
    )
    parser.add_argument(
        "--pair-column",
        default="",
        metavar="NAME",
        help="the column of a table that holds the second text (default: found by its usual names)",
    )
    parser.add_argument(
        "--label-column",
        default="",
        metavar="NAME",
        help="the column of a table that holds the label (default: found by its usual names)",
    )
    parser.add_argument(
        "--columns",
        default="",
        metavar="A,B",
        help="names of the columns, for a table whose first line is already an example",
    )
    parser.add_argument(
        "--labels",
        choices=("as is", "polarity"),
        default="as is",
        help="polarity: stars as negative and positive, without the middle",
    )


def run(args: Namespace) -> str:
    silence_transformers()
    protocol = protocols.find_protocol(args.protocol) if args.protocol else None
    if args.list:
        lines = [
            f"{one.key:24}{one.title}; --data: {one.data}" for one in protocols.PROTOCOLS.values()
        ]
        return "\n".join(lines)
    missing = [sentence for name, sentence in NEEDED.items() if not getattr(args, name)]
    if missing:
        raise Refusal(f"Give {' and '.join(missing)}.")
    if protocol and args.target:
        raise Refusal(
            f"The protocol {protocol.key} explains {protocol.target or 'the predicted class'}, as "
            "its authors did: leave --target out, or give --methods and --metrics instead of "
            "--protocol."
        )
    data = read_data(args)
    plan = plan_of(args, protocol, data)
    note = protocol.note(args.data) if protocol else ""
    result = runs.evaluate(data, plan, args.out, engine=args.engine, note=note)
    files = "records.parquet, left_out.csv, table.md, table.csv"
    return f"{result.markdown}\nwritten: {args.out}/{files}"


def read_data(args: Namespace):
    """The examples of --data, or a sample of them."""
    columns = Columns(
        args.text_column,
        args.pair_column,
        args.label_column,
        tuple(name for name in args.columns.split(",") if name),
        args.labels,
    )
    return read(args.data, columns).sample(args.limit, args.seed)


def plan_of(args: Namespace, protocol, data):
    """What is measured: the protocol's plan with what the arguments change, or one of its own."""
    given = {
        "methods": parse_list(args.methods),
        "metrics": parse_list(args.metrics),
        "seed": args.seed,
        "revision": args.revision,
        "side": args.side,
    }
    if protocol:
        model = args.model or protocol.model or usual_model(data)
        return protocol.plan(model, data, **given)
    target = None if args.target == "predicted" else args.target
    named = {
        name: value for name, value in given.items() if value or name in ("methods", "metrics")
    }
    return runs.Plan(args.model or usual_model(data), target=target, **named)


def usual_model(data) -> str:
    """The name of the bundled model for a dataset: its own, or by what its first example is."""
    if data.name in BUNDLED:
        return data.name
    example = data.examples[0]
    if isinstance(example.inputs, str):
        return bundled_for(TEXT)
    if not isinstance(example.inputs, tuple):
        return bundled_for(PICTURE)
    if "answer" in example.data:
        return bundled_for(QUESTION)
    names = [name for name, row in BUNDLED.items() if row.takes == PAIR]
    raise Refusal(
        f"{data.name} has pairs of texts. There is no default model for pairs: give --model, "
        f"for example {' or '.join(names)}."
    )
