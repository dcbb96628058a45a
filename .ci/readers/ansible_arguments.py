"""The arguments of Ansible's modules, against what each module documents of itself.

ansible-lint has a rule for this; with the present ansible-core it finds nothing.
"""

import json
import re

import places
import tools

# They take any name as an argument.
OPEN = {"ansible.builtin.set_fact", "ansible.builtin.add_host", "ansible.builtin.meta", "ansible.builtin.set_stats"}
BLOCKS = ("block", "rescue", "always")
LISTS = ("tasks", "pre_tasks", "post_tasks", "handlers")


def check(files):
    """Every task of the YAML files of a project."""
    calls = []
    for file in files:
        if file.suffix in (".yml", ".yaml") and not file.text().startswith("$ANSIBLE_VAULT"):
            for value, node in places.load(file)[0]:
                if isinstance(value, list):
                    calls += [(file, node, path, module, arguments) for path, module, arguments in tasks(value, [])]
    names = sorted({module for _, _, _, module, _ in calls} - OPEN)
    if not names:
        return
    result = tools.run("ansible-doc", "-t", "module", "-j", *names)
    known = json.loads(result.stdout) if result.stdout.startswith("{") else {}
    for file, node, path, module, arguments in calls:
        line = places.line(node, path)
        if module in OPEN:
            continue
        if "doc" not in known.get(module, {}):
            yield file.finding(f"there is no module {module}", line, "arguments")
            continue
        for message in problems(known[module]["doc"].get("options") or {}, arguments):
            yield file.finding(f"{module}: {message}", line, "arguments")


def tasks(values, path):
    """(path, module, arguments) of each task, in plays and blocks too."""
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            continue
        for key in (*LISTS, *BLOCKS):
            if isinstance(value.get(key), list):
                yield from tasks(value[key], [*path, index, key])
        module = next((key for key in value if re.fullmatch(r"\w+\.\w+\.\w+", str(key))), None)
        if module and isinstance(value[module], dict):
            yield [*path, index, module], module, value[module] | (value.get("args") or {})


def problems(options, arguments):
    names = {name: name for name in options} | {other: name for name, option in options.items() for other in option.get("aliases") or []}
    for name, given in arguments.items():
        if name not in names:
            yield f"has no argument {name!r}"
            continue
        option = options[names[name]]
        choices = option.get("choices")
        # What a template makes of it is known when it runs only.
        if choices and isinstance(given, (str, bool)) and "{{" not in str(given) and option.get("type") != "bool" and given not in choices:
            yield f"{name} is {given!r}, and may be {', '.join(map(str, choices))}"
        if option.get("suboptions"):
            for part in given if isinstance(given, list) else [given]:
                if isinstance(part, dict):
                    yield from (f"{name}: {message}" for message in problems(option["suboptions"], part))
    given = {names.get(name) for name in arguments}
    for name, option in options.items():
        if option.get("required") and name not in given and name != "free_form":
            yield f"needs the argument {name!r}"
