"""Runs a program to its end and says what it cost; makes the table."""

import operator
import os
import pathlib
import re
import select
import signal
import statistics
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Cost:
    """Of one run of one program."""

    wall_seconds: float
    cpu_seconds: float
    peak_resident_mib: float = 0


def resident_mib(pid, field="VmHWM"):
    """Resident memory of a process, the peak or (VmRSS) now; 0 when it has just ended.

    Not getrusage's ru_maxrss: that counts what the process was before exec, a copy of this program.
    """
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0
    match = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    return int(match.group(1)) / 1024 if match else 0


def cpu_seconds(pid):
    """CPU time of a process so far, all its threads together."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(command, log_path, timeout=600, expected=0):
    """Runs the command with its output in a file; raises unless it ends with the expected code in time."""
    with open(log_path, "wb") as log:
        begin = time.monotonic()
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        peak = 0
        ended = os.pidfd_open(process.pid)
        try:
            while not select.select([ended], [], [], 0.02)[0]:
                peak = max(peak, resident_mib(process.pid))
                if time.monotonic() - begin > timeout:
                    process.send_signal(signal.SIGKILL)
                    raise TimeoutError(f"{command[0]} did not end in {timeout} s:\n{tail(log_path)}")
            wall = time.monotonic() - begin
        finally:
            os.close(ended)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        raise RuntimeError(f"{command[0]} ended with code {process.returncode}:\n{tail(log_path)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak)


def tail(path, lines=30):
    return "\n".join(pathlib.Path(path).read_text(errors="replace").splitlines()[-lines:])


@dataclass
class Row:
    """One line of the table. `baseline` and `hbagent` hold one value a round, in `unit`."""

    what: str
    unit: str
    hbagent: list
    baseline: list = None
    least_ratio: float = None  # what the ratio hbagent : baseline must be at least
    least: float = None        # what hbagent's median must be at least, or at most
    most: float = None
    most_ratio: float = None   # or at most
    digits: int = 1

    @property
    def ratio(self):
        """The median of the rounds' ratios: what disturbs a round mostly disturbs both of its runs."""
        return statistics.median(map(operator.truediv, self.hbagent, self.baseline)) if self.baseline else None

    @property
    def target(self):
        if self.least_ratio is not None:
            return f"ratio >= {self.least_ratio}"
        if self.most_ratio is not None:
            return f"ratio <= {self.most_ratio}"
        if self.least is not None:
            return f">= {self.least:g}"
        return f"< {self.most:g}" if self.most is not None else ""

    @property
    def met(self):
        """None where there is no target."""
        median = statistics.median(self.hbagent)
        if self.least_ratio is not None:
            return self.ratio >= self.least_ratio
        if self.most_ratio is not None:
            return self.ratio <= self.most_ratio
        if self.least is not None:
            return median >= self.least
        return median < self.most if self.most is not None else None

    def cells(self):
        def spread(values):
            middle = f"{statistics.median(values):.{self.digits}f}"
            return f"{middle} ({min(values):.{self.digits}f} to {max(values):.{self.digits}f})"
        return [self.what, self.unit, spread(self.baseline) if self.baseline else "", spread(self.hbagent),
                f"{self.ratio:.2f}" if self.baseline else "", self.target,
                {True: "met", False: "MISSED", None: ""}[self.met]]


HEAD = ["what", "unit", "baseline", "hbagent", "ratio", "target", ""]


def table(rows):
    """The rows as a table in Markdown: medians, in brackets the smallest and largest round."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    def text(line):
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
    return "\n".join([text(lines[0]), "|" + "|".join("-" * (width + 2) for width in widths) + "|",
                      *(text(line) for line in lines[1:])])
