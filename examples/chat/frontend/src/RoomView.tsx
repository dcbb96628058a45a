import { type FormEvent, type KeyboardEvent, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

import type { Message, Room, Session } from "./api";
import type { Live } from "./live";
import { writing } from "./timeline";
import { type Listeners, useRoom } from "./useRoom";

const BODY_MAX = 2000;
/** How near to the end counts as being there. */
const END_PX = 80;

interface Props {
  session: Session;
  room: Room;
  live: Live;
  listeners: Listeners;
}

export function RoomView({ session, room, live, listeners }: Props) {
  const here = useRoom(session.token, session.user, room.id, live, listeners);
  const list = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [reading, setReading] = useState(false);

  // Who is at the end stays there; who reads further up, or changes a message, is left alone.
  const stay = useCallback(() => {
    if (list.current && atEnd.current && !list.current.querySelector("form")) {
      list.current.scrollTop = list.current.scrollHeight;
    }
  }, []);
  useLayoutEffect(stay, [stay, here.messages, here.drafts, here.writers]);
  // So too when a keyboard comes up or a phone is turned.
  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const observer = new ResizeObserver(stay);
    observer.observe(element);
    return () => observer.disconnect();
  }, [stay]);

  async function older() {
    const element = list.current;
    const below = element ? element.scrollHeight - element.scrollTop : 0;
    setReading(true);
    try {
      await here.readOlder();
      requestAnimationFrame(() => {
        if (element) element.scrollTop = element.scrollHeight - below;
      });
    } catch {
      // The button stays: it can be asked again.
    } finally {
      setReading(false);
    }
  }

  return (
    <main className="room">
      <p className="present">
        {here.users.length === 0 ? "Nobody else is here" : `Here: ${here.users.map((user) => user.name).sort().join(", ")}`}
      </p>
      <div
        className="messages"
        ref={list}
        // A list that scrolls can be scrolled by keyboard too.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        role="log"
        aria-label={`Messages in ${room.name}`}
        onScroll={(event) => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          atEnd.current = scrollHeight - scrollTop - clientHeight < END_PX;
        }}
      >
        {here.older && (
          <button type="button" className="link" onClick={older} disabled={reading}>
            Older messages
          </button>
        )}
        <ol>
          {here.messages.map((message) => (
            <MessageView key={message.id} message={message} mine={message.author.id === session.user.id} onEdit={here.edit} />
          ))}
          {here.drafts.map((draft) => (
            <li key={draft.key} className="mine draft" data-refused={draft.refused !== null}>
              <p className="by">{draft.refused ?? "Sending…"}</p>
              <p className="body">{draft.body}</p>
              {draft.refused !== null && (
                <p className="actions">
                  <button type="button" className="link" onClick={() => here.retry(draft.key)}>
                    Try again
                  </button>
                  <button type="button" className="link" onClick={() => here.discard(draft.key)}>
                    Discard
                  </button>
                </p>
              )}
            </li>
          ))}
        </ol>
      </div>
      {here.problem && (
        <p className="problem banner" role="alert">
          {here.problem}
        </p>
      )}
      <p className="writing" aria-live="polite">
        {writing(here.writers)}
      </p>
      <Composer
        onWrite={(body) => {
          atEnd.current = true;
          here.write(body);
        }}
        onTyping={() => live.typing(room.id)}
      />
    </main>
  );
}

interface MessageProps {
  message: Message;
  mine: boolean;
  onEdit: (message: Message, body: string) => Promise<void>;
}

function MessageView({ message, mine, onEdit }: MessageProps) {
  const [text, setText] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const posted = new Date(message.posted_at);
  const editing = text !== null;

  // The focus goes where the work is, and back.
  const field = useRef<HTMLTextAreaElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const wasEditing = useRef(false);
  useEffect(() => {
    if (editing) field.current?.focus();
    else if (wasEditing.current) button.current?.focus();
    wasEditing.current = editing;
  }, [editing]);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (text === null) return;
    try {
      if (text.trim() !== message.body) await onEdit(message, text.trim());
      setText(null);
      setProblem(null);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "Something went wrong.");
    }
  }

  return (
    <li className={mine ? "mine" : undefined}>
      <p className="by">
        <span className="author">{message.author.name}</span>{" "}
        <time dateTime={message.posted_at} title={posted.toLocaleString()}>
          {posted.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}
        </time>
        {message.edited_at && " (edited)"}
        {mine && !editing && (
          <button ref={button} type="button" className="link" onClick={() => setText(message.body)} aria-label={`Edit: ${message.body.slice(0, 40)}`}>
            Edit
          </button>
        )}
      </p>
      {!editing ? (
        <p className="body">{message.body}</p>
      ) : (
        <form onSubmit={submit} className="edit">
          <label>
            <span className="hidden">New text</span>
            <textarea ref={field} value={text} onChange={(event) => setText(event.target.value)} maxLength={BODY_MAX} rows={2} required />
          </label>
          <button type="submit">Save</button>
          <button type="button" onClick={() => setText(null)}>
            Cancel
          </button>
          {problem && (
            <p className="problem" role="alert">
              {problem}
            </p>
          )}
        </form>
      )}
    </li>
  );
}

function Composer({ onWrite, onTyping }: { onWrite: (body: string) => void; onTyping: () => void }) {
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);

  function send() {
    const body = text.trim();
    if (body) {
      onWrite(body);
      setText("");
    }
  }

  function pressed(event: KeyboardEvent) {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
        field.current?.focus();
      }}
    >
      <label>
        <span className="hidden">Message</span>
        <textarea
          name="message"
          ref={field}
          rows={1}
          value={text}
          maxLength={BODY_MAX}
          placeholder="Message"
          onChange={(event) => {
            setText(event.target.value);
            onTyping();
          }}
          onKeyDown={pressed}
        />
      </label>
      <button type="submit" className="primary" disabled={!text.trim()}>
        Send
      </button>
    </form>
  );
}
