"""The part of a plugin's README that the agent writes: its options, between two marks."""

import re
import subprocess

BEGIN = "<!-- options:begin -->\n"
END = "<!-- options:end -->\n"
_BLOCK = re.compile(re.escape(BEGIN) + "(.*?)" + re.escape(END), re.DOTALL)


def options_block(agent, plugin, *arguments):
    """What belongs between the marks, from `hbagent plugins PLUGIN --markdown`."""
    return subprocess.run([agent, "plugins", plugin, "--markdown", *arguments], text=True, check=True,
                          stdout=subprocess.PIPE).stdout


def block_in(readme):
    """What stands between the marks of a README file."""
    blocks = _BLOCK.findall(readme.read_text())
    assert len(blocks) == 1, f"{readme} needs one pair of lines {BEGIN.strip()} and {END.strip()}, has {len(blocks)}"
    return blocks[0]


def write_block(readme, block):
    """Puts the block between the marks; returns whether that changed the file."""
    if block_in(readme) == block:
        return False
    readme.write_text(_BLOCK.sub(lambda _match: BEGIN + block + END, readme.read_text()))
    return True
