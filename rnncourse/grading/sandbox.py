"""The walls around the warm process: what this machine has of them, and the command that puts them up.

Bubblewrap makes a system of its own: read-only programs and libraries, no network, no other process, no home, no
course. Inside, each child takes more from itself (see `confine`).
"""

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from rnncourse.grading import cgroups

SYSTEM_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib32": "usr/lib32", "lib64": "usr/lib64"}
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/mime.types")
NAMESPACES = [f"--unshare-{kind}" for kind in ("user", "pid", "net", "ipc", "uts", "cgroup-try")]


class NoConfinement(RuntimeError):
    """This machine cannot keep a stranger's code from the rest of it."""


@functools.cache
def layers() -> dict[str, str]:
    """What holds on this machine: the name of each layer, and "" or why it is missing."""
    if sys.platform != "linux":
        missing = f"needs Linux, and this is {sys.platform}"
        return {"namespaces": missing, "seccomp": missing, "resource limits": "", "cgroups": missing}
    return {
        "namespaces": _namespaces(),
        "seccomp": _seccomp(),
        "resource limits": "",
        "cgroups": "" if cgroups.roots() else "none is writable; the other layers do without",
    }


def missing() -> str:
    """Why strangers' code must not run here; "" if it may."""
    return "; ".join(f"no {name}: {why}" for name, why in layers().items() if why and name in ("namespaces", "seccomp"))


def advice() -> str:
    return (
        "Grade on Linux with bubblewrap (on Debian and Ubuntu: apt-get install bubblewrap), or in a container that may "
        "make namespaces: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined -v "
        '"$PWD":/course -w /course python:3.11 sh -c "apt-get update && apt-get install -y bubblewrap make && make '
        "grade\". With --unsafe the students' code runs with your rights: do that only if you trust every one of them."
    )


def _namespaces() -> str:
    if not shutil.which("bwrap"):
        return "bubblewrap (bwrap) is not installed"
    probe = ["bwrap", *NAMESPACES, "--cap-add", "CAP_SYS_ADMIN", "--uid", "0", "--gid", "0", "--ro-bind", "/", "/"]
    mounts = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "true"]
    result = subprocess.run([*probe, *mounts], capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else f"bubblewrap cannot start: {result.stderr.strip()[:200]}"


def _seccomp() -> str:
    try:
        from rnncourse.grading.confine import seccomp_filter

        seccomp_filter()
    except Exception as error:  # whatever a missing or an old library raises
        return f"libseccomp does not work ({type(error).__name__}: {error})"
    return ""


# --- The command --------------------------------------------------------------------------------------------------


def command(program: list[str], packages: list[str]) -> list[str]:
    """`program` inside the walls. `packages` are the import packages that it needs from outside the Python prefix."""
    shown = _prefixes() + [path for path in map(_folder, packages) if path]
    shown = [path for path in dict.fromkeys(shown) if not _inside(path, ["/usr"])]
    binds = [word for path in shown for word in ("--ro-bind", path, path)]
    links = [w for name, to in SYSTEM_LINKS.items() if Path("/", name).exists() for w in _system(name, to)]
    files = [word for path in SYSTEM_FILES for word in ("--ro-bind-try", path, path)]
    settings = [word for name, value in environment(packages).items() for word in ("--setenv", name, value)]
    return [
        "bwrap", *NAMESPACES, "--die-with-parent", "--new-session", "--hostname", "grader",
        "--cap-add", "CAP_SYS_ADMIN", "--uid", "0", "--gid", "0", "--clearenv", *settings,
        "--ro-bind", "/usr", "/usr", *links, *files, "--proc", "/proc", "--dev", "/dev",
        "--perms", "0555", "--tmpfs", "/tmp", "--perms", "0755", "--tmpfs", "/job",
        *binds, "--remount-ro", "/tmp", "--remount-ro", "/", "--chdir", "/job", "--", *program,
    ]  # fmt: skip


def environment(packages: list[str]) -> dict[str, str]:
    """The whole environment of the warm process: nothing of the grader's own."""
    paths = dict.fromkeys(os.path.dirname(path) for path in map(_folder, packages) if path)
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/job",
        "USER": "student",
        "IPYTHONDIR": "/job/ipython",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": "/job/matplotlib",
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def _prefixes() -> list[str]:
    return [os.path.realpath(path) for path in (sys.prefix, sys.base_prefix)]


def _folder(package: str) -> str:
    """Where the top package of a module lies if that is outside the Python prefix; "" if it does not."""
    found = importlib.util.find_spec(package.partition(".")[0])
    if found is None:
        return ""
    place = found.submodule_search_locations[0] if found.submodule_search_locations else found.origin
    return "" if place in (None, "built-in", "frozen") or _inside(place, [*_prefixes(), "/usr"]) else str(place)


def _inside(path: str, folders: list[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


def _system(name: str, to: str) -> tuple[str, ...]:
    path = Path("/", name)
    return ("--symlink", to, f"/{name}") if path.is_symlink() else ("--ro-bind", str(path), str(path))
