"""What a student's notebook calls: is the answer right, and if not, what went wrong.

One file an exercise (`recurrence`, …) holds its tasks; `task` says what a task is; `compare` finds the first
difference; `diagnose` turns it into a message; `unaided` refuses ready-made networks; `notebooks` writes answers into
notebooks, for tests and for the simulated class; `matrix` tries every known answer on every exercise.
"""

from rnncourse.check.compare import CheckFailed, assert_same
from rnncourse.check.unaided import unaided

__all__ = ["CheckFailed", "assert_same", "unaided"]
