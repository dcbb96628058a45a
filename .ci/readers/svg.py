"""SVG and other XML: it parses, and no two elements have one id."""

import xml.etree.ElementTree

from core import one

TOOLS = ()
BATCH = 200


def units(folder):
    for file in folder.files:
        if file.suffix in (".svg", ".xml"):
            yield one(folder, file)


def read(units):
    for unit in units:
        try:
            root = xml.etree.ElementTree.fromstring(unit.file.text())
        except xml.etree.ElementTree.ParseError as error:
            yield unit.file.finding(error, error.position[0])
            continue
        if unit.file.suffix == ".svg" and root.tag != "{http://www.w3.org/2000/svg}svg":
            yield unit.file.finding(f"the root is {root.tag}, not svg")
        seen = set()
        for element in root.iter():
            name = element.get("id")
            if name in seen:
                yield unit.file.finding(f"the id {name!r} is there twice")
            seen |= {name} - {None}
