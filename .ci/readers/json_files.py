"""Every JSON file: it parses, and no key is there twice."""

import json

from core import one

TOOLS = ()
BATCH = 400
# That a file is JSON does not say that anything can use it.
CLAIMS = False


def units(folder):
    for file in folder.files:
        if file.suffix == ".json":
            yield one(folder, file)


def once(pairs):
    keys = [key for key, _ in pairs]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"the key {twice[0]!r} is there twice")
    return dict(pairs)


def read(units):
    for unit in units:
        try:
            json.loads(unit.file.text(), object_pairs_hook=once)
        except ValueError as error:
            yield unit.file.finding(error, getattr(error, "lineno", 1))
