"""How `make lab` starts JupyterLab: on the exercises, and without asking any other host for anything.

Start it at the root of the course, where nbgrader_config.py is; without make: `jupyter lab --config=lab_config.py`.
"""

import os
from importlib.util import find_spec
from pathlib import Path

c = get_config()  # noqa: F821 - given by traitlets

c.LabApp.default_url = "/lab/tree/exercises"
c.LabApp.extension_manager = "readonly"  # the other one asks a package registry for extensions


def without_announcements(handler, page_config):
    """Leave out the plugin that asks whether to fetch news, fetches them and looks for a newer JupyterLab."""
    disabled = [*page_config["disabledExtensions"], "@jupyterlab/apputils-extension:announcements"]
    return page_config | {"disabledExtensions": disabled}


c.ServerApp.tornado_settings = {"page_config_hook": without_announcements}

# The formgrader's page for grading by hand: MathJax from here, and a template that asks for it here.
c.ServerApp.extra_static_paths = [str(Path(find_spec("sphinx-mathjax-offline").origin).with_name("static"))]
templates = str(Path(find_spec("rnncourse.grading").origin).with_name("jupyter"))
os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [templates, os.environ.get("JUPYTER_PATH")]))

# Other users of this machine can reach the ports that kernels listen on: let them read nothing there.
c.KernelManager.transport_encryption = "auto"
