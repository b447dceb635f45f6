"""open the page, on this machine by default"""

from argparse import ArgumentParser, Namespace

from ..errors import required


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--port", type=int, help="where it listens (default: 7860, or the next)")
    parser.add_argument("--host", help="the address it listens on (default: 127.0.0.1)")


def run(args: Namespace) -> str:
    """Serve the page until it is interrupted. Raises `Refusal` if Gradio is not installed."""
    required("gradio", "app")
    from ..page.program import launch

    launch(server_name=args.host, server_port=args.port)
    return ""
