// The messages of a room as they are known here. Nothing in it asks the network, so that it can be tested as it is.

import type { Message, User } from "./api";

/** A message that was written here and is not acknowledged yet. */
export interface Draft {
  key: string;
  body: string;
  /** Why it was refused, if it was; one that is still tried has none. */
  refused: string | null;
}

export interface Timeline {
  /** In the order of their places. */
  messages: Message[];
  drafts: Draft[];
  /** Every change up to this revision is known. */
  known: number;
  /** Changes that came before one that is missing, by revision. */
  ahead: Message[];
  /** Whether there are older messages to be read. */
  older: boolean;
}

export const EMPTY: Timeline = { messages: [], drafts: [], known: 0, ahead: [], older: false };

/** The first page of a room, which has the last change, if any, and what came after it while it was read. */
export function begin(timeline: Timeline, messages: Message[], more: boolean): Timeline {
  const known = Math.max(0, ...messages.map((message) => message.revision));
  const later = put(timeline.messages, timeline.ahead).filter((message) => message.revision > known);
  return apply(settle({ ...timeline, messages: put([], messages), known, ahead: [], older: more }), later);
}

/** Older messages, read backwards. */
export function prepend(timeline: Timeline, messages: Message[], more: boolean): Timeline {
  return { ...timeline, messages: put(timeline.messages, messages), older: more };
}

/** An event, or a change that was asked for: shown at once; whether something is missing before it is seen by [`isBehind`]. */
export function apply(timeline: Timeline, changes: Message[]): Timeline {
  const fresh = changes.filter((change) => change.revision > timeline.known);
  const ahead = [...timeline.ahead, ...fresh].sort((a, b) => a.revision - b.revision);
  let known = timeline.known;
  while (ahead[0] && ahead[0].revision <= known + 1) {
    known = Math.max(known, ahead[0].revision);
    ahead.shift();
  }
  return settle({ ...timeline, messages: put(timeline.messages, inSight(timeline, changes)), known, ahead }, changes);
}

/** All that changed after a revision, without a hole: revisions that are not in it were overwritten by later ones. */
export function catchUp(timeline: Timeline, changes: Message[]): Timeline {
  const last = changes.at(-1);
  if (!last) {
    return timeline;
  }
  const known = Math.max(timeline.known, last.revision);
  const ahead = timeline.ahead.filter((change) => change.revision > known);
  return apply({ ...timeline, known, ahead }, changes);
}

/** Whether a change is known while one before it is not. */
export function isBehind(timeline: Timeline): boolean {
  return timeline.ahead.length > 0;
}

export function write(timeline: Timeline, draft: Draft): Timeline {
  return { ...timeline, drafts: [...timeline.drafts, draft] };
}

export function refuse(timeline: Timeline, key: string, reason: string | null): Timeline {
  const drafts = timeline.drafts.map((draft) => (draft.key === key ? { ...draft, refused: reason } : draft));
  return { ...timeline, drafts };
}

export function discard(timeline: Timeline, key: string): Timeline {
  return { ...timeline, drafts: timeline.drafts.filter((draft) => draft.key !== key) };
}

/** A draft that is a message now is none any more. */
function settle(timeline: Timeline, messages: Message[] = timeline.messages): Timeline {
  const keys = new Set(messages.map((message) => message.key));
  const drafts = timeline.drafts.filter((draft) => !keys.has(draft.key));
  return drafts.length === timeline.drafts.length ? timeline : { ...timeline, drafts };
}

/** Without those before the oldest that was read: they come with their page. */
function inSight(timeline: Timeline, changes: Message[]): Message[] {
  const first = timeline.messages[0];
  return timeline.older && first ? changes.filter((change) => change.id >= first.id) : changes;
}

/** Each message once, in its newest form, by place. */
function put(messages: Message[], changes: Message[]): Message[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  for (const change of changes) {
    const before = byId.get(change.id);
    if (!before || before.revision < change.revision) {
      byId.set(change.id, change);
    }
  }
  return [...byId.values()].sort((a, b) => a.id - b.id);
}

/** Who is writing, as a sentence; nobody is an empty one. */
export function writing(users: User[]): string {
  const names = users.map((user) => user.name);
  if (names.length === 0) return "";
  if (names.length === 1) return `${names[0]} is writing…`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are writing…`;
  return "Several people are writing…";
}
