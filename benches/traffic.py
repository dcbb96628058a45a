#!/usr/bin/env python3
"""A strict HTTP client on raw sockets: keep-alive requests, WebSocket echoes and slow streams, in several processes.

What it holds against a server: a status other than 2xx, a connection refused or reset, an answer that ends early, an
echo that differs, a WebSocket that ends without its close frame. It never sends a request again, not even where HTTP
would allow it. WebSockets that are closed with 1001 (going away) are reported with their times; the caller judges them.

Alone, against any server of the items API: `traffic.py 127.0.0.1:8000 --seconds 10`.
"""

import argparse
import array
import asyncio
import base64
import hashlib
import json
import multiprocessing
import os
import random
import struct
import sys
import time

import figures

# Whoever waits so long for one answer has been dropped.
PATIENCE = 60.0
# Details of failures that are kept, each process; all are counted.
DETAILS = 5

WARM_UP, STEADY, RELEASES = 0, 1, 2


class Broken(Exception):
    """The server did not keep to HTTP or WebSocket."""


class Worker:
    """The connections of one process."""

    def __init__(self, address, options, phase, seed):
        self.address = address
        self.options = options
        self.phase = phase
        self.random = random.Random(seed)
        self.latencies = {WARM_UP: array.array("d"), STEADY: array.array("d"), RELEASES: array.array("d")}
        self.traces = []
        self.counts = {"requests": 0, "failed": 0, "echoes": 0, "broken sockets": 0, "streams": 0, "broken streams": 0}
        self.details = []
        self.closes = []
        self.stopping = False

    def failed(self, kind, what):
        self.counts[kind] += 1
        if len(self.details) < DETAILS:
            self.details.append(f"{time.strftime('%H:%M:%S')} {kind}: {what}")

    async def connect(self):
        async with asyncio.timeout(PATIENCE):
            return await asyncio.open_connection(*self.address)

    async def head(self, reader):
        """Status and headers of an answer, the names in lower case."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split(" ", 2)[1]), {name.lower(): value for name, value in headers.items()}

    async def body(self, reader, headers):
        """The whole body; an early end is an `IncompleteReadError`."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            chunks = []
            while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                chunks.append((await reader.readexactly(size + 2))[:-2])
            await reader.readuntil(b"\r\n")
            return b"".join(chunks)
        return await reader.readexactly(int(headers.get("content-length", "0")))

    def request(self):
        """What the next request is: mostly reads, some writes."""
        dice = self.random.random()
        if dice < 0.49:
            return "GET", "/health", b""
        if dice < 0.98:
            return "GET", "/items?limit=5", b""
        return "POST", "/items", b'{"name":"crate","description":"from the bench"}'

    async def keep_alive(self):
        """One connection that asks at a fixed rate (or as fast as it can) and is opened again only after a failure."""
        interval = 1 / self.options.rate if self.options.rate else 0.0
        due = time.perf_counter() + self.random.random() * interval
        reader = writer = None
        while not self.stopping:
            if interval and (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            # One that is late counts from when it was due, so that a stall is not measured once only.
            begin = max(due, time.perf_counter() - PATIENCE) if interval and wait < 0 else time.perf_counter()
            due += interval
            method, path, body = self.request()
            kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
            try:
                if writer is None:
                    reader, writer = await self.connect()
                self.counts["requests"] += 1
                async with asyncio.timeout(PATIENCE):
                    writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{kind}\r\n".encode() + body)
                    status, headers = await self.head(reader)
                    answer = await self.body(reader, headers)
                self.latencies[self.phase.value].append(time.perf_counter() - begin)
                if not 200 <= status < 300:
                    self.failed("failed", f"{method} {path}: {status} {answer[:200]!r}")
                elif trace := headers.get("x-trace-id"):
                    self.traces.append(trace)
                else:
                    self.failed("failed", f"{method} {path}: {status} without X-Trace-ID")
                if headers.get("connection", "").lower() == "close":
                    writer.close()
                    writer = None
            except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
                self.failed("failed", f"{method} {path}: {error!r}")
                if writer is not None:
                    writer.close()
                    writer = None
                await asyncio.sleep(0.05)
        if writer is not None:
            writer.close()

    async def echo(self):
        """One WebSocket after the other, each kept until the server or the end of the measurement closes it."""
        while not self.stopping:
            opened = time.time()
            writer = None
            try:
                reader, writer = await self.connect()
                await self.handshake(reader, writer)
                code = await self.converse(reader, writer)
                self.closes.append((opened, time.time(), code))
                if code not in (1000, 1001):
                    self.failed("broken sockets", f"closed with {code} after {time.time() - opened:.1f} s")
            except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError, Broken) as error:
                self.failed("broken sockets", f"after {time.time() - opened:.1f} s: {error!r}")
                await asyncio.sleep(0.2)
            finally:
                if writer is not None:
                    writer.close()

    async def handshake(self, reader, writer):
        key = base64.b64encode(self.random.randbytes(16)).decode()
        writer.write(
            f"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            status, headers = await self.head(reader)
        # RFC 6455, section 1.3.
        digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        if status != 101 or headers.get("sec-websocket-accept") != base64.b64encode(digest).decode():
            raise Broken(f"the handshake was answered with {status}")

    async def converse(self, reader, writer):
        """Sends a text ten times a second and expects it back. The code of the close frame that ended it."""
        count = 0
        while not self.stopping:
            count += 1
            text = f"message {count} ".encode() * self.random.randrange(1, 30)
            self.send_frame(writer, 1, text)
            while True:
                opcode, payload = await self.frame(reader)
                if opcode == 8:
                    self.send_frame(writer, 8, payload)
                    return struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                if opcode == 9:
                    self.send_frame(writer, 10, payload)
                elif opcode == 1:
                    break
            if payload != text:
                raise Broken(f"the echo of message {count} differs")
            self.counts["echoes"] += 1
            await asyncio.sleep(0.1)
        self.send_frame(writer, 8, struct.pack(">H", 1000))
        opcode, payload = await self.frame(reader)
        if opcode != 8:
            raise Broken("the close frame was not answered")
        return struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1000

    def send_frame(self, writer, opcode, payload):
        mask = self.random.randbytes(4)
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack(">H", size)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        writer.write(bytes([0x80 | opcode]) + length + mask + masked)

    async def frame(self, reader):
        async with asyncio.timeout(PATIENCE):
            first, size = await reader.readexactly(2)
            if first & 0x70 or size & 0x80 or not first & 0x80:
                raise Broken(f"a frame begins with {first:#x} {size:#x}")
            if size == 126:
                size = struct.unpack(">H", await reader.readexactly(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", await reader.readexactly(8))[0]
            return first & 0x0F, await reader.readexactly(size)

    async def stream(self):
        """One slow response after the other, each read to its last line also when the measurement ends."""
        while not self.stopping:
            seconds = self.random.randint(*self.options.stream_seconds)
            begin = time.time()
            writer = None
            try:
                reader, writer = await self.connect()
                writer.write(f"GET /stream?seconds={seconds} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                async with asyncio.timeout(seconds + PATIENCE):
                    status, headers = await self.head(reader)
                    answer = await self.body(reader, headers)
                expected = "".join(f"{line}/{seconds}\n" for line in range(1, seconds + 1)).encode()
                if status != 200 or answer != expected:
                    raise Broken(f"{status} {answer[-200:]!r}")
                self.counts["streams"] += 1
            except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError, Broken) as error:
                self.failed("broken streams", f"/stream?seconds={seconds} after {time.time() - begin:.1f} s: {error!r}")
                await asyncio.sleep(0.2)
            finally:
                if writer is not None:
                    writer.close()

    async def run(self, stop):
        tasks = [asyncio.create_task(self.keep_alive()) for _ in range(self.options.connections)]
        tasks += [asyncio.create_task(self.echo()) for _ in range(self.options.sockets)]
        tasks += [asyncio.create_task(self.stream()) for _ in range(self.options.streams)]
        while not stop.is_set():
            await asyncio.sleep(0.1)
        self.stopping = True
        await asyncio.gather(*tasks)


class Options:
    """How much traffic one process makes."""

    def __init__(self, connections, sockets, streams, rate, stream_seconds):
        self.connections = connections
        self.sockets = sockets
        self.streams = streams
        self.rate = rate
        self.stream_seconds = stream_seconds


def _process(address, options, phase, stop, seed, results):
    worker = Worker(address, options, phase, seed)
    asyncio.run(worker.run(stop))
    results.put((worker.counts, worker.details, worker.closes, worker.latencies, worker.traces))


class Traffic:
    """Client processes that run until `finish`."""

    def __init__(self, address, connections=64, sockets=8, streams=4, rate=20.0, stream_seconds=(30, 35), processes=4,
                 seed=1):
        def share(number, index):
            return number // processes + (index < number % processes)

        context = multiprocessing.get_context("fork")
        self.phase = context.Value("i", WARM_UP, lock=False)
        self.stop = context.Event()
        self.results = context.Queue()
        self.processes = []
        for index in range(processes):
            options = Options(share(connections, index), share(sockets, index), share(streams, index), rate,
                              stream_seconds)
            arguments = (address, options, self.phase, self.stop, seed + index, self.results)
            self.processes.append(context.Process(target=_process, args=arguments, daemon=True))
        for process in self.processes:
            process.start()

    def finish(self):
        """Ends the traffic, streams included, and adds everything up."""
        self.stop.set()
        total = Report()
        for _ in self.processes:
            total.add(*self.results.get(timeout=PATIENCE * 3))
        for process in self.processes:
            process.join()
        return total


class Report:
    """What the client processes have seen."""

    def __init__(self):
        self.counts = {}
        self.details = []
        self.closes = []
        self.latencies = {WARM_UP: [], STEADY: [], RELEASES: []}
        self.traces = []

    def add(self, counts, details, closes, latencies, traces):
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.details += details
        self.closes += closes
        self.traces += traces
        for phase, seconds in latencies.items():
            self.latencies[phase].extend(seconds)

    def failures(self):
        """How much went wrong in all."""
        return self.counts["failed"] + self.counts["broken sockets"] + self.counts["broken streams"]

    def lines(self):
        """The counts, and the failures that were kept."""
        yield ", ".join(f"{count} {name}" for name, count in self.counts.items())
        yield from self.details


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="HOST:PORT")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second of each connection; 0: no pause")
    parser.add_argument("--stream-seconds", type=int, default=3)
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    length = (options.stream_seconds, options.stream_seconds)
    traffic = Traffic((host, int(port)), connections=options.connections, rate=options.rate, stream_seconds=length)
    traffic.phase.value = STEADY
    time.sleep(options.seconds)
    report = traffic.finish()
    print("\n".join(report.lines()))
    print(figures.latencies(report.latencies[STEADY]))
    print(json.dumps({"closes": report.closes[:5], "traces": len(report.traces), "pid": os.getpid()}))
    return 1 if report.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
