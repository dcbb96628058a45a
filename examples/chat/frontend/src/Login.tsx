import { type FormEvent, useState } from "react";

import { api, type Session } from "./api";

export function Login({ onLogin }: { onLogin: (session: Session) => void }) {
  const [isNew, setIsNew] = useState(false);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      onLogin(await (isNew ? api.register(name, password) : api.login(name, password)));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "Something went wrong.");
      setBusy(false);
    }
  }

  return (
    <main className="login">
      <form onSubmit={submit} aria-labelledby="login-title">
        <h1 id="login-title">{isNew ? "Create an account" : "Log in to the chat"}</h1>
        <label>
          Name
          <input
            name="name"
            value={name}
            onChange={(event) => setName(event.target.value)}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            minLength={3}
            maxLength={32}
            required
          />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            value={password}
            onChange={(event) => setPassword(event.target.value)}
            autoComplete={isNew ? "new-password" : "current-password"}
            minLength={8}
            maxLength={128}
            aria-describedby={isNew ? "password-rule" : undefined}
            required
          />
        </label>
        {isNew && <p id="password-rule">At least 8 characters.</p>}
        <p className="problem" role="alert">
          {problem}
        </p>
        <button type="submit" className="primary" disabled={busy}>
          {isNew ? "Create account" : "Log in"}
        </button>
        <button
          type="button"
          className="link"
          onClick={() => {
            setIsNew(!isNew);
            setProblem(null);
          }}
        >
          {isNew ? "I have an account" : "I am new here"}
        </button>
      </form>
    </main>
  );
}
