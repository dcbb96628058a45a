"""What is counted, and /metrics."""

import os

from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("http_requests", "Requests that were answered", ["method", "endpoint", "status"])
DURATIONS = Histogram(
    "http_request_duration_seconds",
    "From the request to its answer",
    ["method", "endpoint", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2.5, 5, 10),
)


class QueueDepth:
    """Tasks that wait in the queue of Celery: the length of a list of the broker."""

    def collect(self):
        family = GaugeMetricFamily("celery_queue_depth", "Tasks that wait for a worker", labels=["queue"])
        if settings.CELERY_BROKER_URL:
            from redis import Redis, RedisError

            try:
                with Redis.from_url(settings.CELERY_BROKER_URL, socket_timeout=1, socket_connect_timeout=1) as broker:
                    family.add_metric(["celery"], broker.llen("celery"))
            except RedisError:
                # No figure is told, which an alert on its absence sees; a made-up one would be believed.
                pass
        yield family


def exposition(request):
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)
    else:
        registry = REGISTRY
    depth = CollectorRegistry()
    depth.register(QueueDepth())
    return HttpResponse(generate_latest(registry) + generate_latest(depth), content_type=CONTENT_TYPE_LATEST)


def is_cache_there():
    cache.set("health", 1, 10)
    return cache.get("health") == 1
