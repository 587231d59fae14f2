"""Write results into nbgrader's gradebook: a batch in one transaction, at a cost that does not grow with the class."""

import uuid
from datetime import datetime

from nbgrader.api import BaseCell, Comment, Course, Grade, Gradebook, Student, SubmittedAssignment, SubmittedNotebook
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy import bindparam, insert, select, update
from traitlets.config import Config


class Recorder:
    """The only one who writes. `record` all or nothing."""

    def __init__(self, gradebook: Gradebook, assignment: str, config: Config):
        self.db, self.config = gradebook.db, config
        self.assignment = gradebook.find_assignment(assignment).id
        found = gradebook.find_assignment(assignment).notebooks
        self.maximum = gradebook.find_assignment(assignment).max_score
        self.notebooks = {notebook.name: notebook.id for notebook in found}
        self.grade_cells = {n.id: [c.id for c in [*n.grade_cells, *n.task_cells]] for n in found}
        self.comment_cells = {n.id: [c.id for c in [*n.solution_cells, *n.task_cells]] for n in found}
        self.course = self.db.execute(select(Course.id)).scalars().first()
        self.db.commit()  # ends the transaction that reading began

    def known(self) -> set[str]:
        """The students who have a submission to this assignment."""
        query = select(SubmittedAssignment.student_id).where(SubmittedAssignment.assignment_id == self.assignment)
        known = set(self.db.execute(query).scalars())
        self.db.commit()
        return known

    def record(self, results: list[dict], timestamps: dict[str, datetime | None]) -> dict[str, tuple[float, bool]]:
        """Write scores and comments. Returns each student's score, and whether a person has to look."""
        try:
            self._make_rows([result["student"] for result in results])
            submissions = self._submissions([result["student"] for result in results])
            self._set_timestamps(submissions, timestamps)
            self._set_scores(results)
            self.db.flush()
            self._set_penalties(submissions)
            self.db.flush()
            outcome = self._outcome(list(submissions))
            self.db.commit()
            self.db.expunge_all()
            return outcome
        except BaseException:
            self.db.rollback()
            raise

    def _submissions(self, students: list[str]) -> dict[str, SubmittedAssignment]:
        query = select(SubmittedAssignment).where(
            SubmittedAssignment.assignment_id == self.assignment, SubmittedAssignment.student_id.in_(students)
        )
        return {submission.student_id: submission for submission in self.db.execute(query).scalars()}

    def _outcome(self, students: list[str]) -> dict[str, tuple[float, bool]]:
        found = SubmittedAssignment
        query = select(found.student_id, found.score, found.needs_manual_grade).where(
            found.assignment_id == self.assignment, found.student_id.in_(students)
        )
        return {student: (score, bool(by_hand)) for student, score, by_hand in self.db.execute(query)}

    def _make_rows(self, students: list[str]) -> None:
        """Students, submissions, grades and comments not there yet, as nbgrader's `add_submission` makes them."""
        known = set(self.db.execute(select(Student.id).where(Student.id.in_(students))).scalars())
        there = self._submissions(students)
        rows = {Student: [{"id": student} for student in students if student not in known]}
        rows |= {kind: [] for kind in (SubmittedAssignment, SubmittedNotebook, Grade, Comment)}
        for student in students:
            if student not in there:
                self._rows_of(student, rows)
        for kind, values in rows.items():
            if values:
                self.db.execute(insert(kind), values)

    def _rows_of(self, student: str, rows: dict) -> None:
        submission = _new_id()
        rows[SubmittedAssignment].append({"id": submission, "assignment_id": self.assignment, "student_id": student})
        for notebook in self.notebooks.values():
            own = _new_id()
            rows[SubmittedNotebook].append({"id": own, "assignment_id": submission, "notebook_id": notebook})
            for kind, cells in ((Grade, self.grade_cells), (Comment, self.comment_cells)):
                rows[kind] += [{"id": _new_id(), "cell_id": cell, "notebook_id": own} for cell in cells[notebook]]

    def _set_timestamps(self, submissions: dict, timestamps: dict[str, datetime | None]) -> None:
        for student, submission in submissions.items():
            if timestamps.get(student) is not None:
                submission.timestamp = timestamps[student]

    def _set_scores(self, results: list[dict]) -> None:
        students = [result["student"] for result in results]
        grades = self._cells_of(Grade, students, Grade.manual_score)
        comments = self._cells_of(Comment, students)
        new_grades, new_comments = [], []
        for result in results:
            student = result["student"]
            for notebook, graded in result["notebooks"].items():
                for cell, score in graded["scores"].items():
                    number, manual = grades[student, self.notebooks[notebook], cell]
                    by_hand = score is None or manual is not None
                    new_grades.append({"number": number, "score": score, "by_hand": by_hand})
                for cell, comment in graded["comments"].items():
                    number = comments[student, self.notebooks[notebook], cell][0]
                    new_comments.append({"number": number, "comment": comment})
            for (who, notebook, _), (number, _) in grades.items():
                if who == student and notebook in [self.notebooks[name] for name in result["missing"]]:
                    new_grades.append({"number": number, "score": 0.0, "by_hand": False})
        self._update(Grade, new_grades, auto_score=bindparam("score"), needs_manual_grade=bindparam("by_hand"))
        self._update(Comment, new_comments, auto_comment=bindparam("comment"))

    def _update(self, kind, rows: list[dict], **values) -> None:
        if rows:
            table = kind.__table__
            self.db.connection().execute(update(table).where(table.c.id == bindparam("number")).values(**values), rows)

    def _cells_of(self, kind, students: list[str], *more) -> dict[tuple[str, str, str], tuple]:
        """The rows of these students by student, notebook and name of the cell."""
        query = (
            select(SubmittedAssignment.student_id, SubmittedNotebook.notebook_id, BaseCell.name, kind.id, *more)
            .join(SubmittedNotebook, SubmittedNotebook.id == kind.notebook_id)
            .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
            .join(BaseCell, BaseCell.id == kind.cell_id)
            .where(SubmittedAssignment.assignment_id == self.assignment, SubmittedAssignment.student_id.in_(students))
        )
        return {tuple(row[:3]): tuple(row[3:]) for row in self.db.execute(query)}

    def _set_penalties(self, submissions: dict[str, SubmittedAssignment]) -> None:
        """nbgrader's late penalties, by the plug-in that the course chose."""
        assign = AssignLatePenalties(config=self.config)
        assign.init_plugin()
        for student, submission in submissions.items():
            if submission.duedate is None:  # then nothing is late
                continue
            self.db.refresh(submission)
            late = submission.total_seconds_late
            for notebook in submission.notebooks if late > 0 else []:
                self.db.refresh(notebook)
                penalty = assign.plugin_inst.late_submission_penalty(student, notebook.score, late)
                checked = None if penalty is None else assign._check_late_penalty(notebook, penalty)
                notebook.late_submission_penalty = checked


def _new_id() -> str:
    return uuid.uuid4().hex
