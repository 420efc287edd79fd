"""Reads the Prometheus text format, as far as the agent writes it."""

import re

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


def _unescape(text):
    return re.sub(r"\\.", lambda match: _ESCAPES[match.group()], text)


class Metrics:
    """One scrape. `text` is what the agent sent; `samples` is a list of (name, labels, value)."""

    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            match = _SAMPLE.match(line)
            assert match, f"not a sample: {line!r}"
            labels = {name: _unescape(value) for name, value in _LABEL.findall(match.group(2) or "")}
            self.samples.append((match.group(1), labels, float(match.group(3))))

    def select(self, name, /, **labels):
        """The (labels, value) of every sample of that name that carries these labels."""
        return [(found, value) for sample, found, value in self.samples
                if sample == name and labels.items() <= found.items()]

    def value(self, name, /, **labels):
        """The value of the only such sample."""
        found = self.select(name, **labels)
        assert len(found) == 1, f"{len(found)} samples of {name} {labels}: {found}"
        return found[0][1]

    def sum(self, name, /, **labels):
        """The sum over all such samples, 0 without any."""
        return sum(value for _labels, value in self.select(name, **labels))
