"""The tables, as examples/chat has them."""

import asyncio
import os

import asyncpg

TABLES = """
CREATE TABLE IF NOT EXISTS users (
    id uuid PRIMARY KEY, name text NOT NULL, password_hash text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX IF NOT EXISTS users_name ON users (lower(name));
CREATE TABLE IF NOT EXISTS rooms (
    id uuid PRIMARY KEY, name text NOT NULL, revision bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX IF NOT EXISTS rooms_name ON rooms (lower(name));
CREATE TABLE IF NOT EXISTS messages (
    room uuid NOT NULL REFERENCES rooms, id bigint NOT NULL, revision bigint NOT NULL,
    author uuid NOT NULL REFERENCES users, key uuid NOT NULL, body text NOT NULL,
    posted_at timestamptz NOT NULL DEFAULT now(), edited_at timestamptz, untold_since timestamptz DEFAULT now(),
    PRIMARY KEY (room, id), UNIQUE (room, author, key));
CREATE UNIQUE INDEX IF NOT EXISTS messages_revision ON messages (room, revision);
CREATE INDEX IF NOT EXISTS messages_untold ON messages (untold_since) WHERE untold_since IS NOT NULL;
"""


async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute(TABLES)
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
