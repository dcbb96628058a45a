import { type FormEvent, useCallback, useEffect, useState } from "react";

import { api, ApiError, type Room, type Session } from "./api";
import { Live, type Event, type State } from "./live";
import { RoomView } from "./RoomView";
import type { Listeners } from "./useRoom";

const STATES: Record<State, string> = {
  connecting: "Connecting…",
  connected: "Connected",
  reconnecting: "Reconnecting…",
  refused: "Logged out",
};

interface Props {
  session: Session;
  onLogout: () => void;
  /** The session is over: the server does not know it any more. */
  onRefused: () => void;
}

export function Chat({ session, onLogout, onRefused }: Props) {
  const [rooms, setRooms] = useState<Room[]>([]);
  const [chosen, setChosen] = useState<string | null>(null);
  const [listed, setListed] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [state, setState] = useState<State>("connecting");
  const [listeners] = useState<Listeners>(() => new Set());
  const [live] = useState(() => {
    const pass = (event: Event): void => listeners.forEach((listener) => listener(event));
    return new Live(session.token, pass, setState);
  });

  useEffect(() => {
    live.start();
    return () => live.end();
  }, [live]);

  useEffect(() => {
    if (state === "refused") onRefused();
  }, [state, onRefused]);

  // The rooms, again whenever the connection is back, as there may be new ones.
  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const attempt = (): void => {
      api.rooms(session.token).then(
        ({ rooms }) => {
          if (over) return;
          setRooms(rooms);
          setProblem(null);
          setChosen((before) => before ?? rooms[0]?.id ?? null);
        },
        (error: unknown) => {
          if (over) return;
          if (error instanceof ApiError && error.status === 401) {
            onRefused();
          } else {
            setProblem(error instanceof Error ? error.message : "Something went wrong.");
            timer = setTimeout(attempt, 1000);
          }
        },
      );
    };
    attempt();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [session.token, state, onRefused]);

  const open = useCallback(
    async (name: string) => {
      const room = await api.open(session.token, name);
      setRooms((before) => [...before, room].sort((a, b) => a.name.localeCompare(b.name)));
      setChosen(room.id);
      setListed(false);
    },
    [session.token],
  );

  const room = rooms.find((room) => room.id === chosen);
  return (
    <div className="chat" data-listed={listed}>
      <header>
        <button type="button" className="menu" aria-expanded={listed} aria-controls="rooms" onClick={() => setListed(!listed)}>
          Rooms
        </button>
        <h1>{room ? room.name : "Chat"}</h1>
        <p className="state" role="status" data-state={state}>
          <span>{STATES[state]}</span>
        </p>
        <p className="me">{session.user.name}</p>
        <button type="button" onClick={onLogout}>
          Log out
        </button>
      </header>
      <nav id="rooms" aria-label="Rooms">
        <ul>
          {rooms.map((room) => (
            <li key={room.id}>
              <button
                type="button"
                aria-current={room.id === chosen ? "true" : undefined}
                onClick={() => {
                  setChosen(room.id);
                  setListed(false);
                }}
              >
                {room.name}
              </button>
            </li>
          ))}
        </ul>
        <NewRoom onOpen={open} />
      </nav>
      {problem && (
        <p className="problem banner" role="alert">
          {problem}
        </p>
      )}
      {room && <RoomView key={room.id} session={session} room={room} live={live} listeners={listeners} />}
    </div>
  );
}

function NewRoom({ onOpen }: { onOpen: (name: string) => Promise<void> }) {
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string | null>(null);

  async function submit(event: FormEvent) {
    event.preventDefault();
    try {
      await onOpen(name);
      setName("");
      setProblem(null);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "Something went wrong.");
    }
  }

  return (
    <form onSubmit={submit} className="new-room">
      <label>
        New room
        <input name="room" value={name} onChange={(event) => setName(event.target.value)} maxLength={50} required />
      </label>
      <button type="submit">Open</button>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}
