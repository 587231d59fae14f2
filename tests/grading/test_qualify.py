"""A test that says one thing in one process and another in two is found, and the reason is named."""

import contextlib
import shutil
from pathlib import Path

import course
import nbformat
import pytest

from rnncourse.check import matrix
from rnncourse.grading import qualify
from rnncourse.grading.confine import Limits
from rnncourse.grading.coordinator import Course
from rnncourse.grading.process import Template, WarmProcess

ROOT = Path(__file__).parents[2]
ANSWERS = """
def mistakes(assignment):
    return {"no bias": {"double": "def double(x):\\n    return 2.5 * x"}, "of another exercise": {"treble": ""}}
"""
DEPEND_ON_THE_PROCESS = {  # a word of the reason: (answer, test)
    "seed": (
        "import random\ndef f():\n    return random.random()",
        "random.seed(3)\na = f()\nrandom.seed(3)\nassert a == f()",
    ),
    "switches": (
        "import torch\ndef f():\n    return torch.is_grad_enabled()",
        "import torch\nwith torch.no_grad():\n    assert not f()",
    ),
    "warnings": (
        "import warnings\ndef f():\n    warnings.warn('no')",
        "import warnings\nwith warnings.catch_warnings(record=True) as seen:\n    f()\nassert len(seen) == 1",
    ),
    "replaces": (
        "import math\ndef f():\n    return math.sqrt(4)",
        "import math\nfrom unittest import mock\nwith mock.patch('math.sqrt') as root:\n    f()\nassert root.called",
    ),
    "stand-in for the student's": (
        "def f():\n    'Answers.'",
        "assert f.__doc__ == 'Answers.'",
    ),
    "stand in the text": (
        "def f():\n    return 1",
        "assert globals()['f']() == 1",
    ),
    "of that class": (
        "class F:\n    pass",
        "assert isinstance(F(), F)",
    ),
    "come and go as copies": (
        "f = ['a']\ndef g():\n    f.append('b')",
        "before = f\ng()\nassert before == ['a', 'b']",
    ),
    "twice": (
        "import os\ndef f():\n    return os.urandom(4)",
        "int.from_bytes(f(), 'big') / 2**32",
    ),
    "however it is run": ("f = 1", "assert f == 2"),
}


def opened(root, answer: str, test: str) -> qualify.Exercise:
    """An exercise with one task, whose test gives a point."""
    cells = [
        course.cell("f", f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION", solution=True),
        course.cell("f-test", test, grade=True, locked=True, points=1),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    folder = root / "solutions/one"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "one.ipynb")
    (root / "nbgrader_config.py").write_text(course.CONFIG)
    return qualify.Exercise(Course(root), folder / "one.ipynb")


@pytest.fixture(scope="module")
def warm():
    with (
        contextlib.closing(Template(["numpy", "torch"], [], unsafe=True)) as template,
        contextlib.closing(WarmProcess(template.wait(), Limits())) as process,
    ):
        yield process


@pytest.mark.parametrize("word", DEPEND_ON_THE_PROCESS)
def test_the_reason_is_named(tmp_path, warm, word):
    [one] = qualify.findings(opened(tmp_path, *DEPEND_ON_THE_PROCESS[word]), warm, {qualify.SOLUTION: {}})
    assert (one.cell, one.answers) == ("f-test", qualify.SOLUTION)
    assert word in one.reason
    assert one.fix


def test_a_test_that_takes_too_long_is_not_called_random(tmp_path, warm, monkeypatch):
    monkeypatch.setattr(warm, "limits", warm.limits._replace(timeout=0.5))
    slow = opened(tmp_path, "import time\ndef f():\n    time.sleep(9)", "f()")
    [one] = qualify.findings(slow, warm, {qualify.SOLUTION: {}})
    assert (one.reason, one.fix) == qualify.SLOW


@pytest.fixture
def toy(tmp_path):
    """The toy course, not released."""
    (tmp_path / "solutions/toy").mkdir(parents=True)
    nbformat.write(course.source(), tmp_path / "solutions/toy/toy.ipynb")
    (tmp_path / "nbgrader_config.py").write_text(course.CONFIG)
    return tmp_path


def test_a_sound_exercise_qualifies(toy):
    result = course.run(toy, "rnncourse", "qualify", "toy")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 answers on 6 test cells" in result.stdout
    assert "all qualify" in result.stdout


def test_the_courses_own_answers_are_tried(toy, monkeypatch):
    (toy / "mistakes_of_toy.py").write_text(ANSWERS)
    with open(toy / "nbgrader_config.py", "a") as config:
        config.write("\nc.Qualification.answers = 'mistakes_of_toy.mistakes'\n")
    monkeypatch.syspath_prepend(toy)
    found, tried, cells = qualify.qualify(Course(toy), "toy")
    assert (found, tried, cells) == ([], 3, len(course.TESTS))


@pytest.mark.parametrize("answers", ["no.such.function", "mistakes"])
def test_answers_that_cannot_be_had_are_said(toy, answers):
    with open(toy / "nbgrader_config.py", "a") as config:
        config.write(f"\nc.Qualification.answers = {answers!r}\n")
    result = course.run(toy, "rnncourse", "qualify", "toy")
    assert result.returncode == 2
    assert answers in result.stderr
    assert "Traceback" not in result.stderr


def test_a_test_that_depends_on_the_process_fails_the_command(toy):
    path = toy / "solutions/toy/toy.ipynb"
    path.write_text(path.read_text().replace("assert six == 6", "assert globals()['six'] == 6"))
    shutil.rmtree(toy / "exercises", ignore_errors=True)
    result = course.run(toy, "rnncourse", "qualify", "toy")
    assert result.returncode == 1
    for words in ("six-value, with the solution", "in one process 1 points, no error", "in two 0 points, KeyError"):
        assert words in result.stdout
    assert not (toy / "exercises").exists()


def test_every_test_of_an_exercise_of_this_course_qualifies():
    found, tried, _ = qualify.qualify(Course(ROOT), "recurrence")
    assert found == []
    assert tried == 2 + sum(len(task.mistakes) for task in matrix.EXERCISES["recurrence"])


def test_this_course_gives_the_mistakes_of_every_exercise():
    for name, tasks in matrix.EXERCISES.items():
        assert len(qualify.more_answers(Course(ROOT), name)) == sum(len(task.mistakes) for task in tasks)


def test_an_assignment_without_a_notebook(toy):
    result = course.run(toy, "rnncourse", "qualify", "none")
    assert result.returncode == 2
    assert "no notebook in" in result.stderr
