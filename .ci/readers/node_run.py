"""Readers that are JavaScript: a list goes in, a list of the same length comes out."""

import json
from pathlib import Path

import tools


def ask(script, values):
    result = tools.run(
        "node", Path(__file__).resolve().parent / "node" / script, stdin=json.dumps(values), NODE_MODULES=str(tools.NODE_MODULES)
    )
    return tools.parsed(result)
