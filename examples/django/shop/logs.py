"""Log lines as JSON, each with the trace id of the request that it belongs to."""

import json
import logging
from contextvars import ContextVar
from datetime import datetime, timezone

trace_id = ContextVar("trace_id", default=None)

# What every record has; anything else was given with `extra`.
_USUAL = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    def format(self, record):
        line = {
            "timestamp": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if trace_id.get():
            line["trace_id"] = trace_id.get()
        line |= {key: value for key, value in record.__dict__.items() if key not in _USUAL}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
