"""OpenAPI documents."""

import places
from core import one

TOOLS = ("python:openapi_spec_validator",)
BATCH = 10


def units(folder):
    for file in folder.files:
        if file.suffix in (".yaml", ".yml", ".json") and (folder.target == "openapi" or "openapi" in file.name):
            yield one(folder, file)


def read(units):
    import openapi_spec_validator

    for unit in units:
        found, problems = places.load(unit.file)
        yield from problems
        for value, node in found:
            newer = str(value.get("openapi", "")).startswith("3.1")
            validator = openapi_spec_validator.OpenAPIV31SpecValidator if newer else openapi_spec_validator.OpenAPIV30SpecValidator
            try:
                errors = list(validator(value).iter_errors())
            except Exception as error:  # noqa: BLE001 - a reference that leads nowhere is raised, not listed
                yield unit.file.finding(error)
                continue
            for error in errors:
                path = list(getattr(error, "absolute_path", []))
                yield unit.file.finding(f"{'.'.join(map(str, path))}: {error.message[:300]}", places.line(node, path))
            yield from operations(unit.file, value, node)


def operations(file, value, node):
    """What the schema cannot say: operations have ids of their own, and paths declare their parameters."""
    seen = set()
    for path, item in (value.get("paths") or {}).items():
        for method, operation in item.items():
            if method in ("get", "put", "post", "delete", "patch", "head", "options"):
                name = operation.get("operationId")
                if name in seen:
                    yield file.finding(f"operationId {name!r} is there twice", places.line(node, ["paths", path, method]))
                seen |= {name} - {None}
