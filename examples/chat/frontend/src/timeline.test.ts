import { describe, expect, it } from "vitest";

import type { Message } from "./api";
import { apply, begin, catchUp, EMPTY, isBehind, prepend, refuse, write, writing } from "./timeline";

function message(id: number, revision = id, body = `text ${revision}`): Message {
  return { id, revision, key: `key-${id}`, author: { id: "a", name: "ada" }, body, posted_at: "", edited_at: null };
}

const ids = (timeline: { messages: Message[] }) => timeline.messages.map((one) => one.id);

describe("a timeline", () => {
  it("shows each message once, in the order of the room", () => {
    let room = begin(EMPTY, [message(1), message(2)], false);
    room = apply(room, [message(3)]);
    room = apply(room, [message(3)]);
    room = apply(room, [message(2)]);
    expect(ids(room)).toEqual([1, 2, 3]);
    expect(room.known).toBe(3);
    expect(isBehind(room)).toBe(false);
  });

  it("keeps what came while the first page was read", () => {
    const first = begin(apply(EMPTY, [message(1)]), [], false);
    expect(ids(first)).toEqual([1]);
    const later = begin(apply(EMPTY, [message(4)]), [message(1), message(2), message(3)], false);
    expect(ids(later)).toEqual([1, 2, 3, 4]);
    expect(later.known).toBe(4);
    const gap = begin(apply(EMPTY, [message(4)]), [message(1), message(2)], false);
    expect(isBehind(gap)).toBe(true);
  });

  it("notices a change that it has missed, and is whole again when it has come", () => {
    let room = begin(EMPTY, [message(1)], false);
    room = apply(room, [message(3)]);
    expect(isBehind(room)).toBe(true);
    expect(room.known).toBe(1);
    expect(ids(room)).toEqual([1, 3]);
    room = apply(room, [message(2)]);
    expect(isBehind(room)).toBe(false);
    expect(room.known).toBe(3);
    expect(ids(room)).toEqual([1, 2, 3]);
  });

  it("takes over what changed while it was away", () => {
    let room = begin(EMPTY, [message(1), message(2)], false);
    room = apply(room, [message(6)]);
    // 3 was edited as 5, so that no change is 3 any more.
    room = catchUp(room, [message(4), message(3, 5, "edited")]);
    expect(isBehind(room)).toBe(false);
    expect(room.known).toBe(6);
    expect(ids(room)).toEqual([1, 2, 3, 4, 6]);
    expect(room.messages[2]?.body).toBe("edited");
  });

  it("keeps the newest form of a message", () => {
    let room = begin(EMPTY, [message(1), message(2, 3, "new")], false);
    room = apply(room, [message(2, 2, "old")]);
    expect(room.messages[1]?.body).toBe("new");
  });

  it("drops a draft when it is a message, however that is learned", () => {
    const draft = { key: "key-2", body: "text", refused: null };
    const room = write(begin(EMPTY, [message(1)], false), draft);
    expect(apply(room, [message(2)]).drafts).toEqual([]);
    expect(catchUp(room, [message(2)]).drafts).toEqual([]);
    expect(begin(room, [message(1), message(2)], false).drafts).toEqual([]);
    expect(apply(room, [message(3)]).drafts).toEqual([draft]);
    expect(refuse(room, "key-2", "no").drafts[0]?.refused).toBe("no");
  });

  it("leaves an edit of what was not read yet to its page", () => {
    const room = apply(begin(EMPTY, [message(5), message(6)], true), [message(2, 7)]);
    expect(ids(room)).toEqual([5, 6]);
    expect(room.known).toBe(7);
  });

  it("keeps what came while its first page was read", () => {
    const room = begin(apply(apply(EMPTY, [message(3)]), [message(5)]), [message(1), message(2), message(3)], false);
    expect(ids(room)).toEqual([1, 2, 3, 5]);
    expect(room.known).toBe(3);
    expect(isBehind(room)).toBe(true);
    expect(isBehind(apply(room, [message(4)]))).toBe(false);
  });

  it("puts older messages before", () => {
    const room = prepend(begin(EMPTY, [message(5), message(6)], true), [message(3), message(4)], false);
    expect(ids(room)).toEqual([3, 4, 5, 6]);
    expect(room.older).toBe(false);
    expect(room.known).toBe(6);
  });
});

it("says who is writing", () => {
  const users = ["ada", "bob", "cy"].map((name) => ({ id: name, name }));
  expect(writing([])).toBe("");
  expect(writing(users.slice(0, 1))).toBe("ada is writing…");
  expect(writing(users.slice(0, 2))).toBe("ada and bob are writing…");
  expect(writing(users)).toBe("Several people are writing…");
});
