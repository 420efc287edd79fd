import pytest

from support.agent import binary

from .fault_kinds import FAULTS


class Matrix:
    """Faults by pipelines, as Markdown: readings missing / doubled."""

    def __init__(self):
        self._cells = {}

    def begin(self, fault, pipelines):
        self._cells[fault] = {pipeline: "failed" for pipeline in pipelines}

    def set(self, fault, pipeline, text):
        self._cells[fault][pipeline] = text

    def __str__(self):
        if not self._cells:
            return ""
        rows = [["missing / doubled", *next(iter(self._cells.values()))]]
        rows.append(["---"] * len(rows[0]))
        order = [kind.name for kind in FAULTS]
        rows += [[fault, *self._cells[fault].values()] for fault in sorted(self._cells, key=order.index)]
        return "".join(f"| {' | '.join(row)} |\n" for row in rows)


_matrix = Matrix()


@pytest.fixture(scope="session")
def matrix():
    yield _matrix
    (binary().parents[1] / "fault-matrix.md").write_text(str(_matrix))


def pytest_terminal_summary(terminalreporter):
    if str(_matrix):
        terminalreporter.section("fault matrix")
        terminalreporter.write(str(_matrix))
