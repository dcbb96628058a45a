CREATE TABLE users (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_name ON users (lower(name));

CREATE TABLE rooms (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    -- Counts the changes of the room's messages, without a gap: whoever has seen 7 and sees 9 has missed one.
    revision bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX rooms_name ON rooms (lower(name));
INSERT INTO rooms (id, name) VALUES ('00000000-0000-7000-8000-000000000001', 'general');

CREATE TABLE messages (
    room uuid NOT NULL REFERENCES rooms,
    -- The revision that the message was posted as: its place in the room.
    id bigint NOT NULL,
    -- The revision of its last change.
    revision bigint NOT NULL,
    author uuid NOT NULL REFERENCES users,
    -- The author's own number for it: the same message sent twice is one message.
    key uuid NOT NULL,
    body text NOT NULL,
    posted_at timestamptz NOT NULL DEFAULT now(),
    edited_at timestamptz,
    -- When the last change is to be told again, should telling it have failed; null when it was told.
    untold_since timestamptz DEFAULT now(),
    PRIMARY KEY (room, id),
    UNIQUE (room, author, key)
);
CREATE UNIQUE INDEX messages_revision ON messages (room, revision);
CREATE INDEX messages_untold ON messages (untold_since) WHERE untold_since IS NOT NULL;
