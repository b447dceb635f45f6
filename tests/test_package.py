"""What is installed, and what the README says about it."""

import io
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import explainers as ex
from explainers.cli import main
from explainers.cli.methods import readme_table

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = ROOT / "README.md"
BUILT = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "explainers",
    "assets/models",
    "assets/examples",
)  # what a wheel is made of
with_readme = pytest.mark.skipif(not README.exists(), reason="no README in this tree")


def requirements(name: str) -> dict[str, Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = {}
    for line in lines:
        wanted = line.partition("#")[0].strip()
        if wanted and not wanted.startswith("-"):
            one = Requirement(wanted)
            found[one.name] = one
    return found


def between(mark: str) -> str:
    """The part of the README between `<!-- mark -->` and `<!-- /mark -->`."""
    return re.search(
        rf"<!-- {mark} -->\n(.*?)<!-- /{mark} -->", README.read_text(encoding="utf-8"), re.DOTALL
    ).group(1)


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


# ---------------------------------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel of a copy of this tree, so that nothing is left behind in it."""
    if missing := [name for name in BUILT if not (ROOT / name).exists()]:
        pytest.skip(f"not here: {', '.join(missing)}")
    copy, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in BUILT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    here = find_spec("setuptools") and Version(version("setuptools")) >= Version("77")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        ".",
        "--no-deps",
        "--disable-pip-version-check",
        "-w",
        str(out),
    ]
    built = subprocess.run(
        [*command, *(["--no-build-isolation"] if here else [])],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert built.returncode == 0, built.stderr[-2000:]
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_all_code_styles_models_and_photos(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "explainers").rglob("*.*")
        if path.suffix != ".pyc"
    }
    assets = set()
    for folder in ("models", "examples"):
        for path in (ROOT / "assets" / folder).rglob("*"):
            if path.is_file():
                assets.add(f"explainers/{path.relative_to(ROOT).as_posix()}")
    assert len(sources) > 15 and len(assets) > 12
    assert sources | assets <= held
    assert {name.split("/")[0].split("-")[0] for name in held} == {"explainers"}, (
        "something of the repository slipped in"
    )
    metadata = next(name for name in held if name.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel).open(metadata) as lines:
        text = io.TextIOWrapper(lines, encoding="utf-8").read()
    assert f"Version: {ex.__version__}\n" in text and "License-Expression: Apache-2.0" in text


@pytest.mark.slow
def test_an_installed_copy_works_anywhere(wheel, tmp_path, sentiment):
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--disable-pip-version-check",
    ]
    installed = subprocess.run(
        [*command, "--target", str(tmp_path / "site"), str(wheel)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert installed.returncode == 0, installed.stderr[-2000:]
    (tmp_path / "elsewhere").mkdir()
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import explainers as ex; print(ex.__file__); "
        "ex.photo('cat'); one = ex.explain(ex.load('sentiment', device='cpu'), 'a dull "
        "film'); print(one.score); one.save('map.html')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path / "site")],
        cwd=tmp_path / "elsewhere",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    where, score = done.stdout.split("\n")[:2]
    assert Path(where).is_relative_to(tmp_path / "site")
    assert float(score) == pytest.approx(ex.explain(sentiment, "a dull film").score, rel=1e-4)
    assert (tmp_path / "elsewhere/map.html").stat().st_size > 1000


# ------------------------------------------------------------------------------------- requirements


def test_every_folder_of_code_is_a_package():
    folders = {path.parent for path in (ROOT / "explainers").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.skipif(
    not (ROOT / "requirements.txt").exists(), reason="no requirements.txt in this tree"
)
def test_requirements_agree_with_the_package():
    """requirements.txt is for the page: it may be narrower than the package, never wider or without
    a part.
    """
    listed = requirements("requirements.txt")
    declared = {one.name: one for one in map(Requirement, PROJECT["dependencies"])}
    for extra in PROJECT["optional-dependencies"].values():
        declared |= {one.name: one for one in map(Requirement, extra)}
    assert set(listed) <= set(declared)
    assert {"torch", "transformers", "gradio"} <= set(listed)
    for name, one in listed.items():
        assert set(map(str, declared[name].specifier)) <= set(map(str, one.specifier)), (
            f"{name} is wider than in pyproject.toml"
        )


def test_what_is_installed_here_satisfies_the_package():
    for one in map(Requirement, PROJECT["dependencies"]):
        assert one.specifier.contains(version(one.name), prereleases=True), one


def test_the_version_is_said_once():
    assert re.fullmatch(r"\d+\.\d+\.\d+", ex.__version__)
    assert "version" in PROJECT["dynamic"] and "version" not in PROJECT


# --------------------------------------------------------------------------------------- the README


@with_readme
def test_the_table_of_methods_is_the_program_s():
    assert between("methods").strip() == readme_table().strip()


@with_readme
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    names: dict = {}  # a reader's session: later blocks go on with what the first one made
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert (tmp_path / "attcat.svg").exists()


@with_readme
def test_the_commands_of_the_readme_run(tmp_path, monkeypatch, capsys):
    program = pytest.importorskip("explainers.page.program")
    served = []
    monkeypatch.setattr(program, "launch", lambda **settings: served.append(settings))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    (tmp_path / "reviews.csv").write_text(
        "text,label\na gripping and funny story,POSITIVE\na dull and tired film with "
        "nothing to say,NEGATIVE\n"
    )
    lines = []
    for block in blocks("sh"):
        lines += [line for line in block.splitlines() if "python -m explainers" in line]
    assert len(lines) >= 3
    for line in lines:
        typed, _, command = line.rpartition("|")
        arguments = shlex.split(command, comments=True)[3:]
        if typed:
            monkeypatch.setattr(
                "sys.stdin", io.TextIOWrapper(io.BytesIO(shlex.split(typed)[1].encode()))
            )
        if "path/to/model" in arguments:
            arguments[arguments.index("path/to/model")] = "sentiment"
        assert main(arguments) == 0, line
        said = capsys.readouterr().err.splitlines()
        assert [
            line for line in said if line and not re.search(r" takes |example|\(F forward", line)
        ] == [], "costs and progress are said, nothing else"
    assert served == [{"server_name": None, "server_port": None}], "the page, by its own command"


@with_readme
def test_files_that_the_readme_names_are_there():
    text = README.read_text(encoding="utf-8")
    named = set(
        re.findall(
            r"\]\((?!https?:|#)([^)\s]+)\)",
            re.sub(r"`[^`\n]*`|```.*?```", "", text, flags=re.DOTALL),
        )
    )
    named |= set(re.findall(r"`((?:notebooks|training|benchmarks|assets)/[\w./-]+)`", text))
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@with_readme
def test_the_head_of_the_readme_is_what_a_space_needs():
    head = README.read_text(encoding="utf-8").split("---\n")[1]
    said = dict(line.split(": ", 1) for line in head.strip().splitlines())
    assert said["sdk"] == "gradio" and (ROOT / said["app_file"]).exists()
    gradio = next(
        one
        for one in map(Requirement, PROJECT["optional-dependencies"]["app"])
        if one.name == "gradio"
    )
    assert gradio.specifier.contains(said["sdk_version"])
    assert Version(said["python_version"].strip('"')) >= Version(
        PROJECT["requires-python"].removeprefix(">=")
    )
    assert len(said["short_description"]) <= 60
