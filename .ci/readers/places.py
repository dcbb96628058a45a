"""YAML with the line of everything in it."""

from collections.abc import Hashable
from functools import cache

import yaml


class Loader(yaml.CSafeLoader):
    """YAML as the readers of these files understand it: a key only once, dates and a lone `=` are strings."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key that is no name", key.start_mark)
            if key.tag != "tag:yaml.org,2002:merge" and name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} is there twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def tagged(loader, suffix, node):
    """A value with a tag of some tool (`!Ref`, `!vault`) is taken as what it would be without."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, True)
    return loader.construct_scalar(node)


Loader.add_constructor("tag:yaml.org,2002:value", Loader.construct_yaml_str)
Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.construct_yaml_str)
Loader.add_multi_constructor("!", tagged)


def documents(text):
    """Each document that is not empty: its value and its node."""
    out = []
    loader = Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            value = loader.construct_document(node)
            if value is not None:
                out.append((value, node))
    finally:
        loader.dispose()
    return out


@cache
def load(file):
    """The documents of a file, and what is wrong with it if it is no YAML. Many readers ask for the same one."""
    try:
        return documents(file.text()), []
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return [], [file.finding(getattr(error, "problem", None) or error, mark.line + 1 if mark else 1)]


def line(node, path):
    """The line of what a path of keys and indices leads to, or of the nearest thing on the way."""
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == str(part)), None)
            if found is None:
                break
            at, node = found[0], found[1]
            if isinstance(node, yaml.ScalarNode):
                return at.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        else:
            break
    return node.start_mark.line + 1
