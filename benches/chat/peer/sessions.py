"""Who is logged in: a signed token names a session, and the session is in Redis."""

import os
import time
import uuid

import jwt
import orjson
from redis.asyncio import BlockingConnectionPool, Redis

LASTS_SECONDS = 14 * 24 * 3600
SECRET = os.environ.get("JWT_SECRET", "")


def connect():
    """A client whose connections are kept: as many as the backend of the chat has."""
    pool = BlockingConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=32, timeout=2, socket_timeout=2)
    return Redis.from_pool(pool)


async def begin(redis, user):
    """Begins a session; its token."""
    now = int(time.time())
    session = str(uuid.uuid4())
    await redis.set(f"chat:session:{session}", orjson.dumps(user), ex=LASTS_SECONDS)
    claims = {"sub": user["id"], "jti": session, "iat": now, "exp": now + LASTS_SECONDS}
    return jwt.encode(claims, SECRET, algorithm="HS256")


async def find(redis, token):
    """The user of a token; none if there is no such session."""
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], leeway=5)
    except jwt.InvalidTokenError:
        return None
    kept = await redis.get(f"chat:session:{claims['jti']}")
    return orjson.loads(kept) if kept else None


async def within(redis, what, limit, seconds):
    """Counts one more of `what` in the present stretch of `seconds`; false when it is more than `limit`."""
    key = f"chat:rate:{what}:{int(time.time()) // seconds}"
    async with redis.pipeline(transaction=True) as pipe:
        count, _ = await pipe.incr(key).expire(key, 2 * seconds).execute()
    return count <= limit
