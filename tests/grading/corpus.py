"""Hostile and broken submissions to the toy exercise: what each does, and the most that it may earn.

Each is handed in beside an honest classmate. An attack on the score leaves the answers wrong (they earn `LEAST`
honestly); an attack on the grader, a classmate or a secret stands in a notebook with right answers, which may keep what
it earns. "leak" prints what it found: the test looks for secrets in everything that students get to see.
"""

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import course
import nbformat

SECRET = "secret-of-the-instructor-51f0"  # in the environment and in a file of the course
LEAST, MOST = course.LEAST, course.MOST


@dataclass
class Case:
    """A submission: answers over the wrong or the right ones, a cell of its own before them, files beside it."""

    answers: dict[str, str] = field(default_factory=dict)
    first: str = ""
    wrong: bool = True  # the other answers are wrong
    most: float = LEAST
    least: float = 0.0
    change: object = None  # what to do with the notebook before it is handed in
    raw: bytes | None = None  # the file itself
    files: dict[str, bytes] = field(default_factory=dict)
    reason: str = ""  # what the grader has to say of it


def code(first: str, answers: dict[str, str]) -> dict:
    return {"first": PRELUDE + dedent(first), "answers": {name: dedent(text).strip() for name, text in answers.items()}}


def attack(first: str = "", **answers) -> Case:
    """Wrong answers and something that is to make them count."""
    return Case(**code(first, answers))


def nuisance(first: str = "", least: float = 0.0, reason: str = "", **answers) -> Case:
    """Right answers, and something that is to hurt others or the grader."""
    return Case(**code(first, answers), wrong=False, most=MOST, least=least, reason=reason)


def mended(change, least: float, most: float = MOST, reason: str = "") -> Case:
    """Right answers in a notebook that is damaged."""
    return Case(wrong=False, change=change, least=least, most=most, reason=reason)


def unreadable(raw: bytes) -> Case:
    return Case(raw=raw, most=0.0, reason="cannot be read as a notebook")


EQUAL = """
class Equal:
    def __eq__(self, other): return True
    __ne__ = lambda self, other: False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = None
    def __sub__(self, other): return 0.0
    __rsub__ = __add__ = __radd__ = __mul__ = __rmul__ = __truediv__ = __mod__ = __pow__ = __sub__
    def __abs__(self): return 0.0
    __float__ = __neg__ = __abs__
    def __bool__(self): return True
    def __len__(self): return 3
    def __iter__(self): return iter([self, self, self])
    def __getitem__(self, key): return self
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    def __array__(self, *a, **k): return __import__("numpy").array([0.0, 2.0, 4.0])
"""
PRELUDE = """
import ctypes, gc, json, msgpack, numpy, os, signal, socket, struct, sys, threading, time

def search(places):
    found = []
    for place in places:
        try:
            with open(place, "rb") as file: content = file.read(1 << 20)
        except OSError: continue
        found += [place] * any(word in content for word in (b"secret-of-the-instructor", b"hidden-7f3a"))
        if b"secret-of-the" in content or b"hidden-7f3a" in content: print(content)
    print(found)
"""


def forged(*messages: dict) -> str:
    """Code that writes these messages to every descriptor it can."""
    return (
        f"messages = {list(messages)!r}"
        + """
for data in map(msgpack.packb, messages):
    for descriptor in range(3, 2000):
        try: os.write(descriptor, struct.pack("!I", len(data)) + data)
        except OSError: pass
"""
    )


def remade(change):
    """A change of the notebook as plain JSON."""

    def make(notebook):
        content = json.loads(nbformat.writes(notebook))
        change(content)
        return json.dumps(content)

    return make


