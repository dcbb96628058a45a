import { useCallback, useState } from "react";

import { api, type Session } from "./api";
import { Chat } from "./Chat";
import { Login } from "./Login";

const KEPT = "chat.session";

function kept(): Session | null {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "null") as Session | null;
  } catch {
    return null;
  }
}

export function App() {
  const [session, setSession] = useState(kept);

  const begin = useCallback((session: Session) => {
    localStorage.setItem(KEPT, JSON.stringify(session));
    setSession(session);
  }, []);
  const forget = useCallback(() => {
    localStorage.removeItem(KEPT);
    setSession(null);
  }, []);
  const logout = useCallback(() => {
    // Whether the server hears it or not, here it is over.
    if (session) api.logout(session.token).catch(() => undefined);
    forget();
  }, [session, forget]);

  return session ? <Chat key={session.token} session={session} onLogout={logout} onRefused={forget} /> : <Login onLogin={begin} />;
}
