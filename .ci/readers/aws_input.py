"""Files that are given to `aws`: by the model of the service's API that the client itself goes by."""

import json
import re
from functools import cache

from core import one

TOOLS = ("python:botocore",)
BATCH = 200

# By name: the service, the operation, and which of its parameters the file is (none: all of them).
KINDS = (
    (re.compile(r"(^|/)alarms/[^/]+\.json$"), "cloudwatch", "PutMetricAlarm", None),
    (re.compile(r"(^|/)[\w-]*lifecycle\.json$"), "s3", "PutBucketLifecycleConfiguration", "LifecycleConfiguration"),
)


def kind(file):
    return next((entry[1:] for entry in KINDS if entry[0].search(file.rel)), None)


def units(folder):
    for file in folder.files:
        if kind(file):
            yield one(folder, file)


@cache
def shape(service, operation, parameter):
    import botocore.loaders
    import botocore.model

    model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"))
    whole = model.operation_model(operation).input_shape
    return whole.members[parameter] if parameter else whole


def read(units):
    import botocore.validate

    for unit in units:
        wanted = shape(*kind(unit.file))
        try:
            value = json.loads(unit.file.text())
        except ValueError as error:
            yield unit.file.finding(error, error.lineno)
            continue
        report = botocore.validate.ParamValidator().validate(value, wanted)
        if report.has_errors():
            yield unit.file.finding(report.generate_report())
            continue
        for where, given, allowed in enumerated(value, wanted, ""):
            yield unit.file.finding(f"{where} is {given!r}, and may be {', '.join(allowed)}")


def enumerated(value, wanted, where):
    """Values that are none of an enumeration: the client leaves them to the service."""
    if wanted.type_name == "structure":
        for name, part in value.items():
            yield from enumerated(part, wanted.members[name], f"{where}.{name}".lstrip("."))
    elif wanted.type_name == "list":
        for index, part in enumerate(value):
            yield from enumerated(part, wanted.member, f"{where}[{index}]")
    elif wanted.type_name == "string" and wanted.enum and value not in wanted.enum and not value.startswith("${"):
        yield where, value, wanted.enum