def cells_of(content: dict, name: str) -> dict:
    return next(c for c in content["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == name)


def skip_tests(content):
    for each in content["cells"]:
        each["metadata"]["tags"] = ["skip-execution", "raises-exception"]


def no_points(content):
    for each in content["cells"]:
        if "points" in each["metadata"].get("nbgrader", {}):
            each["metadata"]["nbgrader"]["points"] = 100


def empty_tests(content):
    for name in course.TESTS:
        cells_of(content, name)["source"] = "pass"


def tests_as_answers(content):
    for name in course.TESTS:
        cells_of(content, name)["metadata"]["nbgrader"]["solution"] = True


def as_markdown(content):
    for name in course.TESTS:
        cell = cells_of(content, name)
        cell["cell_type"] = "markdown"
        del cell["outputs"], cell["execution_count"]


def ready_outputs(content):
    for name, (points, _) in course.TESTS.items():
        output = {"output_type": "execute_result", "data": {"text/plain": str(points)}, "metadata": {}}
        cells_of(content, name)["outputs"] = [output | {"execution_count": 1}]


def tests_first(content):
    content["cells"].sort(key=lambda c: not c["metadata"].get("nbgrader", {}).get("grade", False))


def wrong_but(change) -> Case:
    return Case(change=remade(change))


def delete(*names):
    def change(content):
        kept = [c for c in content["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") not in names]
        content["cells"] = kept

    return remade(change)


def doubled(content):
    content["cells"].append({**cells_of(content, "double"), "id": "again", "source": course.WRONG["double"]})


def odd_metadata(content):
    cells_of(content, "double-values")["metadata"]["nbgrader"] = {"grade_id": "double-values", "grade": "perhaps"}


def strange_records(content):
    for each in content["cells"]:
        each["metadata"]["nbgrader"] = [1, 2, 3]


def old_format(content):
    content["nbformat_minor"] = 2
    for each in content["cells"]:
        each.pop("id", None)


def surrogates(content):
    content["cells"].append({"cell_type": "markdown", "id": "odd", "metadata": {}, "source": "\ud800 \u0000"})


SCORES = {  # wrong answers that are to count as right
    "equal-object": attack(
        EQUAL, double="double = lambda x: Equal()", mean="mean = lambda n: Equal()", six="six = Equal()"
    ),
    "equal-number": attack(
        """
        class F(float):
            __eq__ = lambda s, o: True
            __sub__ = __rsub__ = lambda s, o: 0.0
            __hash__ = None
        """,
        mean="mean = lambda n: F(1)",
        six="six = F(5)",
    ),
    "equal-array": attack(
        """
        class A(numpy.ndarray):
            def __array_function__(self, *a): return True
            def __array_ufunc__(self, *a, **k): return numpy.True_
            __eq__ = lambda s, o: True
        """,
        double="def double(x):\n    return numpy.asarray(x).view(A)",
    ),
    "equal-function": attack(EQUAL, double="double = Equal()", mean="mean = Equal()"),
    "numpy-patched": attack(
        """
        import numpy.testing
        numpy.testing.assert_allclose = lambda *a, **k: None
        numpy.arange = numpy.ones = lambda *a: numpy.zeros(3)
        """
    ),
    "own-numpy": attack(six="class np:\n    class testing:\n        assert_allclose = lambda *a: 0\nsix = 5"),
    "builtins-patched": attack(
        """
        import builtins
        builtins.abs = builtins.sum = lambda *a: 0
        builtins.AssertionError = type("A", (), {})
        builtins.isinstance = lambda *a: True
        builtins.__import__ = lambda *a, **k: None
        """
    ),
    "own-builtins": attack(six="six = 5\nabs = lambda x: 0\nAssertionError = None\nlen = max = lambda *a: 0"),
    "own-expectation": attack(six="six = 5\nwant = 7\nsecret = want\na = [2, 1]"),
    "muted-traceback": attack("get_ipython().showtraceback = get_ipython()._showtraceback = lambda *a, **k: None"),
    "muted-shell": attack(
        """
        ip = get_ipython()
        ip.run_cell = lambda *a, **k: None
        ip.run_code = lambda *a, **k: False
        type(ip).run_cell_async = None
        ip.set_custom_exc((Exception,), lambda *a, **k: None)
        """
    ),
    "no-asserts": attack(
        """
        import ast
        class No(ast.NodeTransformer):
            def visit_Assert(self, node): return ast.Pass()
        get_ipython().ast_transformers.append(No())
        get_ipython().input_transformers_post.append(lambda lines: ["pass\\n"])
        """
    ),
    "hooks": attack("get_ipython().events.register('pre_run_cell', lambda *a: exec('abs = lambda x: 0', globals()))"),
    "tracer": attack("sys.settrace(lambda *a: None)\nsys.excepthook = lambda *a: None\nsys.setprofile(None)"),
    "frames": attack(
        double="""
        def double(x):
            frame = sys._getframe()
            while frame:
                for name, value in list(frame.f_locals.items()):
                    if name in ("want", "secret"):
                        print(value)
                        return value
                frame = frame.f_back
            return x
        """
    ),
    "memory-search": attack(
        double="""
        def double(x):
            for thing in gc.get_objects():
                if isinstance(thing, dict) and "want" in thing:
                    return thing["want"]
            print([thing for thing in gc.get_objects() if "hidden" "-7f3a" in str(thing)[:2000]][:3])
            return x
        """
    ),
    "history": attack(double="def double(x):\n    print(In, get_ipython().user_ns.get('secret'))\n    return x"),
    "forged-done": attack(forged(*({"event": "done", "cell": i, "error": None, "count": 1} for i in range(14)))),
    "forged-outputs": attack(
        forged(
            *(
                {
                    "event": "output",
                    "cell": i,
                    "kind": "execute_result",
                    "content": {"data": {"text/plain": "3.0"}, "metadata": {}},
                }
                for i in range(14)
            )
        )
    ),
    "forged-in-test": attack(
        double="""
        def double(x):
            for cell in range(14):
                data = msgpack.packb({"event": "done", "cell": cell, "error": None, "count": 1})
                for descriptor in range(3, 1100):
                    try: os.write(descriptor, struct.pack("!I", len(data)) + data)
                    except OSError: pass
            return x
        """
    ),
    "forged-answers": attack(forged({"changed": [], "value": b"\xc3"}, {"changed": [], "value": b"\x06"})),
    "forged-questions": attack(
        forged(["ask", 0, [b"\xd7\x12" + bytes(8)], [], [], {}, 9], ["ask", 1, [b"\x91\xa6secret"], [], [], {}, 9])
    ),
    "displayhook": attack(
        double="""
        def double(x):
            get_ipython().displayhook(2.0)
            return x
        """,
        mean="""
        def mean(n):
            get_ipython().display_pub.publish({"text/plain": "2"})
            return 1
        """,
    ),
    "cleared-outputs": attack(
        double="""
        def double(x):
            from IPython.display import clear_output
            clear_output()
            return x
        """
    ),
    "exit-in-test": attack(double="def double(x):\n    os._exit(0)"),
    "system-exit": attack(double="def double(x):\n    raise SystemExit(0)", mean="def mean(n):\n    exit()"),
    "interrupt": attack(double="def double(x):\n    raise KeyboardInterrupt"),
    "stop-iteration": attack(
        double="def double(x):\n    raise StopIteration", mean="def mean(n):\n    raise GeneratorExit"
    ),
    "hostile-error": attack(
        double="""
        class E(Exception):
            def __str__(self): raise E
            __repr__ = __str__
            args = property(lambda s: 1 / 0)
            def _render_traceback_(self): return []
        def double(x):
            raise E()
        """
    ),
    "all-attributes": attack(
        """
        class G:
            def __getattribute__(self, name): raise RuntimeError(name)
            def __len__(self): return 1 << 60
        """,
        double="double = G()",
        six="six = G()",
    ),
    "lying-length": attack(
        """
        class L:
            def __len__(self): return 10 ** 15
            def __getitem__(self, i): return 6
        """,
        double="def double(x):\n    return L()",
    ),
    "pickle": attack(
        "class P:\n    def __reduce__(self): return (print, ('pickled',))", double="def double(x):\n    return P()"
    ),
    "server-patched": attack(
        """
        from rnncourse.grading import peers, values, errors, wire
        peers.Peer._changed = lambda *a: []
        values.Codec.pack = lambda self, v, **k: b"\\xc3"
        errors.describe = lambda e: {}
        """
    ),
    "library-as-answer": attack(double="double = exec", mean="mean = eval", six="import numpy\nsix = numpy"),
    "threads-patching": attack(
        """
        def work():
            while True:
                get_ipython().user_ns["want"] = 7
                time.sleep(0.01)
        threading.Thread(target=work, daemon=True).start()
        """
    ),
    "tests-skipped": wrong_but(skip_tests),
    "tests-emptied": wrong_but(empty_tests),
    "tests-as-answers": wrong_but(tests_as_answers),
    "tests-as-text": wrong_but(as_markdown),
    "more-points": wrong_but(no_points),
    "outputs-ready": wrong_but(ready_outputs),
    "tests-before-answers": wrong_but(tests_first),
    "modules-beside": Case(
        files={
            name: b"raise SystemExit"
            for name in ("numpy.py", "sitecustomize.py", "usercustomize.py", "IPython.py", "ast.py")
        }
    ),
    "package-beside": Case(files={"numpy/__init__.py": b"def __getattr__(n): return lambda *a, **k: None"}),
}

NUISANCES = {  # what is to hurt the grader, the machine, a classmate, or to find a secret
    "exit": nuisance("os._exit(1)", reason="The kernel died"),
    "killer": nuisance(
        """
        for process in (1, -1, 0, os.getppid(), os.getpid()):
            for number in (9, 19):
                try: os.kill(process, number)
                except OSError: pass
        """,
        least=MOST,
    ),
    "endless": nuisance(mean="def mean(n):\n    while True: pass", least=6, reason="took longer"),
    "stubborn": nuisance(
        "signal.signal(signal.SIGINT, signal.SIG_IGN)",
        mean="""
        while True:
            try:
                while True: pass
            except BaseException: pass
        """,
        reason="stopped answering",
    ),
    "memory": nuisance("a = [bytearray(1 << 28) for _ in range(1 << 10)]", least=MOST),
    "memory-in-test": nuisance(mean="import numpy\ndef mean(n):\n    return numpy.ones(1 << 36)", least=6),
    "large-answer": nuisance(mean="import numpy\ndef mean(n):\n    return numpy.zeros(1 << 26)", least=6),
    "deep": nuisance(
        "def f(): f()\ntry: f()\nexcept RecursionError: pass", mean="def mean(n):\n    return mean(n)", least=6
    ),
    "deep-answer": nuisance(mean="def mean(n):\n    v = []\n    for _ in range(99999): v = [v]\n    return v", least=6),
    "cyclic-answer": nuisance(mean="def mean(n):\n    v = []\n    v.append(v)\n    return v", least=6),
    "fork-bomb": nuisance("try:\n    while True: os.fork()\nexcept OSError: pass", least=MOST),
    "programs": nuisance(
        """
        import subprocess
        try: print(subprocess.run(["ls", "/"], capture_output=True))
        except OSError: pass
        !ls /
        """,
        least=MOST,
    ),
    "threads": nuisance(
        """
        threading.stack_size(1 << 16)
        try:
            for _ in range(5000): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        except RuntimeError: pass
        """
    ),
    "printer": nuisance("for _ in range(1 << 10): print('x' * (1 << 20))", least=MOST),
    "raw-printer": nuisance("for _ in range(1 << 10): os.write(1, b'x' * (1 << 20))", least=MOST),
    "displays": nuisance("from IPython.display import display\nfor _ in range(200): display({'a': 'x' * (1 << 20)})"),
    "long-error": nuisance("raise ValueError('x' * (1 << 26))"),
    "disk": nuisance(
        """
        try:
            with open("large", "wb") as file:
                while True: file.write(b"x" * (1 << 20))
        except OSError: pass
        """,
        least=MOST,
    ),
    "many-files": nuisance(
        """
        try:
            for i in range(100000): open(f"{i}", "w").close()
        except OSError: pass
        """,
        least=MOST,
    ),
    "network": nuisance(
        """
        for kind in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET):
            try:
                socket.socket(kind, socket.SOCK_RAW if kind > 10 else socket.SOCK_STREAM)
                print("a socket")
            except OSError: pass
        """,
        least=MOST,
    ),
    "leak-files": nuisance(
        """
        places = []
        for top in ("..", "/root", "/home", "/tmp", "/work", "/"):
            for folder, inner, names in os.walk(top):
                if folder.startswith(("/usr", "/proc", "/sys")) or folder.endswith(("/lib", "/share")):
                    inner.clear()
                    continue
                places += [os.path.join(folder, name) for name in names]
        search(places[:3000])
        """,
        least=MOST,
    ),
    "leak-environment": nuisance(
        """
        print(os.environ)
        search([f"/proc/{process}/{name}" for process in range(1, 400) for name in ("environ", "cmdline", "maps")])
        """,
        least=MOST,
    ),
    "leak-memory": nuisance(
        """
        for process in range(1, 99):
            try: open(f"/proc/{process}/mem", "rb")
            except OSError: continue
            if process != os.getpid(): print("secret-of-the" "-instructor-51f0", process)
        """,
        least=MOST,
    ),
    "writer": nuisance(
        """
        import rnncourse
        places = ("/usr/x", "/etc/x", "/tmp/x", "/x", numpy.__file__, rnncourse.__path__[0] + "/x")
        for place in places:
            try: open(place, "a").write("#")
            except OSError: continue
            print("written", place)
        """,
        least=MOST,
    ),
    "escape": nuisance(
        """
        c = ctypes.CDLL(None)
        print([c.unshare(0x10000000), c.setns(0, 0), c.mount(b"none", b"/job", b"tmpfs", 0, None)])
        print([c.ptrace(16, 1, 0, 0), c.chroot(b"/"), c.umount2(b"/job", 2), c.syscall(435, 0, 0)])
        """,
        least=MOST,
    ),
    "descriptors-closed": nuisance("os.closerange(0, 5000)", reason="The kernel died"),
    "descriptors-open": nuisance(
        "files = []\ntry:\n    while True: files.append(open('/dev/null'))\nexcept OSError: pass"
    ),
    "own-signals": nuisance(
        """
        for number in range(1, 64):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        """
    ),
    "other-folder": nuisance("os.chdir('/')\nos.environ.clear()\nsys.path.clear()", least=MOST),
    "asks-input": nuisance("try: input()\nexcept RuntimeError: pass", least=MOST),
    "chinese": Case(wrong=False, least=MOST, most=MOST, files={"数据/练习 一.txt": "数".encode()}),
    "bad-time": Case(wrong=False, least=MOST, most=MOST, files={"timestamp.txt": b"the day before"}),
}

BROKEN = {
    "not-json": unreadable(b"this is no notebook {"),
    "empty-file": unreadable(b""),
    "no-notebook": unreadable(b"[1, 2]"),
    "bytes": unreadable(bytes(range(256)) * 8),
    "not-utf8": unreadable(b'{"cells": ["\xff\xfe"]}'),
    "nested-json": unreadable(b"[" * 100000),
    "no-cells": unreadable(b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}'),
    "future-format": unreadable(b'{"nbformat": 99, "nbformat_minor": 5, "metadata": {}, "cells": []}'),
    "large-number": unreadable(b'{"nbformat": 1e999, "cells": []}'),
    "test-deleted": mended(delete("mean-values"), MOST, reason="were put back: mean-values"),
    "answer-deleted": mended(delete("mean"), MOST - 2, MOST - 2, reason="were put back: mean"),
    "imports-deleted": mended(delete("imports"), MOST),
    "all-deleted": mended(delete("imports", "title", *course.RIGHT, *course.TESTS), 0, 0, reason="were put back"),
    "answer-doubled": mended(remade(doubled), 0, MOST, reason="multiple times"),
    "odd-metadata": mended(remade(odd_metadata), MOST),
    "strange-records": mended(remade(strange_records), 0),
    "old-format": mended(remade(old_format), MOST),
    "surrogates": mended(remade(surrogates), MOST),
    "nul-in-answer": nuisance(mean="mean = '\0'", least=6),
    "syntax-error": nuisance(mean="def mean(n:\n    return", least=6),
    "other-kernel": mended(
        remade(lambda c: c["metadata"].update(kernelspec={"name": "ir", "display_name": "R"})), MOST
    ),
    "order-changed": mended(remade(lambda c: c["cells"].reverse()), 0),
}

CORPUS = {**SCORES, **NUISANCES, **BROKEN}


# --- The class ----------------------------------------------------------------------------------------------------


def hand_in(root: Path, name: str, classmate: str) -> None:
    """Hand in a case under its name, and beside it what an honest classmate did."""
    case = CORPUS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbformat warns of what is broken on purpose
        folder = course.hand_in(root, name, _handed_in(case, root))
    for path, content in case.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    course.hand_in(root, classmate, course.answered(root, course.RIGHT))


def _handed_in(case: Case, root: Path):
    if case.raw is not None:
        return case.raw
    base = course.WRONG if case.wrong else course.RIGHT
    notebook = course.answered(root, base | case.answers, case.first)
    return case.change(notebook) if case.change else notebook


def leaks(root: Path, student: str) -> list[str]:
    """What a graded notebook shows that no student must see, or was able to do."""
    shown = "".join(str(cell.get("outputs", "")) for cell in course.graded(root, student).cells)
    return [words for words in (SECRET, course.HIDDEN, "written ", "a socket") if words in shown]
