"""Reads a Dockerfile: the stages and their instructions, as far as deploy/Dockerfile uses the format
(https://docs.docker.com/reference/dockerfile/): no ARG, no here-documents, no variables in arguments."""

import json
import re
import shlex
from dataclasses import dataclass, field

INSTRUCTIONS = {"FROM", "RUN", "COPY", "LABEL", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL",
                "ENTRYPOINT", "CMD"}


@dataclass
class Instruction:
    name: str
    flags: dict  # --from=build: {"from": "build"}
    text: str    # what follows the flags

    @property
    def words(self):
        """The arguments, of either form: `COPY a b` or `CMD ["a", "b"]`."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)


@dataclass
class Stage:
    base: str
    name: str
    instructions: list = field(default_factory=list)

    def all(self, name):
        return [each for each in self.instructions if each.name == name]

    def last(self, name):
        """The instruction that counts where only the last one does."""
        found = self.all(name)
        assert found, f"no {name} in the stage {self.name}"
        return found[-1]

    @property
    def environment(self):
        return dict(word.split("=", 1) for each in self.all("ENV") for word in each.words)

    def packages(self):
        """The Debian packages that it installs by apt-get."""
        names = set()
        for each in self.all("RUN"):
            for command in re.split(r"&&|;", each.text):
                words = shlex.split(command)
                if words[:2] == ["apt-get", "install"]:
                    names.update(word for word in words[2:] if not word.startswith("-"))
        return names


def parse(text):
    """The stages of a Dockerfile, in order. Fails on an instruction that this reader does not know."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages = []
    for line in joined.splitlines():
        name, rest = line.split(None, 1)
        assert name in INSTRUCTIONS, f"unknown instruction: {line}"
        if name == "FROM":
            words = rest.split()
            assert len(words) in (1, 3), line
            stages.append(Stage(words[0], words[2] if len(words) == 3 else str(len(stages))))
            continue
        flags = {}
        while match := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
            flags[match.group(1)] = match.group(2)
            rest = rest[match.end():]
        stages[-1].instructions.append(Instruction(name, flags, rest))
    return stages
