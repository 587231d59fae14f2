"""The student's and the instructor's journey in the real JupyterLab, seen in a real browser."""

import re
import shutil
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook

from rnncourse.check import recurrence
from rnncourse.check.simulated import students
from rnncourse.check.task import edited

ROOT = Path(__file__).parents[2]
STEP = recurrence.STEP
TASKS = [task.name for task in recurrence.TASKS]
CHECK_STEP = 'recurrence.check("rnn_step", rnn_step)'
WITHOUT_BIAS = next(mistake for mistake in STEP.mistakes if mistake.name == "no bias")
SOLVED = students()["solved"]


# ---------------------------------------------------------------- student


def test_lab_opens_on_the_exercises_with_no_question(desk):
    desk.open()
    desk.page.locator(".jp-DirListing-item", has_text="recurrence").dblclick()
    desk.page.locator(".jp-DirListing-item", has_text="recurrence.ipynb").dblclick()
    desk.wait_for_kernel()
    desk.page.get_by_role("heading", name="Exercise: a network with memory").wait_for()
    desk.page.locator(".jp-MarkdownOutput mjx-container").first.wait_for()
    assert desk.page.locator(".jp-MarkdownOutput mjx-merror").count() == 0
    assert desk.page.locator(".Toastify__toast, .jp-Dialog").count() == 0
    assert [url for url in desk.asked if re.search("/lab/api/(news|update)", url)] == []
    assert desk.strangers() == []


def test_check_explains_a_wrong_answer_and_confirms_the_right_one(desk):
    desk.lab.write("exercises/first/recurrence.ipynb", {})
    desk.open_notebook("exercises/first/recurrence.ipynb")
    desk.run("from rnncourse.check import recurrence")
    desk.answer("def rnn_step", edited(STEP.source, WITHOUT_BIAS))

    told = desk.run(CHECK_STEP, shows="Likely cause")
    assert told.startswith("CheckFailed: rnn_step is not right yet")
    assert f"exactly this comes out when {WITHOUT_BIAS.sentence}" in " ".join(told.split())
    assert "Traceback" not in told
    assert len(told.strip().splitlines()) <= 5

    desk.answer("def rnn_step", STEP.source)
    assert desk.run(CHECK_STEP, shows="✓").strip() == "✓ rnn_step is right on 3 cases. The graded tests try more."
    assert desk.strangers() == []


def test_validate_names_the_cells_that_are_still_blank(desk):
    desk.lab.write("exercises/blank/recurrence.ipynb", {})
    desk.open_notebook("exercises/blank/recurrence.ipynb")
    told = desk.validate()
    for name in TASKS:
        assert f'recurrence.check("{name}", {name})\nCheckFailed: {name} is not right yet' in told
    assert "YOUR ANSWER HERE\nYou did not provide a response." in told
    assert told.count("The following cell failed:") == len(TASKS) + 1
    assert desk.strangers() == []


def test_validate_passes_a_solved_notebook(desk):
    desk.lab.write("exercises/solved/recurrence.ipynb", SOLVED)
    desk.open_notebook("exercises/solved/recurrence.ipynb")
    assert "Success! Your notebook passes all the tests." in desk.validate()
    assert desk.strangers() == []


def test_a_chapter_opens_as_a_notebook_and_runs(desk):
    (desk.lab.course / "book").mkdir(exist_ok=True)
    shutil.copy(ROOT / "book/notation.md", desk.lab.course / "book")
    desk.open("/lab/tree/book/notation.md")
    desk.page.locator(".jp-DirListing-item", has_text="notation.md").click(button="right")
    desk.page.get_by_text("Open With").hover()
    desk.page.get_by_role("menuitem", name="Notebook", exact=True).click()
    desk.wait_for_kernel()
    desk.run("from rnncourse import convert", shows="PyTorch")
    assert desk.strangers() == []


# ---------------------------------------------------------------- instructor


def test_formgrader_releases_grades_and_lets_a_person_grade(desk):
    course, page = desk.lab.course, desk.page
    released = course / "exercises/recurrence/recurrence.ipynb"
    released.unlink()
    desk.lab.write("submitted/ada/recurrence/recurrence.ipynb", SOLVED)

    desk.open()
    form = desk.open_formgrader()
    row = form.locator("#main-table tr", has=form.get_by_role("link", name="recurrence", exact=True))
    assert row.locator(".status").inner_text() == "draft"

    # release
    row.locator(".assign a").click()
    form.locator(".modal-title", has_text="Success").wait_for()
    form.get_by_role("button", name="OK").click()
    row.locator(".preview a").wait_for()
    assert "BEGIN SOLUTION" not in released.read_text(encoding="utf-8")
    cells = nbformat.read(released, as_version=4).cells
    assert {cell.metadata.nbgrader.grade_id for cell in cells} >= {*TASKS, "order-answer"}

    # autograde
    row.locator(".num-submissions a").click()
    submission = form.locator("#main-table tr", has=form.locator(".student-id", has_text="ada"))
    assert submission.locator(".status").inner_text() == "needs autograding"
    submission.locator(".autograde a").click()
    form.locator(".modal-title", has_text="Success").wait_for()
    form.get_by_role("button", name="OK").click()
    submission.locator(".status", has_text="needs manual grading").wait_for()
    assert submission.locator(".score").inner_text() == "21 / 25"

    # grade by hand
    form.get_by_role("link", name="Manual Grading").click()
    form.locator("#main-table").get_by_role("link", name="recurrence").click()
    form.get_by_role("heading", name="Manual Grading").wait_for()
    form.locator("#main-table").get_by_role("link", name="recurrence").click()
    form.get_by_role("link", name="Submission #1").click()
    form.locator("mjx-container").first.wait_for()
    essay = form.locator(".nbgrader_cell", has=form.locator("#order-answer"))
    assert SOLVED["order-answer"] in essay.inner_text()
    page.wait_for_load_state("networkidle")  # the buttons work once the grades have been fetched
    with page.expect_response(re.compile("/formgrader/api/grade/")):
        essay.get_by_role("button", name="Full credit").click()
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        graded = gradebook.find_submission("recurrence", "ada")
        assert (graded.score, graded.max_score, graded.needs_manual_grade) == (25, 25, False)
    assert desk.strangers() == []
