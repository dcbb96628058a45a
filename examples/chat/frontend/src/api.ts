// What the backend is asked. A failure is an `ApiError` with a sentence that can be shown.

export interface User {
  id: string;
  name: string;
}

export interface Room {
  id: string;
  name: string;
  revision: number;
}

export interface Message {
  id: number;
  revision: number;
  key: string;
  author: User;
  body: string;
  posted_at: string;
  edited_at: string | null;
}

export interface Page {
  messages: Message[];
  more: boolean;
}

export interface Session {
  token: string;
  user: User;
}

export class ApiError extends Error {
  constructor(
    message: string,
    /** The status of the answer; 0 if there was none. */
    readonly status: number,
    /** In how many milliseconds to try again, where trying again may help. */
    readonly retryAfter: number | null,
  ) {
    super(message);
  }
}

const PATIENCE_MS = 10_000;

async function ask<T>(method: string, path: string, token: string | null, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new ApiError("The server cannot be reached.", 0, 1000);
  }
  if (response.ok) {
    return (response.status === 204 ? undefined : await response.json()) as T;
  }
  const answer = (await response.json().catch(() => null)) as { error?: { message?: string } } | null;
  const wait = Number(response.headers.get("retry-after")) * 1000;
  const again = response.status === 429 || response.status >= 500;
  throw new ApiError(sentence(answer?.error?.message ?? `The server answered ${response.status}`), response.status, again ? wait || 1000 : null);
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
}

export const api = {
  register: (name: string, password: string) => ask<Session>("POST", "/api/register", null, { name, password }),
  login: (name: string, password: string) => ask<Session>("POST", "/api/login", null, { name, password }),
  logout: (token: string) => ask<undefined>("POST", "/api/logout", token),
  rooms: (token: string) => ask<{ rooms: Room[] }>("GET", "/api/rooms", token),
  open: (token: string, name: string) => ask<Room>("POST", "/api/rooms", token, { name }),
  latest: (token: string, room: string) => ask<Page>("GET", `/api/rooms/${room}/messages`, token),
  before: (token: string, room: string, id: number) => ask<Page>("GET", `/api/rooms/${room}/messages?before=${id}`, token),
  after: (token: string, room: string, revision: number) =>
    ask<Page>("GET", `/api/rooms/${room}/messages?after=${revision}&limit=200`, token),
  post: (token: string, room: string, key: string, body: string) =>
    ask<Message>("POST", `/api/rooms/${room}/messages`, token, { key, body }),
  edit: (token: string, room: string, id: number, body: string) =>
    ask<Message>("PATCH", `/api/rooms/${room}/messages/${id}`, token, { body }),
  presence: (token: string, room: string) => ask<{ users: User[] }>("GET", `/api/rooms/${room}/presence`, token),
};
