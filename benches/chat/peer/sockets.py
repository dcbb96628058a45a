"""The WebSocket part of the chat: every replica listens to every room in Redis and passes on what its sockets joined."""

import asyncio
import contextlib
import os

import orjson
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

import sessions
from serve import serve

CHANNELS = "chat:room:"
QUEUE = 256
RESYNC = '{"type":"resync"}'


class Member:
    """A socket: what waits for it, and whether it has lost something."""

    def __init__(self):
        self.queue = asyncio.Queue(QUEUE)
        self.behind = False

    def put(self, text):
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.behind = True


class Hub:
    """The sockets of this process by room."""

    def __init__(self):
        self.rooms = {}

    def join(self, room, member):
        self.rooms.setdefault(room, set()).add(member)

    def leave(self, room, member):
        members = self.rooms.get(room, set())
        members.discard(member)
        if not members:
            self.rooms.pop(room, None)

    async def listen(self, redis):
        """Passes events on until it is cancelled. When Redis was away, every socket learns that it may have missed some."""
        before = False
        while True:
            with contextlib.suppress(RedisError, OSError):
                async with redis.pubsub() as events:
                    await events.psubscribe(CHANNELS + "*")
                    if before:
                        for member in set().union(*self.rooms.values()):
                            member.put(RESYNC)
                    before = True
                    async for event in events.listen():
                        if event["type"] == "pmessage":
                            text = event["data"].decode()
                            for member in self.rooms.get(event["channel"].decode().removeprefix(CHANNELS), ()):
                                member.put(text)
            await asyncio.sleep(0.2)


async def write(socket, member):
    while True:
        await socket.send_text(await member.queue.get())
        if member.behind and member.queue.empty():
            member.behind = False
            await socket.send_text(RESYNC)


async def connected(socket):
    state = socket.app.state
    await socket.accept()
    member, rooms, writer = Member(), set(), None
    try:
        async with asyncio.timeout(10):
            hello = orjson.loads(await socket.receive_text())
            user = await sessions.find(state.redis, hello.get("token", "")) if hello.get("type") == "hello" else None
        if user is None:
            await socket.close(1008, "log in first")
            return
        await socket.send_text(orjson.dumps({"type": "welcome", "user": user}).decode())
        writer = asyncio.create_task(write(socket, member))
        while True:
            said = orjson.loads(await socket.receive_text())
            room = str(said.get("room", ""))
            if said.get("type") == "join" and len(rooms) < 100:
                rooms.add(room)
                state.hub.join(room, member)
                member.put(orjson.dumps({"type": "joined", "room": room}).decode())
            elif said.get("type") == "leave":
                rooms.discard(room)
                state.hub.leave(room, member)
    except (WebSocketDisconnect, TimeoutError):
        pass
    except RedisError:
        await socket.close(1008, "sessions cannot be read: try again")
    finally:
        for room in rooms:
            state.hub.leave(room, member)
        if writer:
            writer.cancel()


async def health(request):
    await request.app.state.redis.ping()
    return JSONResponse({"status": "ok", "pid": os.getpid()})


@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.redis, app.state.hub = sessions.connect(), Hub()
    # A subscription is silent for as long as nobody speaks: without a timeout.
    listening = sessions.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None)
    listener = asyncio.create_task(app.state.hub.listen(listening))
    yield
    listener.cancel()
    await app.state.redis.aclose()


application = Starlette(routes=[Route("/health", health), WebSocketRoute("/ws", connected)], lifespan=lifespan)

if __name__ == "__main__":
    serve(application)
