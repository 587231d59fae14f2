"""What a Linux without user namespaces, a container, a machine without bubblewrap and an ordinary user get."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import course
import pytest

from rnncourse.grading import sandbox

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "rnncourse", "grade", "toy")
CONTAINER = """
import os, sys
import pyseccomp as seccomp
NEW_USER = 0x10000000
made = seccomp.SyscallFilter(seccomp.ALLOW)
for name in ("unshare", "setns", "mount", "umount2", "pivot_root"):
    made.add_rule(seccomp.ERRNO(1), name)
made.add_rule(seccomp.ERRNO(1), "clone", seccomp.Arg(0, seccomp.MASKED_EQ, NEW_USER, NEW_USER))
made.add_rule(seccomp.ERRNO(38), "clone3")
made.load()
os.execv(sys.argv[1], sys.argv[1:])
"""  # refuses what the usual profile of a container refuses
WITHOUT_NAMESPACES = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"'
MACHINES = {  # what starts a program there, and what the grader has to say
    "no user namespaces": (
        ("unshare", "--user", "--map-root-user", "sh", "-c", WITHOUT_NAMESPACES, "sh"),
        "no namespaces: bubblewrap cannot start: ",
    ),
    "container": ((sys.executable, "-c", CONTAINER), "no namespaces: bubblewrap cannot start: "),
    "no bubblewrap": (("env", "PATH=/nowhere"), "no namespaces: bubblewrap (bwrap) is not installed"),
}
pytestmark = pytest.mark.skipif(bool(sandbox.missing()), reason="this machine is itself one of these")


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    root = course.make(tmp_path_factory.mktemp("toy"))
    course.hand_in(root, "ada", course.answered(root, course.RIGHT))
    return root


@pytest.mark.parametrize("machine", MACHINES)
def test_it_refuses_and_says_what_to_do(released, machine):
    start, words = MACHINES[machine]
    result = course.run_program(released, *start, *COMMAND)
    said = " ".join(result.stdout.split())
    assert result.returncode == 2, said + result.stderr
    assert words in said
    assert "apt-get install bubblewrap" in said
    assert "docker run" in said
    assert "With --unsafe the students' code runs with your rights" in said
    assert not (released / "autograded").exists()


def test_unsafe_grades_there_all_the_same_and_says_what_is_missing(released, tmp_path):
    root = tmp_path / "course"
    shutil.copytree(released, root)
    result = course.run_program(root, *MACHINES["container"][0], *COMMAND, "--unsafe")
    assert result.returncode == 0, result.stderr
    assert "namespaces ✗ (bubblewrap cannot start: " in " ".join(result.stdout.split())
    assert sum(course.scores(root, "ada").values()) == course.MOST


@pytest.fixture
def nobodys():
    """A folder of an ordinary user's, whose way there that user may go."""
    with tempfile.TemporaryDirectory(prefix="nobody-") as name:
        shutil.chown(name, "nobody")
        yield Path(name)


def as_nobody() -> list[str]:
    """What starts a program as an ordinary user, to whom the way to Python and to this package is opened if need be."""
    words = ["bwrap", "--dev-bind", "/", "/"]
    needed = [Path(path).resolve() for path in (sys.base_prefix, sys.prefix, ROOT)]
    ways = dict.fromkeys(folder for path in needed for folder in reversed(path.parents))
    closed = [folder for folder in ways if folder.stat().st_mode & 0o005 != 0o005]
    for folder in ways:
        if any(folder.is_relative_to(top) for top in closed):
            words += ["--perms", "0755", "--tmpfs" if folder in closed else "--dir", folder]
    for path in needed if closed else []:
        words += ["--ro-bind", path, path]
    return [*words, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


@pytest.mark.skipif(os.geteuid() != 0, reason="then all the other tests show it")
def test_an_ordinary_user_is_confined_without_groups(released, nobodys):
    root = nobodys / "course"
    shutil.copytree(released, root)
    for path in (root, *root.rglob("*")):
        shutil.chown(path, "nobody")
    home = os.environ | {"HOME": str(nobodys)}
    result = course.run_program(root, *as_nobody(), *COMMAND, env=home)
    assert result.returncode == 0, result.stdout + result.stderr
    said = " ".join(result.stdout.split())
    assert "namespaces ✓, seccomp ✓, resource limits ✓, cgroups ✗ (none is writable" in said
    assert sum(course.scores(root, "ada").values()) == course.MOST
