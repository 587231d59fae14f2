"""``python -m rnncourse.grading ASSIGNMENT`` is ``rnncourse grade ASSIGNMENT``."""

import sys

from rnncourse.grading.cli import run

if __name__ == "__main__":
    sys.exit(run())
