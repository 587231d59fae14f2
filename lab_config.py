"""How `make lab` starts JupyterLab: on the exercises, and without asking any other host for anything.

Start it at the root of the course, where nbgrader_config.py is; without make: `jupyter lab --config=lab_config.py`.
"""

import os

c = get_config()  # noqa: F821 - given by traitlets

c.LabApp.default_url = "/lab/tree/exercises"
c.LabApp.extension_manager = "readonly"  # the other one asks a package registry for extensions


def without_announcements(handler, page_config):
    """Leave out the plugin that asks whether to fetch news, fetches them and looks for a newer JupyterLab."""
    disabled = [*page_config["disabledExtensions"], "@jupyterlab/apputils-extension:announcements"]
    return page_config | {"disabledExtensions": disabled}


c.ServerApp.tornado_settings = {"page_config_hook": without_announcements}

# As in nbgrader_config.py: kernels are spoken to over files of this user, not over open TCP ports.
if os.name != "nt":
    c.KernelManager.transport = "ipc"
