"""The measuring instruments, measured: what is wrong on purpose has to be seen. `python3 -m unittest discover benches`."""

import asyncio
import base64
import contextlib
import hashlib
import io
import math
import os
import threading
import time
import unittest

import chat
import collectors
import figures
import release
import tsdb
from traffic import Traffic

TRACE = "X-Trace-ID: 0af76519-16cd-43dd-8448-eb211c80319c\r\n"


class Server(threading.Thread):
    """Answers each connection with `behave(reader, writer, path)` until that returns."""

    def __init__(self, behave):
        super().__init__(daemon=True)
        self.behave = behave
        self.listening = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.port = 0

    def run(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self.connection, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self.listening.set()
        self.loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.close()

    async def connection(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                if "POST" in head:
                    await reader.readexactly(int(head.lower().split("content-length: ")[1].split("\r\n")[0]))
                self.key = head.split("Sec-WebSocket-Key: ")[1].split("\r\n")[0] if "Sec-WebSocket-Key" in head else ""
                if await self.behave(self, reader, writer, head.split(" ")[1]):
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def upgrade(self):
        digest = hashlib.sha1(self.key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        return ("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n\r\n").encode()


def measure(behave, connections=0, sockets=0, streams=0):
    """What the client reports of a server that behaves so for a moment."""
    server = Server(behave)
    server.start()
    server.listening.wait()
    traffic = Traffic(("127.0.0.1", server.port), connections, sockets, streams, rate=50.0, stream_seconds=(2, 2),
                      processes=1)
    time.sleep(1)
    report = traffic.finish()
    server.loop.call_soon_threadsafe(server.loop.stop)
    server.join()
    return report


def fixed(answer, last=False):
    async def behave(_server, _reader, writer, _path):
        writer.write(answer.encode())
        await writer.drain()
        return last
    return behave


class Requests(unittest.TestCase):
    def check(self, answer, last, failing):
        counts = measure(fixed(answer, last), connections=1).counts
        self.assertGreater(counts["requests"], 3)
        self.assertEqual(counts["failed"] > 3, failing, counts)
        self.assertEqual(counts["failed"] == 0, not failing, counts)

    def test_good_answers_pass(self):
        self.check(f"HTTP/1.1 200 OK\r\n{TRACE}Content-Length: 2\r\n\r\nhi", False, False)
        self.check(f"HTTP/1.1 201 Created\r\n{TRACE}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", False, False)
        self.check(f"HTTP/1.1 200 OK\r\n{TRACE}Connection: close\r\nContent-Length: 2\r\n\r\nhi", True, False)

    def test_bad_ones_are_seen(self):
        for answer in [
            f"HTTP/1.1 502 Bad Gateway\r\n{TRACE}Content-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            f"HTTP/1.1 200 OK\r\n{TRACE}Content-Length: 3\r\n\r\nhi",
            f"HTTP/1.1 200 OK\r\n{TRACE}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
            f"HTTP/1.1 200 OK\r\n{TRACE}Content-Length: 2\r\n\r\nhi",  # and closed without notice
            "",
        ]:
            self.check(answer, True, True)


class Sockets(unittest.TestCase):
    @staticmethod
    async def text(reader):
        """The payload of a masked frame."""
        size = (await reader.readexactly(2))[1] & 0x7F
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        mask = await reader.readexactly(4)
        return bytes(byte ^ mask[at % 4] for at, byte in enumerate(await reader.readexactly(size)))

    def serve(self, respond):
        async def behave(server, reader, writer, _path):
            writer.write(server.upgrade())
            while True:
                answer = respond(await self.text(reader))
                if answer is None:
                    return True
                writer.write(answer)
        return measure(behave, sockets=1)

    @staticmethod
    def echo(text):
        size = bytes([len(text)]) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2, "big")
        return (b"\x88" if text == b"\x03\xe8" else b"\x81") + size + text

    def test_echoes_pass(self):
        report = self.serve(self.echo)
        self.assertEqual(report.counts["broken sockets"], 0, report.details)
        self.assertGreater(report.counts["echoes"], 3)
        self.assertEqual([code for _, _, code in report.closes], [1000])

    def test_wrong_echoes_and_early_ends_are_seen(self):
        for respond in [lambda _: b"\x81\x02ho", lambda _: None, lambda _: b"\x88\x02\x03\xf3", lambda _: b"\x88\x00"]:
            report = self.serve(respond)
            self.assertGreater(report.counts["broken sockets"], 1, report.counts)

    def test_going_away_is_left_to_the_caller(self):
        report = self.serve(lambda _: b"\x88\x02\x03\xe9")
        self.assertEqual(report.counts["broken sockets"], 0)
        self.assertIn(1001, {code for _, _, code in report.closes})

    def test_early_closes_are_told_from_drained_ones(self):
        closes = [(100.0, 145.0, 1001), (100.0, 130.0, 1001), (100.0, 300.0, 1000), (200.0, 210.0, 1001)]
        found = list(release.early_closes(closes, [(90.0, 93.0), (104.0, 107.0)], 40))
        self.assertEqual(len(found), 2, found)
        self.assertIn("26.0 s after it could be withdrawn", found[0])
        self.assertIn("before any release", found[1])


class Streams(unittest.TestCase):
    def stream(self, lines):
        body = "".join(f"{len(line):x}\r\n{line}\r\n" for line in lines)
        head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        return measure(fixed(f"{head}{body}0\r\n\r\n"), streams=1).counts

    def test_streams_are_read_to_the_last_line(self):
        counts = self.stream(["1/2\n", "2/2\n"])
        self.assertGreater(counts["streams"], 0)
        self.assertEqual(counts["broken streams"], 0)
        self.assertGreater(self.stream(["1/2\n"])["broken streams"], 0)


class Chat(unittest.TestCase):
    GOOD = {
        "sockets": 4, "connected": 4, "posts": 10, "acknowledged": 10, "missing": 0, "delivery": {"p99": 20.0},
        "counts": {"doubles": 0, "strangers": 0, "gaps": 0, "refused": 0, "lost": 0},
    }

    def test_every_fault_is_told(self):
        self.assertEqual(list(chat.faults(self.GOOD)), [])
        self.assertTrue(chat.passes(self.GOOD))
        for name, value in [("connected", 3), ("acknowledged", 9), ("missing", 1)]:
            self.assertEqual(len(list(chat.faults({**self.GOOD, name: value}))), 1, name)
        for name in ("doubles", "strangers", "gaps", "refused"):
            found = list(chat.faults({**self.GOOD, "counts": {**self.GOOD["counts"], name: 1}}))
            self.assertEqual(len(found), 1, name)

    def test_late_is_not_kept(self):
        self.assertFalse(chat.passes({**self.GOOD, "delivery": {"p99": 100.1}}))
        self.assertFalse(chat.passes({**self.GOOD, "counts": {**self.GOOD["counts"], "lost": 1}}))

    def test_the_knee_is_between_what_is_kept_and_what_is_not(self):
        asked = []

        def kept(rate):
            asked.append(rate)
            return rate <= 45
        self.assertEqual(chat.knee(kept, 10, 3), (45, 50))
        self.assertEqual(asked, [10, 20, 40, 80, 60, 50, 45])
        self.assertEqual(chat.knee(lambda _: True, 10, 3, most=40), (40, None))
        self.assertEqual(chat.knee(lambda rate: rate <= 3, 10, 2), (2.5, 5))


class Tsdb(unittest.TestCase):
    @staticmethod
    def matrix(*values, **labels):
        return {"result": [{"metric": labels, "values": [[n, str(value)] for n, value in enumerate(values)]}]}

    def test_figures_of_processes(self):
        stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 9 0 1 2 3"
        self.assertEqual(collectors.cpu_of(stat) * os.sysconf("SC_CLK_TCK"), 200)
        text = "VmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\nRssAnon:\t 1 kB\n"
        self.assertEqual(collectors.kilobytes(text, "VmRSS"), 1 << 20)

    def test_answers_that_differ_are_seen(self):
        one = self.matrix(1.5, "NaN", "+Inf", job="a")
        self.assertIsNone(collectors.differences(one, self.matrix(1.5 + 1e-12, "NaN", "+Inf", job="a")))
        for other in [
            self.matrix(1.5, "NaN", "+Inf", job="b"),
            self.matrix(1.5, "NaN", job="a"),
            self.matrix(1.6, "NaN", "+Inf", job="a"),
            self.matrix(1.5, 1, "+Inf", job="a"),
            self.matrix("NaN", "NaN", "+Inf", job="a"),
            self.matrix(1.5, "NaN", "-Inf", job="a"),
            {"result": []},
        ]:
            self.assertIsNotNone(collectors.differences(one, other), other)
            self.assertIsNotNone(collectors.differences(other, one), other)
        vector = {"result": [{"metric": {}, "value": [1, "2"]}]}
        self.assertIsNone(collectors.differences(vector, vector))

    def test_goals(self):
        goals = tsdb.Goals()
        with contextlib.redirect_stdout(io.StringIO()):
            goals.row("memory", [50, 40, 60], [100, 100, 100], most=0.5)
            goals.row("rate", [190, 200, 100], [100, 100, 100], least=2)
            goals.row("size", [2e6], [1e6], unit=1e6, digits=1)
        self.assertEqual(goals.missed, ["rate"])
        self.assertEqual(goals.table().splitlines()[2:], [
            "| memory | 50.00 (40.00-60.00) | 100.00 (100.00-100.00) | 0.50 | at most 0.5 | yes |",
            "| rate | 190.00 (100.00-200.00) | 100.00 (100.00-100.00) | 1.90 | at least 2 | NO |",
            "| size | 2.0 | 1.0 | 2.00 |  |  |",
        ])


class Figures(unittest.TestCase):
    def test_percentiles(self):
        self.assertEqual(figures.percentile(range(1, 101), 99), 99)
        self.assertEqual(figures.percentile([3, 1, 2], 50), 2)
        self.assertTrue(math.isnan(figures.percentile([], 50)))
        self.assertEqual(figures.spread([0.1, 0.3, 0.2]), "100 ms / 200 ms / 300 ms")


if __name__ == "__main__":
    unittest.main()
