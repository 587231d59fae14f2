"""Never build on what is stale, and never execute again what is not.

MyST-NB caches an executed chapter by its own text alone. Here a chapter also depends on the modules of `rnncourse`
that it imports, on what these import, on the data beside them, on the pinned packages, and on the files that it reads
(every string in its code that begins with ``../``, every ``Path("..") / ...``). Sphinx does not rewrite pages when an
extension or a style changes, nor a page that shows an output of another (``:doc: other.md``): both are seen to here as
well.
"""

import ast
import functools
import hashlib
import json
import re
import shutil
from pathlib import Path

from jupyter_cache import get_cache

import rnncourse

PACKAGE = Path(rnncourse.__file__).parent
REQUIREMENTS = PACKAGE.parent / "requirements.txt"
SITE = Path(__file__).parents[1]  # book/
CODE = re.compile(r"^```\{code-cell\} python\n(?::[^\n]*\n)*(.*?)^```", re.M | re.S)


def setup(app):
    app.connect("config-inited", forget_stale_pages, priority=100)  # before Sphinx reads its old pages
    app.connect("env-get-outdated", outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def forget_stale_pages(app, config):
    """Start afresh if the site's own extensions or styles changed."""
    pages = Path(app.doctreedir)
    stamp, now = pages / "site.sha256", fingerprint({*SITE.glob("_ext/**/*.*"), *SITE.glob("_static/**/*.*")})
    if not stamp.exists() or stamp.read_text() != now:
        shutil.rmtree(pages, ignore_errors=True)
        pages.mkdir(parents=True)
        stamp.write_text(now)


def outdated(app, env, added, changed, removed) -> list[str]:
    """The pages to read again: those whose code would run differently now, and those that show their outputs."""
    folder = Path(app.outdir).parent / ".jupyter_cache"
    stamps = folder / "dependencies.json"
    before = json.loads(stamps.read_text()) if stamps.exists() else {}
    sources = {name: Path(env.doc2path(name)).read_text(encoding="utf-8") for name in env.found_docs}
    now = {name: fingerprint(dependencies(text)) for name, text in sources.items() if CODE.search(text)}
    stale = {name for name in now if before.get(name) != now[name]}
    cache = get_cache(folder)
    for record in cache.list_cache_records():
        if Path(record.uri).stem in stale:
            cache.remove_cache(record.pk)
    stamps.write_text(json.dumps(now))
    showing = {name for name, text in sources.items() for other in stale | changed if f":doc: {other}.md" in text}
    return sorted(stale | showing)


def dependencies(text: str) -> set[Path]:
    """The files outside the chapter that the code of a chapter depends on."""
    found = {REQUIREMENTS}
    for cell in CODE.findall(text):
        found |= with_imports(modules(cell)) | files_read(cell)
    return found


@functools.cache
def nodes(source: str, word: str) -> list[ast.AST]:
    """The syntax of a piece of Python; nothing if the word is not in it, or this would take half a second."""
    return list(ast.walk(ast.parse(source))) if word in source else []


@functools.cache
def modules(source: str) -> frozenset[Path]:
    """The files of `rnncourse` that a piece of Python imports."""
    names = set()
    for node in nodes(source, "rnncourse"):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    paths = [PACKAGE.parent.joinpath(*name.split(".")) for name in names if name.split(".")[0] == "rnncourse"]
    files = [file for path in paths for file in (path.with_suffix(".py"), path / "__init__.py")]
    return frozenset(file for file in files if file.exists())


def with_imports(files: set[Path]) -> set[Path]:
    """These files and all that they import of ours, directly or not."""
    seen, waiting = set(), set(files)
    while waiting:
        file = waiting.pop()
        seen.add(file)
        waiting |= modules(file.read_text(encoding="utf-8")) - seen
    return seen.union(*map(data, seen))


@functools.cache
def data(module: Path) -> frozenset[Path]:
    """What lies beside a module and is named in it: ``Path(__file__).with_name("checkpoints")``, a file or a folder."""
    paths = []
    for node in nodes(module.read_text(encoding="utf-8"), "with_name"):
        match node:
            case ast.Call(ast.Attribute(_, "with_name"), [ast.Constant(str(name))]):
                paths.append(module.with_name(name))
    return frozenset(file for path in paths for file in [path, *path.rglob("*")] if file.is_file())


def files_read(source: str) -> set[Path]:
    """What the strings that begin with ../ lead to, and ``Path("..") / "a"``: a file, or all files of a folder."""
    tree = nodes(source, "..")
    strings = {node.value for node in tree if isinstance(node, ast.Constant)}
    divisions = [node for node in tree if isinstance(node, ast.BinOp)]
    inner = {id(node.left) for node in divisions}
    joined = {"/".join(_joined(node)) for node in divisions if id(node) not in inner}
    texts = {text for text in strings if isinstance(text, str)} | joined
    paths = [SITE / text for text in texts if text.startswith("../")]
    files = {file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()}
    return {file for file in files if ".ipynb_checkpoints" not in file.parts}


def _joined(node: ast.AST) -> list[str]:
    """The parts of ``Path("..") / "a" / "b" / name`` up to the first that is not written out: .., a, b."""
    match node:
        case ast.BinOp(left, ast.Div(), right):
            before = _joined(left)
            known = before and before[-1] and isinstance(right, ast.Constant)
            return [*before, right.value if known else ""] if before else []
        case ast.Call(ast.Name("Path"), [ast.Constant("..")]):
            return [".."]
    return []


def fingerprint(files: set[Path]) -> str:
    """One hash of the names and contents of the files."""
    digest = hashlib.sha256()
    for file in sorted(file.resolve() for file in files):
        if "__pycache__" not in file.parts:
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
