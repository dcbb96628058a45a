"""Around every request: its trace id, its log line, its count and its duration."""

import logging
import time
import uuid

from shop import metrics
from shop.logs import trace_id

log = logging.getLogger("shop.requests")

# Asked every few seconds by what watches; their lines would bury the others.
QUIET = ("health", "live", "metrics")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def observed(get_response):
    def middleware(request):
        started = time.perf_counter()
        token = trace_id.set(given(request.headers))
        try:
            response = get_response(request)
            response["X-Trace-Id"] = trace_id.get()
            duration = time.perf_counter() - started
            match = request.resolver_match
            # The pattern, not the path: there are as many paths as there are tasks.
            endpoint = match.route if match else "unmatched"
            method = request.method if request.method in METHODS else "other"
            labels = (method, f"/{endpoint}", response.status_code)
            metrics.REQUESTS.labels(*labels).inc()
            metrics.DURATIONS.labels(*labels).observe(duration)
            if not (match and match.url_name in QUIET and response.status_code < 400):
                log.log(
                    logging.ERROR if response.status_code >= 500 else logging.INFO,
                    "request_completed",
                    extra={
                        "method": method,
                        "path": request.path,
                        "status_code": response.status_code,
                        "duration_seconds": round(duration, 6),
                    },
                )
            return response
        finally:
            trace_id.reset(token)

    return middleware


def given(headers):
    """The id that the ingress gave, else the one of `traceparent` (W3C Trace Context), else a new one."""
    parent = headers.get("traceparent", "").split("-")
    for text in (headers.get("X-Trace-Id", ""), parent[1] if len(parent) > 1 else ""):
        try:
            return str(uuid.UUID(text))
        except ValueError:
            continue
    return str(uuid.uuid4())
