"""Never build on what is stale: forget executed chapters when the package changed, and pages when the site did.

Executed chapters are cached by their own text alone, and Sphinx does not rewrite pages when an extension changes.
"""

import hashlib
import shutil
from pathlib import Path

import rnncourse

PACKAGE = Path(rnncourse.__file__).parent
SITE = Path(__file__).parents[1]  # book/


def setup(app):
    app.connect("config-inited", forget_what_is_stale, priority=100)  # before MyST-NB opens the cache
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def forget_what_is_stale(app, config):
    cache, pages = Path(app.outdir).parent / ".jupyter_cache", Path(app.doctreedir)
    package = fingerprint(*PACKAGE.rglob("*.py"), *PACKAGE.parent.glob("requirements.txt"))
    site = fingerprint(*SITE.glob("_ext/**/*.*"), *SITE.glob("_static/**/*.*"))
    if _differs(cache / "package.sha256", package):
        _renew(cache, "package.sha256", package)
        _renew(pages, "site.sha256", site)
    if _differs(pages / "site.sha256", site):
        _renew(pages, "site.sha256", site)


def fingerprint(*paths: Path) -> str:
    """One hash of the names and contents of the files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        if "__pycache__" not in path.parts:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _differs(stamp: Path, value: str) -> bool:
    return not stamp.exists() or stamp.read_text() != value


def _renew(folder: Path, stamp: str, value: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / stamp).write_text(value)
