"""A site built from nothing, in another folder, is the built site, byte for byte; chapters are not executed again."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = "build book --config _config.yml -W -n --keep-going --path-output"


def contents(site: Path) -> dict[str, bytes]:
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_a_site_built_from_nothing_is_the_same(site, tmp_path):
    shutil.copytree(site.parent / ".jupyter_cache", tmp_path / "_build/.jupyter_cache")
    program = Path(sys.executable).with_name("jupyter-book")
    result = subprocess.run([program, *BUILD.split(), tmp_path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    before, now = contents(site), contents(tmp_path / "_build/html")
    if before.pop("book.pdf", None):  # `make pdf` adds it, and a link to it on the front page
        del before["index.html"], now["index.html"]
    assert sorted(before) == sorted(now)
    assert [name for name in before if before[name] != now[name]] == []
