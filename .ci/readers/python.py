"""Python files: they compile, whatever runs them."""

from core import one

TOOLS = ()
BATCH = 400


def units(folder):
    for file in folder.files:
        if file.suffix == ".py":
            yield one(folder, file)


def read(units):
    for unit in units:
        try:
            compile(unit.file.text(), unit.file.path, "exec", dont_inherit=True)
        except SyntaxError as error:
            yield unit.file.finding(error.msg, error.lineno or 1)
