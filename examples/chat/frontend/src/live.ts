// The socket: opened again whenever it is gone, for as long as somebody is logged in.

import type { Message, User } from "./api";

export type Event =
  | { type: "welcome"; user: User }
  | { type: "joined"; room: string }
  | { type: "resync" }
  | { type: "error"; message: string }
  | { type: "message"; room: string; message: Message }
  | { type: "presence"; room: string; user: User; online: boolean }
  | { type: "typing"; room: string; user: User };

export type State = "connecting" | "connected" | "reconnecting" | "refused";

const RETRY_MS = 250;
const RETRY_MAX_MS = 5_000;
/** A socket that opens but is not welcomed in this time is given up. */
const WELCOME_MS = 5_000;
/** The code of a socket that is closed for what its client did. */
const POLICY = 1008;

export class Live {
  private socket: WebSocket | null = null;
  private readonly rooms = new Set<string>();
  private attempts = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private ended = true;
  private welcome = false;

  constructor(
    private readonly token: string,
    private readonly onEvent: (event: Event) => void,
    private readonly onState: (state: State) => void,
  ) {}

  start(): void {
    this.ended = false;
    this.attempts = 0;
    window.addEventListener("online", this.now);
    this.open();
  }

  join(room: string): void {
    this.rooms.add(room);
    this.say({ type: "join", room });
  }

  leave(room: string): void {
    this.rooms.delete(room);
    this.say({ type: "leave", room });
  }

  typing(room: string): void {
    this.say({ type: "typing", room });
  }

  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
    window.removeEventListener("online", this.now);
    this.socket?.close();
    this.socket = null;
  }

  private say(said: object): void {
    if (this.welcome && this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify(said));
    }
  }

  private readonly now = (): void => {
    if (!this.ended && this.socket?.readyState !== WebSocket.OPEN) {
      clearTimeout(this.timer);
      this.socket?.close();
      this.open();
    }
  };

  private open(): void {
    this.onState(this.attempts === 0 ? "connecting" : "reconnecting");
    this.welcome = false;
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws`);
    this.socket = socket;
    const impatient = setTimeout(() => socket.close(), WELCOME_MS);
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token: this.token }));
    socket.onmessage = (frame: MessageEvent<string>) => {
      if (this.socket !== socket) return;
      const event = JSON.parse(frame.data) as Event;
      if (event.type === "welcome") {
        clearTimeout(impatient);
        this.attempts = 0;
        this.welcome = true;
        this.onState("connected");
        for (const room of this.rooms) {
          this.say({ type: "join", room });
        }
      }
      this.onEvent(event);
    };
    socket.onclose = (close) => {
      clearTimeout(impatient);
      if (this.ended || this.socket !== socket) {
        return;
      }
      if (close.code === POLICY && close.reason === "log in first") {
        this.onState("refused");
        return;
      }
      this.onState("reconnecting");
      // Not all at once, and not for ever faster than the server can take.
      const wait = Math.min(RETRY_MS * 2 ** this.attempts, RETRY_MAX_MS) * (0.5 + Math.random() / 2);
      this.attempts += 1;
      this.timer = setTimeout(() => this.open(), wait);
    };
  }
}
