"""serve the page, by default on http://127.0.0.1:7860"""

from argparse import ArgumentParser, Namespace

from ..errors import required


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help="0.0.0.0 to be reached from other machines (default: 127.0.0.1, this machine alone)",
    )
    parser.add_argument(
        "--port",
        type=int,
        metavar="N",
        help="the port to listen on (default: 7860, or the next one that is free)",
    )


def run(args: Namespace) -> str:
    required("gradio", "app")
    from ..page.program import launch  # Gradio is optional, and loading it takes seconds

    launch(server_name=args.host, server_port=args.port)
    return "The page was stopped."
