"""Every exercise: every mistake caught and recognised, every right way accepted, nothing given away."""

import re
from pathlib import Path

import nbformat
import pytest

from rnncourse.check import matrix
from rnncourse.check.notebooks import answered, diagnosis, scores
from rnncourse.check.task import edited

ROOT = Path(__file__).parents[2]
SOLUTIONS = {name: nbformat.read(ROOT / f"solutions/{name}/{name}.ipynb", as_version=4) for name in matrix.EXERCISES}
RELEASES = {name: nbformat.read(ROOT / f"exercises/{name}/{name}.ipynb", as_version=4) for name in matrix.EXERCISES}
TASKS = [
    pytest.param(name, task, id=f"{name}-{task.name}") for name, tasks in matrix.EXERCISES.items() for task in tasks
]
MISTAKES = [
    pytest.param(name, task, mistake, id=f"{name}-{task.name}-{mistake.name}")
    for name, tasks in matrix.EXERCISES.items()
    for task in tasks
    for mistake in task.mistakes
]
VARIANTS = [
    pytest.param(name, task, variant, id=f"{name}-{task.name}-{variant.name}")
    for name, tasks in matrix.EXERCISES.items()
    for task in tasks
    for variant in task.variants
]


def cells(notebook) -> dict:
    return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells}


def test_every_exercise_is_in_the_matrix():
    folders = {path.name for path in (ROOT / "solutions").iterdir() if path.is_dir()}
    assert folders == set(matrix.EXERCISES)
    page = (ROOT / "book/matrix.md").read_text(encoding="utf-8")
    assert re.findall(r'^tried\("(.*)"\)$', page, re.M) == list(matrix.EXERCISES)


@pytest.mark.parametrize("name", matrix.EXERCISES)
def test_the_solution_gets_full_marks_and_the_blank_answers_none(name):
    solution = SOLUTIONS[name]
    full = {grade_id: cell.metadata.nbgrader.points for grade_id, cell in cells(solution).items()
            if cell.cell_type == "code" and cell.metadata.nbgrader.grade}  # fmt: skip
    assert scores(solution) == full
    assert sum(scores(answered(solution, matrix.stub_answers(RELEASES[name]))).values()) == 0


@pytest.mark.parametrize("name", matrix.EXERCISES)
def test_the_introduction_states_the_points(name):
    total = sum(cell.metadata.nbgrader.get("points", 0) for cell in SOLUTIONS[name].cells)
    assert f"{total} points" in SOLUTIONS[name].cells[0].source
    assert f"{total} points" in (ROOT / f"book/{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", matrix.EXERCISES)
def test_hidden_tests_call_the_answer_unaided_and_say_what_they_test(name):
    for cell in SOLUTIONS[name].cells:
        if "BEGIN HIDDEN TESTS" not in cell.source:
            continue
        points = cell.metadata.nbgrader.points
        assert cell.source.startswith(f"# {points} point{'s' * (points > 1)}: ")
        task = next(
            task for task in matrix.EXERCISES[name] if cell.metadata.nbgrader.grade_id.startswith(f"{task.name}-")
        )
        calls = cell.source.count(f"{task.name}(")
        messages = cell.source.count(f'"{task.name}(') + cell.source.count(f"`{task.name}(")
        assert calls <= messages, f"{cell.metadata.nbgrader.grade_id} calls {task.name} directly"


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_the_answer_cell_of_the_solution_is_the_reference(name, task):
    lines = [line for line in cells(SOLUTIONS[name])[task.name].source.splitlines() if "### " not in line]
    assert "\n".join(lines).endswith(task.source.rstrip())


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_the_check_of_the_released_notebook_says_that_nothing_is_written(name, task):
    assert "it is not written yet" in diagnosis(RELEASES[name], f"{task.name}-check")


@pytest.mark.parametrize(("name", "task"), TASKS)
def test_a_task_has_enough_mistakes_and_variants(name, task):
    assert len(task.variants) >= 5
    assert len(task.mistakes) >= (5 if task.cases is None else 10)
    for entries in (task.mistakes, task.variants):
        names = [entry.name for entry in entries]
        assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "task", "mistake"), MISTAKES)
def test_the_tasks_own_hidden_tests_catch_the_mistake(name, task, mistake):
    assert matrix.catches(task, mistake, SOLUTIONS[name])


@pytest.mark.parametrize(("name", "task", "mistake"), MISTAKES)
def test_the_visible_check_recognises_the_mistake(name, task, mistake):
    wrong = answered(SOLUTIONS[name], {task.name: edited(task.source, mistake)})
    words = " ".join(diagnosis(wrong, f"{task.name}-check").split())
    assert words.startswith(f"{task.name} is not right yet")
    assert "What is wrong: " in words
    assert " ".join(mistake.sentence.split()) in words
    assert task.source.splitlines()[-1].strip() not in words, "the message gives the answer away"


@pytest.mark.parametrize(("name", "task", "variant"), VARIANTS)
def test_another_right_way_gets_full_marks_and_passes_the_check(name, task, variant):
    assert matrix.accepts(task, variant, SOLUTIONS[name])


def test_the_command_prints_every_task_and_fails_when_one_is_short(capsys, monkeypatch):
    name, (task, *_) = next(iter(matrix.EXERCISES.items()))
    monkeypatch.setattr(matrix, "EXERCISES", {name: (task,)})
    assert matrix.main(ROOT / "solutions", ROOT / "exercises") == 0
    assert task.name in capsys.readouterr().out
    monkeypatch.setattr(matrix, "catches", lambda *_: False)
    assert matrix.main(ROOT / "solutions", ROOT / "exercises") == 1
    assert "not complete" in capsys.readouterr().out
