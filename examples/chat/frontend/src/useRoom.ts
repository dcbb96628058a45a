// One room: its messages, who is in it, who writes, and what was written here until it is stored.

import { useCallback, useEffect, useReducer, useRef, useState } from "react";

import { api, ApiError, type Message, type User } from "./api";
import type { Event, Live } from "./live";
import * as timeline from "./timeline";
import type { Draft, Timeline } from "./timeline";
import { Turns } from "./turns";

/** How long events may overtake each other before what is missing is asked for. */
const OVERTAKING_MS = 250;
const TYPING_SHOWN_MS = 3_000;
/** Events of a socket reach a room through this. */
export type Listeners = Set<(event: Event) => void>;

type Step = (before: Timeline) => Timeline;

export function useRoom(token: string, user: User, room: string, live: Live, listeners: Listeners) {
  const [state, change] = useReducer((before: Timeline, step: Step) => step(before), timeline.EMPTY, (empty) => ({
    ...empty,
    drafts: saved(user.id, room),
  }));
  const [users, setUsers] = useState<User[]>([]);
  const [writers, setWriters] = useState<User[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const latest = useRef(state);
  useEffect(() => {
    latest.current = state;
    keep(user.id, room, state.drafts);
  }, [state, user.id, room]);

  // Reads what is new: the first page, or everything since the last known revision.
  const begun = useRef<number | null>(null);
  const [turns] = useState(() => new Turns());
  const read = useCallback(
    () =>
      turns.take(async () => {
        if (begun.current === null) {
          const page = await api.latest(token, room);
          begun.current = timeline.begin(timeline.EMPTY, page.messages, page.more).known;
          change((before) => timeline.begin(before, page.messages, page.more));
        } else {
          // What was read just now may not be in the state yet.
          let known = Math.max(begun.current, latest.current.known);
          for (let more = true; more; ) {
            const page = await api.after(token, room, known);
            change((before) => timeline.catchUp(before, page.messages));
            known = page.messages.at(-1)?.revision ?? known;
            more = page.more;
          }
        }
        setProblem(null);
      }),
    [token, room, turns],
  );

  const again = useCallback(
    (ended: () => boolean): void => {
      const attempt = (): void => {
        if (ended()) return;
        read().catch((error: unknown) => {
          setProblem(error instanceof ApiError ? error.message : "Something went wrong.");
          setTimeout(attempt, 1000);
        });
      };
      attempt();
    },
    [read],
  );

  useEffect(() => {
    let over = false;
    const ended = (): boolean => over;
    const timers = new Map<string, ReturnType<typeof setTimeout>>();
    const listener = (event: Event): void => {
      if (event.type === "resync") {
        again(ended);
      }
      if (!("room" in event) || event.room !== room) return;
      switch (event.type) {
        case "joined":
          again(ended);
          api.presence(token, room).then(
            (present) => !over && setUsers(present.users),
            () => undefined,
          );
          break;
        case "message":
          change((before) => timeline.apply(before, [event.message]));
          setWriters((before) => before.filter((one) => one.id !== event.message.author.id));
          break;
        case "presence":
          setUsers((before) => {
            const others = before.filter((one) => one.id !== event.user.id);
            return event.online ? [...others, event.user] : others;
          });
          break;
        case "typing":
          if (event.user.id === user.id) break;
          setWriters((before) => [...before.filter((one) => one.id !== event.user.id), event.user]);
          clearTimeout(timers.get(event.user.id));
          timers.set(
            event.user.id,
            setTimeout(() => setWriters((before) => before.filter((one) => one.id !== event.user.id)), TYPING_SHOWN_MS),
          );
          break;
      }
    };
    listeners.add(listener);
    live.join(room);
    // What was said is there to be read without a socket too.
    again(ended);
    return () => {
      over = true;
      listeners.delete(listener);
      live.leave(room);
      timers.forEach(clearTimeout);
    };
  }, [token, room, user.id, live, listeners, again]);

  // Something is missing: if it does not come by itself, it is asked for.
  const behind = timeline.isBehind(state);
  useEffect(() => {
    if (!behind) return;
    let over = false;
    const timer = setTimeout(() => again(() => over), OVERTAKING_MS);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [behind, again]);

  // Drafts are posted one after the other, in the order in which they were written, until each is stored or refused.
  const next = state.drafts.find((draft) => draft.refused === null);
  useEffect(() => {
    if (!next) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const attempt = (): void => {
      api.post(token, room, next.key, next.body).then(
        (message) => change((before) => timeline.apply(before, [message])),
        (error: unknown) => {
          if (error instanceof ApiError && error.retryAfter !== null) {
            timer = over ? undefined : setTimeout(attempt, error.retryAfter);
          } else {
            const reason = error instanceof Error ? error.message : "It was refused.";
            change((before) => timeline.refuse(before, next.key, reason));
          }
        },
      );
    };
    attempt();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [token, room, next]);

  const write = useCallback((body: string): void => {
    // One key, whatever React does: it may apply a step again, on top of another state.
    const draft = { key: newKey(), body, refused: null };
    change((before) => timeline.write(before, draft));
  }, []);
  const discard = useCallback((key: string): void => change((before) => timeline.discard(before, key)), []);
  const retry = useCallback((key: string): void => change((before) => timeline.refuse(before, key, null)), []);
  const edit = useCallback(
    async (message: Message, body: string): Promise<void> => {
      const edited = await api.edit(token, room, message.id, body);
      change((before) => timeline.apply(before, [edited]));
    },
    [token, room],
  );
  const older = useCallback(async (): Promise<void> => {
    const first = latest.current.messages[0];
    if (first) {
      const page = await api.before(token, room, first.id);
      change((before) => timeline.prepend(before, page.messages, page.more));
    }
  }, [token, room]);

  return { ...state, users, writers, problem, write, discard, retry, edit, readOlder: older };
}

/** A UUID of version 4. `crypto.randomUUID` is there for HTTPS only. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = [...bytes].map((byte, at) => (at === 6 ? (byte & 15) | 64 : at === 8 ? (byte & 63) | 128 : byte).toString(16).padStart(2, "0"));
  return [hex.slice(0, 4), hex.slice(4, 6), hex.slice(6, 8), hex.slice(8, 10), hex.slice(10)].map((part) => part.join("")).join("-");
}

// Drafts outlive the page: whoever reloads while the server is away loses nothing.

function place(user: string, room: string): string {
  return `chat.drafts.${user}.${room}`;
}

function saved(user: string, room: string): Draft[] {
  try {
    return JSON.parse(localStorage.getItem(place(user, room)) ?? "[]") as Draft[];
  } catch {
    return [];
  }
}

function keep(user: string, room: string, drafts: Draft[]): void {
  if (drafts.length === 0) {
    localStorage.removeItem(place(user, room));
  } else {
    localStorage.setItem(place(user, room), JSON.stringify(drafts));
  }
}
