"""Execute the chapters that the cache lacks side by side, one a core, before Sphinx reads page after page."""

import logging
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor

MYST_NB = {"name": "myst_nb_md", "type": "plugin"}  # how a chapter is read: as the build reads it


def setup(app):
    app.connect("env-get-outdated", execute, priority=900)  # after `fresh_cache` has dropped what is stale
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def execute(app, env, added, changed, removed) -> list[str]:
    """Fill the cache. A chapter that fails stays out of it: Sphinx will run it again, and report it as its own."""
    cache = get_cache(Path(app.outdir).parent / ".jupyter_cache")
    cached = {Path(record.uri).stem for record in cache.list_cache_records()}
    waiting = [env.doc2path(name) for name in env.found_docs if name in added | changed or name not in cached]
    chapters = [path for path in waiting if "```{code-cell}" in Path(path).read_text("utf-8")]
    records = [cache.add_nb_to_project(str(path), read_data=MYST_NB) for path in chapters]
    waiting = cache.list_unexecuted(filter_uris=[record.uri for record in records])
    if len(waiting) > 1:
        executor = load_executor("local-parallel", cache, logger=logging.getLogger(__name__))
        executor.run_and_cache(filter_pks=[record.pk for record in waiting], timeout=env.config.nb_execution_timeout)
    return []
