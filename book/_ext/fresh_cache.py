"""Executed chapters are cached by their text. Forget them all when the package that they import has changed."""

import hashlib
import shutil
from pathlib import Path

import rnncourse

PACKAGE = Path(rnncourse.__file__).parent


def setup(app):
    app.connect("config-inited", forget_if_stale, priority=100)  # before MyST-NB opens the cache
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def forget_if_stale(app, config):
    cache = Path(app.outdir).parent / ".jupyter_cache"
    stamp = cache / "rnncourse.sha256"
    if stamp.exists() and stamp.read_text() == fingerprint():
        return
    shutil.rmtree(cache, ignore_errors=True)
    shutil.rmtree(app.doctreedir, ignore_errors=True)  # pages that were read hold the old outputs
    cache.mkdir(parents=True)
    stamp.write_text(fingerprint())


def fingerprint() -> str:
    """One hash of every source file of the package and of the pinned versions it runs with."""
    digest = hashlib.sha256()
    for path in [*sorted(PACKAGE.rglob("*.py")), *PACKAGE.parent.glob("requirements.txt")]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
