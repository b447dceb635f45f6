"""The command line of the evaluation, and every protocol from its one command."""

import pytest
from running import WORDS

from explainers.cli import main
from explainers.evaluation.protocols import PROTOCOLS


def test_the_command_line(tmp_path, capsys):
    (tmp_path / "a.csv").write_text(
        "text,label\n" + "".join(f"{text},{k % 2}\n" for k, text in enumerate(WORDS))
    )
    given = [
        "evaluate",
        "--data",
        str(tmp_path / "a.csv"),
        "--methods",
        "attcat, gae:start=2",
        "--metrics",
        "aopc:levels=5,logodds",
        "--target",
        "label",
        "--out",
        str(tmp_path / "out"),
        "--limit",
        "4",
    ]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert (
        "| `gae:start=2` |" in said
        and "aopc ↑" in said
        and "`aopc:levels=5`" in said
        and "4 examples" in said
        and "gold class" in said
    )
    assert main([*given, "--seed", "3"]) == 2 and "holds another run" in capsys.readouterr().err
    assert (
        main(
            [
                "evaluate",
                "--data",
                str(tmp_path / "b.csv"),
                "--out",
                "x",
                "--methods",
                "attcat",
                "--metrics",
                "aopc",
            ]
        )
        == 2
    )
    assert "There is no file or folder" in capsys.readouterr().err
    assert main(["evaluate"]) == 2 and "--data" in capsys.readouterr().err
    assert main(["evaluate", "--list"]) == 0 and len(capsys.readouterr().out.splitlines()) == len(
        PROTOCOLS
    )
    assert main(["metrics"]) == 0 and "aopc" in capsys.readouterr().out
    assert main(["metrics", "aopc"]) == 0 and "reproduce" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.rotates
@pytest.mark.parametrize("key", PROTOCOLS)
def test_every_protocol_runs_from_its_one_command(key, data, tmp_path, capsys):
    one = PROTOCOLS[key]
    named = {"attcat-squad": "squad", "eraser-movies": "movies", "beyond-intuition-clip": "zip"}
    kind = named.get(key, "pictures" if one.modality == "image" else "texts")
    model = ["--model", "question-answering"] if kind == "squad" else []
    assert (
        main(
            [
                "evaluate",
                "--protocol",
                key,
                "--data",
                str(data[kind]),
                "--out",
                str(tmp_path / "out"),
                *model,
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert (
        f"`--protocol {key}`" in said
        and all(f"| `{method}` |" in said for method in one.methods)
        and "Left out" not in said
    )
    assert ("Published numbers" in said) == bool(one.published) and one.source in said
