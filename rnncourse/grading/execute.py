"""Run a submission confined, where nbgrader would run it: for `nbgrader autograde` and the formgrader's button."""

import atexit
import functools
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Float

from rnncourse.grading import notebook, spec, wire
from rnncourse.grading.confine import Limits
from rnncourse.grading.folder import read_submission
from rnncourse.grading.process import Template, WarmProcess, WarmProcessDied
from rnncourse.grading.settings import Sandbox
from rnncourse.grading.submission import VARIABLES


class Execute(NbGraderPreprocessor):
    """In place of nbgrader's `Execute`: the student's cells and the tests run in two confined processes."""

    timeout = Float(help="Seconds for one cell; that of c.Sandbox if not set.").tag(config=True)
    unsafe = Bool(False, help="Run even if this machine cannot confine students' code.").tag(config=True)

    def preprocess(self, submitted, resources):
        record = resources["nbgrader"]
        with Gradebook(record["db_url"]) as gradebook:
            found = spec.read(CourseDirectory(config=self.config), record["assignment"], gradebook, self.config)
        files = read_submission(Path(resources["metadata"]["path"]), ["*.ipynb"])[0]
        both = {wire.STUDENT: files, wire.TESTS: files}
        claims = found["notebooks"][record["notebook"]]["claims"]
        try:
            ran = notebook.run(submitted, self._warm(found), claims, both, VARIABLES)
        except WarmProcessDied:
            _warm_process.cache_clear()
            ran = notebook.run(submitted, self._warm(found), claims, both, VARIABLES)
        for problem in ran.problems:
            self.log.error(problem)
        return submitted, resources

    def _warm(self, found: dict) -> WarmProcess:
        set_by_course = Sandbox(config=self.config)
        timeout = self.timeout or set_by_course.timeout
        limits = Limits(timeout=timeout, total=10 * timeout, memory=set_by_course.memory << 20)
        return _warm_process(tuple(found["preload"]), tuple(found["private"]), limits, self.unsafe)


@functools.lru_cache(maxsize=1)
def _warm_process(preload: tuple, private: tuple, limits: Limits, unsafe: bool) -> WarmProcess:
    """One warm process for all that this nbgrader grades."""
    template = Template(list(preload), list(private), unsafe)
    atexit.register(template.close)
    warm = WarmProcess(template.wait(), limits)
    atexit.register(warm.close)
    return warm
