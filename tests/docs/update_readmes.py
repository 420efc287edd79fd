#!/usr/bin/env python3
"""Writes the options block of every plugin's README anew. Build first; HBAGENT_BIN names another build than release."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.agent import binary, plugin_folders
from support.readmes import options_block, write_block

for folder in plugin_folders():
    if write_block(folder / "README.md", options_block(binary(), folder.name)):
        print(f"updated {folder}/README.md")
