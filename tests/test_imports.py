"""Who may import whom, read from the import statements: what keeps the parts apart."""

import ast
from pathlib import Path

import pytest

import explainers

PACKAGE = Path(explainers.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
OUTSIDE = {
    "gradio",
    "cv2",
    "transformers",
    "huggingface_hub",
    "torch",
    "numpy",
    "pandas",
    "safetensors",
    "scipy",
    "sklearn",
    "captum",
}


def module_of(path: Path) -> str:
    return ".".join(["explainers", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
        ".__init__"
    )


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """Full names of the modules that a file imports; without `everywhere`, only what importing it imports."""
    package = (
        ["explainers", *path.parent.relative_to(PACKAGE).parts]
        if path.is_relative_to(PACKAGE)
        else []
    )
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in inside and not everywhere:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *(node.module.split(".") if node.module else [])])
            found |= {
                f"{source}.{alias.name}"
                if source and is_module(f"{source}.{alias.name}")
                else source
                for alias in node.names
            }
    return found


def is_module(name: str) -> bool:
    place = PACKAGE.parent / name.replace(".", "/")
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def ours(path: Path, **how) -> set[str]:
    return {
        name.removeprefix("explainers").removeprefix(".")
        for name in imports(path, **how)
        if name.split(".")[0] == "explainers"
    }


def others(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)} & OUTSIDE


def in_folder(name: str) -> list[Path]:
    return [path for path in FILES if path.parent.name == name]


named = lambda paths: pytest.mark.parametrize("path", paths, ids=module_of)


def test_there_are_files_to_check():
    assert len(in_folder("methods")) >= 8 and len(in_folder("render")) >= 3 and len(FILES) >= 20


@named(in_folder("methods"))
def test_methods_know_the_trace_and_their_siblings_only(path):
    assert others(path) <= {"torch", "numpy", "scipy"}
    assert {name for name in ours(path) if not name.startswith("methods.")} <= {
        "trace",
        "errors",
        "lrp",
        "ties",
    }


@named(in_folder("render"))
def test_rendering_knows_heatmaps_and_cards_never_models(path):
    assert others(path) <= {"torch", "pandas", "numpy", "cv2"}
    allowed = {"heatmap", "imagined", "errors", "methods", "ties", "__version__", ""}
    assert {name for name in ours(path) if not name.startswith("render")} <= allowed


@named(
    [path for path in FILES if module_of(path).split(".")[-1] in ("heatmap", "targets", "errors")]
)
def test_heatmaps_targets_and_errors_stand_alone(path):
    assert others(path) <= {"torch", "pandas"}
    assert ours(path, everywhere=False) <= {"errors", "ties", "words"}


@named(in_folder("evaluation"))
def test_evaluation_needs_what_the_page_has_and_its_optional_tools_only_inside_functions(path):
    assert others(path) <= {"torch", "numpy", "scipy", "pandas", "sklearn", "captum"}
    assert not {name.split(".")[0] for name in imports(path, everywhere=False)} & {
        "pandas",
        "sklearn",
        "captum",
    }
    assert not {name for name in ours(path, everywhere=False) if name.startswith("render")}


def test_heatmaps_reach_for_the_renderer_only_when_shown():
    heatmap = PACKAGE / "heatmap.py"
    assert {name.split(".")[0] for name in ours(heatmap)} <= {"render", "errors"}
    assert ours(heatmap, everywhere=False) <= {"errors"}


def test_only_models_inputs_and_what_records_import_transformers_when_imported():
    """The command line may ask it to be quiet, inside a function."""
    users = {
        module_of(path)
        for path in FILES
        if "transformers" in {name.split(".")[0] for name in imports(path, everywhere=False)}
    }
    allowed = ("models", "inputs", "trace", "linear")
    assert {name.split(".")[1] for name in users} <= set(allowed)
    inside = {
        module_of(path)
        for path in FILES
        if "transformers" in {name.split(".")[0] for name in imports(path)}
    }
    assert inside - users <= {"explainers.__main__"}


def test_only_models_talks_to_the_hub():
    assert [module_of(path) for path in FILES if "huggingface_hub" in others(path)] == [
        "explainers.models.hub"
    ]


@named(FILES)
def test_nobody_imports_the_app_or_what_it_is_made_of(path):
    assert not {name.split(".")[0] for name in imports(path)} & {"app", "gradio", "spaces"}


@named(in_folder("lrp"))
def test_relevance_rules_know_torch_alone(path):
    assert others(path) <= {"torch"}
    assert {name for name in ours(path) if name.split(".")[0] != "lrp"} <= {"errors"}


def test_words_are_cut_with_nothing_but_the_standard_library():
    assert not others(PACKAGE / "words.py") and not ours(PACKAGE / "words.py")


@named(in_folder("trace"))
def test_the_trace_knows_no_model(path):
    assert {name for name in ours(path) if name.split(".")[0] != "trace"} <= {"errors", "linear"}


def test_linear_maps_know_refusals_alone():
    assert ours(PACKAGE / "linear.py") <= {"errors"}


def test_the_app_uses_public_names_and_the_renderer():
    app = PACKAGE.parent / "app.py"
    if app.exists():  # an installed package has none beside it
        asked = {name for name in imports(app) if name.split(".")[0] == "explainers"}
        assert all(
            name in ("explainers", "explainers.evaluation") or name.startswith("explainers.render")
            for name in asked
        )


def test_no_private_name_of_transformers_is_imported_where_a_public_one_would_do():
    for path in FILES:
        assert not [
            name for name in imports(path) if name.split(".")[0] == "transformers" and "._" in name
        ], path


def test_public_names_are_all_there():
    for name in explainers.__all__:
        assert hasattr(explainers, name)
