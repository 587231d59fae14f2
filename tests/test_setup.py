"""setup.sh: clear words when it cannot go on, no work when there is nothing to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def clone(tmp_path) -> Path:
    for name in ("setup.sh", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def set_up(clone: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["./setup.sh"], cwd=clone, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def script(folder: Path, text: str) -> str:
    path = folder / "python-for-this-test"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_missing_python_is_named(clone):
    result = set_up(clone, PYTHON="/no/such/python")
    assert result.returncode == 1
    assert "needs Python 3.11 or newer as '/no/such/python'" in result.stderr
    assert not (clone / ".venv").exists()


def test_a_python_without_venv_is_told_what_to_install(clone, tmp_path):
    python = script(tmp_path, f'case "$*" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"')
    result = set_up(clone, PYTHON=python)
    assert result.returncode == 1
    assert "apt-get install python3-venv" in result.stderr


def test_nothing_is_done_twice(clone):
    wanted = subprocess.run(
        "cat requirements.txt pyproject.toml setup.sh | cksum",
        shell=True,
        cwd=clone,
        capture_output=True,
        text=True,
        check=True,
    )
    (clone / ".venv").mkdir()
    (clone / ".venv/.set-up").write_text(wanted.stdout.strip())
    result = set_up(clone, PYTHON="/no/such/python")  # would fail if it did anything
    assert (result.returncode, result.stderr) == (0, "")


def test_no_registry_host_and_no_path_of_one_machine_stands_in_the_tree():
    hosts = [b"py" + b"pi.org", b"python" + b"hosted", b"npm" + b"js.org", b"deb.deb" + b"ian"]
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        content = (ROOT / name).read_bytes()  # checkpoints, fonts and pictures as well
        assert not [host for host in hosts if host in content], name
        assert f"{ROOT}/".encode() not in content, name
