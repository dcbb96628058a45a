"""The REST part of the chat, as far as the load needs it, with the same guarantees and the same work for each message."""

import asyncio
import contextlib
import os
import uuid

import asyncpg
import orjson
from argon2 import PasswordHasher
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

import sessions
from serve import serve

POSTS = int(os.environ.get("POSTS_PER_10S", "30"))
PAGE_MAX = 200
MESSAGES = """SELECT m.room, m.id, m.revision, m.key, m.body, m.posted_at, m.edited_at, u.id AS author, u.name
    FROM messages m JOIN users u ON u.id = m.author WHERE """
# The room's row stays locked until the message is there, so that revisions become visible in their order.
POST = """WITH next AS (UPDATE rooms SET revision = revision + 1 WHERE id = $1 RETURNING revision)
    INSERT INTO messages (room, id, revision, author, key, body)
    SELECT $1, revision, revision, $2, $3, $4 FROM next RETURNING revision, posted_at"""
TOLD = "UPDATE messages SET untold_since = NULL WHERE room = $1 AND id = $2 AND revision = $3"
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


class Answer(Response):
    """JSON by orjson."""

    media_type = "application/json"

    def render(self, content):
        return orjson.dumps(content)


def refuse(status, code):
    return HTTPException(status, code)


def message(row):
    """A row of MESSAGES, as it is sent."""
    return {"id": row["id"], "revision": row["revision"], "key": row["key"],
            "author": {"id": row["author"], "name": row["name"]},
            "body": row["body"], "posted_at": row["posted_at"], "edited_at": row["edited_at"]}


async def tell(redis, room, told):
    event = {"type": "message", "room": room, "message": told}
    await redis.publish(f"chat:room:{room}", orjson.dumps(event))


async def user_of(request):
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    user = await sessions.find(request.app.state.redis, token) if scheme == "Bearer" else None
    if user is None:
        raise refuse(401, "not_logged_in")
    return user


async def health(request):
    await request.app.state.postgres.fetchval("SELECT 1")
    return Answer({"status": "ok", "pid": os.getpid()})


async def register(request):
    given = orjson.loads(await request.body())
    name, user = given["name"], uuid.uuid4()
    hashed = await asyncio.to_thread(HASHER.hash, given["password"])
    added = await request.app.state.postgres.fetchval(
        "INSERT INTO users (id, name, password_hash) VALUES ($1, $2, $3) ON CONFLICT (lower(name)) DO NOTHING RETURNING id",
        user, name, hashed)
    if added is None:
        raise refuse(409, "name_taken")
    account = {"id": str(user), "name": name}
    return Answer({"token": await sessions.begin(request.app.state.redis, account), "user": account}, 201)


async def open_room(request):
    await user_of(request)
    name, room = orjson.loads(await request.body())["name"], uuid.uuid4()
    added = await request.app.state.postgres.fetchval(
        "INSERT INTO rooms (id, name) VALUES ($1, $2) ON CONFLICT (lower(name)) DO NOTHING RETURNING id", room, name)
    if added is None:
        raise refuse(409, "name_taken")
    return Answer({"id": room, "name": name, "revision": 0}, 201)


async def history(request):
    await user_of(request)
    room, after = uuid.UUID(request.path_params["room"]), int(request.query_params.get("after", 0))
    limit = int(request.query_params.get("limit", 50))
    if not 1 <= limit <= PAGE_MAX:
        raise refuse(400, "bad_request")
    rows = await request.app.state.postgres.fetch(
        MESSAGES + "m.room = $1 AND m.revision > $2 ORDER BY m.revision LIMIT $3", room, after, limit + 1)
    return Answer({"messages": [message(row) for row in rows[:limit]], "more": len(rows) > limit})


async def say(request):
    state, user = request.app.state, await user_of(request)
    room, given = uuid.UUID(request.path_params["room"]), orjson.loads(await request.body())
    key, body, author = uuid.UUID(given["key"]), given["body"], uuid.UUID(user["id"])
    if not 1 <= len(body) <= 2000:
        raise refuse(422, "invalid_message")
    if not await sessions.within(state.redis, f"post:{user['id']}", POSTS, 10):
        raise refuse(429, "too_many_requests")
    keyed = MESSAGES + "m.room = $1 AND m.author = $2 AND m.key = $3"
    async with state.postgres.acquire(timeout=2) as connection:
        try:
            row = await connection.fetchrow(POST, room, author, key, body)
        except asyncpg.UniqueViolationError:
            return Answer(message(await connection.fetchrow(keyed, room, author, key)))
    if row is None:
        raise refuse(404, "not_found")
    revision, posted_at = row["revision"], row["posted_at"]
    posted = {"id": revision, "revision": revision, "key": key, "author": user, "body": body, "posted_at": posted_at,
              "edited_at": None}
    with contextlib.suppress(RedisError, OSError, asyncpg.PostgresError, TimeoutError):
        await tell(state.redis, room, posted)
        await state.postgres.execute(TOLD, room, revision, revision)
    return Answer(posted, 201)


async def sweep(state):
    """Tells what was stored and could not be told."""
    while True:
        await asyncio.sleep(1)
        with contextlib.suppress(RedisError, OSError, asyncpg.PostgresError, TimeoutError):
            async with state.postgres.acquire(timeout=2) as connection, connection.transaction():
                rows = await connection.fetch(
                    MESSAGES + "m.untold_since < now() - interval '1 second' ORDER BY m.untold_since LIMIT 200 "
                    "FOR UPDATE OF m SKIP LOCKED")
                for row in rows:
                    await tell(state.redis, row["room"], message(row))
                    await connection.execute(TOLD, row["room"], row["id"], row["revision"])


@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.redis = sessions.connect()
    app.state.postgres = await asyncpg.create_pool(
        os.environ["DATABASE_URL"], min_size=10, max_size=10,
        server_settings={"statement_timeout": "5000", "lock_timeout": "2000"})
    sweeper = asyncio.create_task(sweep(app.state))
    yield
    sweeper.cancel()
    await app.state.postgres.close()
    await app.state.redis.aclose()


async def refused(_request, error):
    return Answer({"error": {"code": error.detail}}, error.status_code)


async def unavailable(_request, _error):
    return Answer({"error": {"code": "store_unavailable"}}, 503)


application = Starlette(
    routes=[
        Route("/health", health),
        Route("/api/register", register, methods=["POST"]),
        Route("/api/rooms", open_room, methods=["POST"]),
        Route("/api/rooms/{room}/messages", history, methods=["GET"]),
        Route("/api/rooms/{room}/messages", say, methods=["POST"]),
    ],
    exception_handlers={HTTPException: refused, RedisError: unavailable, OSError: unavailable, TimeoutError: unavailable,
                        asyncpg.PostgresError: unavailable},
    lifespan=lifespan,
)

if __name__ == "__main__":
    serve(application)
