"""Sends with OpenTelemetry's SDK over gRPC to the address given; prints the trace's id, and how each request went."""

import gzip
import logging
import sys

import grpc
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

address = sys.argv[1]
endpoint = f"http://{address}"
shop = Resource.create({"service.name": "shop"})

tracer = TracerProvider(resource=shop).get_tracer("test")
with tracer.start_as_current_span("plain") as first:
    with tracer.start_as_current_span("packed") as second:
        pass
print(f"{first.get_span_context().trace_id:032x}")
plain = OTLPSpanExporter(endpoint=endpoint, insecure=True, timeout=30)
print("spans", plain.export([first]).name)
packed = OTLPSpanExporter(endpoint=endpoint, insecure=True, timeout=30, compression=grpc.Compression.Gzip)
print("spans gzip", packed.export([second]).name)

logs = LoggerProvider(resource=shop)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=endpoint, insecure=True, timeout=30)))
logger = logging.getLogger("shop")
logger.addHandler(LoggingHandler(logger_provider=logs))
logger.warning("over grpc")
print("logs", "SUCCESS" if logs.force_flush(30_000) else "FAILURE")

reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint, insecure=True, timeout=30))
meters = MeterProvider(resource=shop, metric_readers=[reader])
meters.get_meter("test").create_counter("sold").add(3)
print("metrics", "SUCCESS" if meters.force_flush(30_000) else "FAILURE")

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


def send(path, message, to=address, **options):
    with grpc.insecure_channel(to, options=options.pop("channel", None)) as channel:
        try:
            return channel.unary_unary(path)(message, timeout=60, **options)
        except grpc.RpcError as error:
            return error


print("garbage", send(TRACES, b"\xff\xff\xff").code().name)
print("deflate", send(TRACES, b"\0" * 2000, compression=grpc.Compression.Deflate).code().name)
print("too long", send(TRACES, b"\0" * ((32 << 20) + 1)).code().name)
print("too long unpacked", send(TRACES, b"\0" * ((128 << 20) + 1), compression=grpc.Compression.Gzip).code().name)
with grpc.insecure_channel(address) as channel:
    two = channel.stream_unary(TRACES)
    try:
        print("two messages", two(iter([b"", b""]), timeout=60))
    except grpc.RpcError as error:
        print("two messages", error.code().name)
print("no method", send("/opentelemetry.proto.collector.trace.v1.TraceService/Import", b"").code().name)
other = send(TRACES, b"", channel=[("grpc.default_authority", "evil.example")])
print("other host", "refused" if isinstance(other, grpc.RpcError) else "taken")

request = metrics_service_pb2.ExportMetricsServiceRequest()
metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="native")
metric.exponential_histogram.aggregation_temporality = 2
metric.exponential_histogram.data_points.add(time_unix_nano=1, count=1)
answer = metrics_service_pb2.ExportMetricsServiceResponse.FromString(send(METRICS, request.SerializeToString()))
print("part rejected", answer.partial_success.rejected_data_points)
