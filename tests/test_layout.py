"""The rules of the house: direction, names, sizes, live lit lines.

Every rule is a function of a repository root that lists its breaches, so that the tests
below can apply it to this repository and to planted breaches alike.
"""

import ast
import re
import types
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from sys import stdlib_module_names

import pytest
from xdsl.passes import ModulePass

from tools.universe import UNIVERSE

ROOT = Path(__file__).parent.parent
PACKAGES = ("qdialect", "passes", "lowering", "tools")
CODE_FOLDERS = (*PACKAGES, "tests", "benchmarks", "models", "filecheck_tests")
MAX_LINES = 450
NAMES_THAT_SAY_NOTHING = {
    "util",
    "utils",
    "common",
    "helper",
    "helpers",
    "misc",
    "core",
}

MAY_IMPORT = {
    "qdialect": {"qdialect", "xdsl", "numpy"},
    "passes": {"passes", "qdialect", "xdsl", "numpy", "networkx"},
    "lowering": {"lowering", "qdialect", "xdsl", "numpy", "networkx"},
    # google: the protobuf errors that onnx raises.
    "tools": {*PACKAGES, "xdsl", "numpy", "networkx", "onnx", "google"},
}


def python_files(root: Path, folders: tuple[str, ...]) -> Iterator[Path]:
    """Every Python file below `folders`, in a fixed order."""
    for folder in folders:
        yield from sorted((root / folder).rglob("*.py"))


def module_name(root: Path, path: Path) -> str:
    """The name under which `path` is imported."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Every import of a file, at any depth: line, module, names taken from it."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield node.lineno, alias.name, ()
            case ast.ImportFrom(module=module, names=names, level=level):
                yield (
                    node.lineno,
                    "." * level + (module or ""),
                    tuple(alias.name for alias in names),
                )
            case _:
                pass


def imports_that_point_up(root: Path) -> list[str]:
    """Imports of what a package may not know; relative imports."""
    found: list[str] = []
    for path in python_files(root, PACKAGES):
        package = path.relative_to(root).parts[0]
        for line, module, _ in imports(path):
            top = module.split(".")[0]
            if top not in MAY_IMPORT[package] and top not in stdlib_module_names:
                where = f"{path.relative_to(root)}:{line}"
                found.append(f"{where}: {package} may not import {module!r}")
    return found


def import_cycles(root: Path) -> list[str]:
    """The first cycle among our modules; imports inside functions count."""
    names = {module_name(root, path): path for path in python_files(root, PACKAGES)}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        needed = graph.setdefault(name, set())
        for _, module, members in imports(path):
            # `from package import member`: the member where it is a module.
            targets = {f"{module}.{member}" for member in members} & names.keys()
            if len(targets) < len(members) or not members:
                targets |= {module} & names.keys()
            needed |= targets
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" -> ".join(reversed(error.args[1]))]
    return []


def long_files(root: Path) -> list[str]:
    """Files that have grown a second purpose."""
    return [
        f"{path.relative_to(root)}: {count} lines, at most {MAX_LINES}"
        for folder in CODE_FOLDERS
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in {".py", ".c", ".h", ".cpp", ".sv"}
        if (count := len(path.read_text().splitlines())) > MAX_LINES
    ]


def empty_names(root: Path) -> list[str]:
    """Files and folders whose name tells no purpose."""
    return [
        str(path.relative_to(root))
        for folder in CODE_FOLDERS
        for path in sorted((root / folder).rglob("*"))
        if path.stem.removeprefix("_").removesuffix("_") in NAMES_THAT_SAY_NOTHING
    ]


def lit_substitutions(root: Path) -> dict[str, str]:
    """The substitutions of `filecheck_tests/lit.cfg.py`."""
    config = types.SimpleNamespace(environment={}, substitutions=[])
    path = root / "filecheck_tests" / "lit.cfg.py"
    code = compile(path.read_text(), str(path), "exec")
    exec(code, {"config": config, "__file__": str(path)})
    return dict(config.substitutions)


def run_lines(text: str) -> list[str]:
    """The commands of a lit file, continued lines joined."""
    joined = re.sub(r"\\\n\s*//\s*RUN:", "", text)
    return re.findall(r"//\s*RUN:\s*(.*)", joined)


# What a command may work on: its own file or an input's, an earlier one's, a model, none.
READS = re.compile(r"%s\b|%t|%S/Inputs/|models/|--(list|print|version|help)")


def is_live(command: str, later: list[str]) -> bool:
    """Whether a lit command can fail for the right reason.

    It reads something and is judged, by filecheck or by `not`; or it writes a `%t` file
    that a later command reads. `qopt | filecheck %s` reads an empty standard input.
    """
    tested, *judge = re.split(r"\|\s*filecheck\b", command)
    judged = command.startswith("not ") or any("%s" in text for text in judge)
    if judged and READS.search(tested):
        return True
    return "%t" in command and any("%t" in line for line in later)


def dead_run_lines(root: Path) -> list[str]:
    """Lit files without a RUN line, and RUN lines that check nothing."""
    substitutions = lit_substitutions(root)
    found: list[str] = []
    for path in sorted((root / "filecheck_tests").rglob("*")):
        if path.suffix not in {".mlir", ".test"} or "Inputs" in path.parts:
            continue
        lines = run_lines(path.read_text())
        for name, text in substitutions.items():
            lines = [line.replace(name, text) for line in lines]
        where = path.relative_to(root)
        if not lines:
            found.append(f"{where}: no RUN line")
        found += [
            f"{where}: {line!r} checks nothing"
            for index, line in enumerate(lines)
            if not is_live(line, lines[index + 1 :])
        ]
    return found


def pass_name_breaches(name: str, pass_type: type[ModulePass], root: Path) -> list[str]:
    """Where a pass's registration, name, class, file and lit file differ."""
    module = pass_type.__module__.split(".")
    lit_files = [
        path
        for folder in ("passes", "lowering")
        for path in (root / "filecheck_tests" / folder).rglob(f"{name}.mlir")
    ]
    class_name = "".join(part.capitalize() for part in name.split("-")) + "Pass"
    facts = {
        f"name is {pass_type.name!r}": pass_type.name == name,
        f"class is {pass_type.__name__}, expected {class_name}": (
            pass_type.__name__.lower() == class_name.lower()
        ),
        f"module is {pass_type.__module__}": (
            module[0] in {"passes", "lowering"} and module[-1] == name.replace("-", "_")
        ),
        f"{len(lit_files)} lit files {name}.mlir, expected 1": len(lit_files) == 1,
    }
    return [f"{name}: {fact}" for fact, holds in facts.items() if not holds]


