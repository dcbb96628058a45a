"""Loki as the peer of `logs.py`: one process, files on this disk, asked and fed as its clients do it (protobuf, snappy)."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.parse

CONFIG = """
auth_enabled: false
analytics: {{reporting_enabled: false}}
server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}, log_level: error,
  http_server_read_timeout: 10m, http_server_write_timeout: 10m}}
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}
  storage: {{filesystem: {{chunks_directory: {folder}/chunks, rules_directory: {folder}/rules}}}}
  replication_factor: 1
  ring: {{kvstore: {{store: inmemory}}}}
schema_config:
  configs:
    - {{from: 2020-10-24, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}
limits_config:
  reject_old_samples: false
  ingestion_rate_mb: 1000
  ingestion_burst_size_mb: 1000
  per_stream_rate_limit: 1GB
  per_stream_rate_limit_burst: 1GB
  discover_log_levels: false
  discover_service_name: []
  allow_structured_metadata: true
  max_query_series: 10000
querier: {{query_ingesters_within: 0}}
"""

FIELDS = re.compile(rb'"level":"(\w+)","service":"(\w+)","replica":(\d+),"trace_id":"(\w+)"')


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def snappy(content):
    """A snappy block of literals alone: what a reader makes of it costs next to nothing."""
    out = bytearray(varint(len(content)))
    for begin in range(0, len(content), 1 << 16):
        part = content[begin : begin + (1 << 16)]
        out += bytes([61 << 2]) + (len(part) - 1).to_bytes(2, "little") + part
    return bytes(out)


class Loki:
    """A Loki that runs until the block ends."""

    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)
        self.process = self.connection = None

    def __enter__(self):
        port = free_port()
        config = self.folder / "loki.yaml"
        config.write_text(CONFIG.format(http=port, grpc=free_port(), folder=self.folder / "data"))
        self.process = subprocess.Popen([self.program, f"-config.file={config}"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        for _ in range(120):
            with contextlib.suppress(OSError):
                if self.ask("/ready")[0] == 200:
                    return self
            self.connection.close()
            time.sleep(0.5)
        self.__exit__()
        raise SystemExit("Loki does not become ready within a minute")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, path, body=None, headers=None):
        self.connection.request("POST" if body is not None else "GET", path, body=body, headers=headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def cpu(self):
        """Seconds that it has computed so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak(self):
        """The most memory that it has had, in bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024

    def stored(self):
        files = (self.folder / "data" / "chunks").rglob("*")
        return sum(path.stat().st_size for path in files if path.is_file())

    def push(self, lines, start, step):
        """Pushes lines, 512 at a time, with their trace id as metadata."""
        streams, count = {}, 0
        for index, line in enumerate(lines):
            line = line.rstrip(b"\n")
            level, service, replica, trace = FIELDS.search(line).groups()
            nanos = start + index * step
            stamp = b"\x08" + varint(nanos // 10**9) + b"\x10" + varint(nanos % 10**9)
            pair = field(1, b"trace_id") + field(2, trace)
            entry = field(1, stamp) + field(2, line) + field(3, pair)
            streams.setdefault((level, service, replica), []).append(field(2, entry))
            count += 1
            if count == 512:
                self.send(streams)
                streams, count = {}, 0
        self.send(streams)

    def send(self, streams):
        body = b""
        for (level, service, replica), entries in streams.items():
            labels = b'{level="%s", replica="%s", service="%s"}' % (level, replica, service)
            body += field(1, field(1, labels) + b"".join(entries))
        for _ in range(10):
            status, answer = self.ask("/loki/api/v1/push", snappy(body), {"Content-Type": "application/x-protobuf"})
            if status < 500:
                break
            # Its own deadlines pass on a busy machine; it drops what it has already.
            time.sleep(1)
        if status != 204:
            raise SystemExit(f"Loki refuses lines: {status} {answer[:200]!r}")

    def flush(self):
        """Has everything written to chunks."""
        self.ask("/flush", b"")
        size = -1
        while size != self.stored():
            size = self.stored()
            time.sleep(5)

    def query(self, path, **parameters):
        """The answer, the seconds that it took, and the seconds that Loki computed for it."""
        cpu, begin = self.cpu(), time.perf_counter()
        status, answer = self.ask(f"/loki/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        took = time.perf_counter() - begin
        if status != 200:
            raise SystemExit(f"Loki does not answer {parameters}: {status} {answer[:200]!r}")
        return json.loads(answer)["data"]["result"], took, self.cpu() - cpu
