"""Who may import whom, read from the import statements: what keeps the parts apart."""

import ast
from pathlib import Path

import pytest

import explainers

PACKAGE = Path(explainers.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

#: The parts of the package, from the ground floor up: a part imports only from parts above it in
#: this list, and from itself.
FLOORS = (
    "errors",
    "shipped",
    "options",
    "ties",
    "numerals",
    "bibliography",
    "words",
    "linear",
    "outputs",
    "scores",
    "trace",
    "lrp",
    "methods",
    "pictures",
    "processors",
    "prediction",
    "inputs",
    "tasks",
    "models",
    "token_scores",
    "render",
    "heatmap",
    "explanation",
    "maximisation",
    "evaluation",
    "page",
    "cli",
    "__main__",
)

#: Packages of others that only some parts may import.
WATCHED = {
    "captum",
    "cv2",
    "gradio",
    "huggingface_hub",
    "numpy",
    "pandas",
    "rich",
    "safetensors",
    "scipy",
    "sklearn",
    "spaces",
    "torch",
    "transformers",
}


def module_of(path: Path) -> str:
    """The name of a file of the package, such as `methods.attcat`; "" is the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


def is_module(name: str) -> bool:
    place = PACKAGE.parent / name.replace(".", "/")
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def is_for_types(node: ast.AST) -> bool:
    """Whether this is `if TYPE_CHECKING:`, which no run enters."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def statements(node: ast.AST, in_functions: bool) -> list[ast.Import | ast.ImportFrom]:
    """The import statements under a node, those for type checkers left out."""
    found = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            found.append(child)
        elif is_for_types(child):
            continue
        elif in_functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            found += statements(child, in_functions)
    return found


def imported_by(statement: ast.Import | ast.ImportFrom, package: list[str]) -> set[str]:
    """Full names of the modules that a statement in a file of `package` imports."""
    if isinstance(statement, ast.Import):
        return {alias.name for alias in statement.names}
    source = statement.module.split(".") if statement.module else []
    if statement.level:
        source = package[: len(package) - statement.level + 1] + source
    found = set()
    for alias in statement.names:
        name = ".".join([*source, alias.name])
        found.add(name if is_module(name) else ".".join(source))
    return found


def imports(path: Path, in_functions: bool = True) -> set[str]:
    """Full names of the modules that a file imports.

    Without `in_functions`, only what is imported when the file itself is.
    """
    package = []
    if path.is_relative_to(PACKAGE):
        package = ["explainers", *path.parent.relative_to(PACKAGE).parts]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for statement in statements(tree, in_functions):
        found |= imported_by(statement, package)
    return found


def ours(path: Path, in_functions: bool = True) -> set[str]:
    """The modules of this package that a file imports, `explainers.` left out.

    The package itself, of which a file may ask `__version__`, does not count.
    """
    found = set()
    for name in imports(path, in_functions):
        if name.startswith("explainers."):
            found.add(name.removeprefix("explainers."))
    return found


def others(path: Path, in_functions: bool = True) -> set[str]:
    """The watched packages of others that a file imports."""
    return {name.split(".")[0] for name in imports(path, in_functions)} & WATCHED


def floor_of(module: str) -> str:
    """The row of FLOORS that a module belongs to: the longest that its name begins with."""
    rows = [row for row in FLOORS if f"{module}.".startswith(f"{row}.")]
    assert rows, f"explainers.{module}: add a row to FLOORS in tests/test_imports.py"
    return max(rows, key=len)


def under(*parts: str) -> list[Path]:
    """The files of these parts, whether a part is a file or a folder."""
    return [path for path in FILES if module_of(path).split(".")[0] in parts]


def each(paths: list[Path]):
    return pytest.mark.parametrize("path", paths, ids=module_of)


def test_there_are_files_to_check():
    assert len(under("methods")) >= 8 and len(under("render")) >= 3 and len(FILES) >= 20


@each([path for path in FILES if module_of(path)])
def test_a_part_imports_only_parts_below_it(path):
    module = module_of(path)
    here = floor_of(module)
    for name in ours(path):
        there = floor_of(name)
        if there != here:
            assert FLOORS.index(there) < FLOORS.index(here), f"{module} imports {name}"


@each(under("methods"))
def test_methods_know_the_trace_and_their_siblings_only(path):
    assert others(path) <= {"torch", "numpy", "scipy"}
    allowed = {
        "methods",
        "trace",
        "lrp",
        "ties",
        "numerals",
        "errors",
        "options",
        "outputs",
        "scores",
        "bibliography",
    }
    assert {name.split(".")[0] for name in ours(path)} <= allowed


@each(under("render"))
def test_rendering_knows_numbers_and_cards_never_models(path):
    assert others(path) <= {"torch", "pandas", "numpy", "cv2", "rich"}
    never = {"models", "trace", "tasks", "evaluation", "explanation"}
    assert not {name.split(".")[0] for name in ours(path)} & never


@each(under("evaluation"))
def test_evaluation_imports_optional_packages_only_inside_functions(path):
    """The page has neither scikit-learn nor captum, and starts sooner without pandas."""
    assert others(path) <= {"torch", "numpy", "scipy", "pandas", "sklearn", "captum"}
    assert not others(path, in_functions=False) & {"pandas", "sklearn", "captum"}


@each(under("outputs", "scores", "heatmap", "token_scores", "errors"))
def test_what_everybody_knows_needs_little(path):
    assert others(path) <= {"torch", "pandas"}


def test_few_parts_import_transformers():
    """The command line and the page ask it to be quiet."""
    users = set()
    for path in FILES:
        if "transformers" in others(path):
            users.add(module_of(path).split(".")[0])
    assert users <= {"models", "inputs", "tasks", "trace", "linear", "cli", "page"}


def test_one_file_of_the_models_talks_to_the_hub():
    users = [path for path in FILES if "huggingface_hub" in others(path)]
    assert len(users) == 1 and users[0] in under("models")


@each([path for path in FILES if path not in under("page", "cli")])
def test_only_the_page_imports_gradio(path):
    assert not others(path) & {"gradio", "spaces"}
    assert "app" not in imports(path)


def test_the_app_uses_public_names_and_the_page():
    app = PACKAGE.parent / "app.py"
    if app.exists():  # an installed package has none beside it
        asked = {name.split(".")[0] for name in ours(app)}
        assert asked <= {"page", "evaluation", "render"}


@each([path for path in under("page") if path.stem in ("state", "answers", "links")])
def test_what_the_page_thinks_with_knows_no_gradio(path):
    assert "gradio" not in others(path)


@each(under("lrp"))
def test_relevance_rules_know_torch_alone(path):
    """The pass that propagates relevance is one of a trace."""
    assert others(path) <= {"torch"}
    known = {"lrp", "errors"}
    if path.stem in ("propagation", "__init__"):
        known.add("trace")
    assert {name.split(".")[0] for name in ours(path)} <= known


@each([path for path in FILES if path.name == "words.py"])
def test_words_are_cut_with_nothing_but_the_standard_library(path):
    assert not others(path) and not ours(path)


@each(under("trace"))
def test_the_trace_knows_no_model(path):
    allowed = {"trace", "errors", "outputs", "scores", "linear"}
    assert {name if name in allowed else name.split(".")[0] for name in ours(path)} <= allowed


def test_no_private_name_of_transformers_is_imported_where_a_public_one_would_do():
    for path in FILES:
        names = [name for name in imports(path) if name.startswith("transformers.")]
        assert not [name for name in names if "._" in name], path


def test_public_names_are_all_there():
    for name in explainers.__all__:
        assert hasattr(explainers, name)