RULES = (imports_that_point_up, import_cycles, long_files, empty_names, dead_run_lines)


@pytest.mark.parametrize("rule", RULES)
def test_rule_holds(rule: Callable[[Path], list[str]]):
    assert rule(ROOT) == []


@pytest.mark.parametrize("name", sorted(UNIVERSE.all_passes))
def test_pass_has_one_name(name: str):
    assert pass_name_breaches(name, UNIVERSE.all_passes[name](), ROOT) == []


LIT = "filecheck_tests/lit.cfg.py"
BREACHES = (
    (imports_that_point_up, {"qdialect/a.py": "from passes import x"}),
    (imports_that_point_up, {"passes/a.py": "import lowering.c"}),
    (imports_that_point_up, {"lowering/a.py": "def f():\n    import passes.x"}),
    (imports_that_point_up, {"qdialect/a.py": "import onnx"}),
    (imports_that_point_up, {"tools/a.py": "from . import b"}),
    (
        import_cycles,
        {"passes/a.py": "import passes.b", "passes/b.py": "import passes.a"},
    ),
    (
        import_cycles,
        {
            "lowering/c/a.py": "from lowering.c import b",
            "lowering/c/b.py": "from lowering.c.a import f",
        },
    ),
    (
        import_cycles,
        {
            "qdialect/__init__.py": "import qdialect.a",
            "qdialect/a.py": "from qdialect import Qnn",
        },
    ),
    (long_files, {"tools/a.py": "pass\n" * (MAX_LINES + 1)}),
    (empty_names, {"lowering/hw/utils.py": ""}),
    (empty_names, {"passes/common/a.py": ""}),
    (dead_run_lines, {"filecheck_tests/a.mlir": "// nothing"}),
    (dead_run_lines, {"filecheck_tests/a.mlir": "// RUN: qopt | filecheck %s"}),
    (dead_run_lines, {"filecheck_tests/a.mlir": "// RUN: qopt %s"}),
    (dead_run_lines, {"filecheck_tests/a.mlir": "// RUN: qopt %s -o %t"}),
)


@pytest.mark.parametrize(("rule", "files"), BREACHES)
def test_rule_finds_a_planted_breach(
    rule: Callable[[Path], list[str]], files: dict[str, str], tmp_path: Path
):
    for name, text in {LIT: (ROOT / LIT).read_text(), **files}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert len(rule(tmp_path)) == 1


def test_pass_under_a_wrong_name_is_found(tmp_path: Path):
    class OtherPass(ModulePass):
        name = "another"

    assert len(pass_name_breaches("some-pass", OtherPass, tmp_path)) == 4
