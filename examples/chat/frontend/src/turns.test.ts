import { describe, expect, it } from "vitest";

import { Turns } from "./turns";

interface Turn {
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Work whose turns end when they are told to. */
function held() {
  const all = new Turns();
  const turns: Turn[] = [];
  const work = () => new Promise<void>((resolve, reject) => void turns.push({ resolve, reject }));
  return { turns, ask: () => all.take(work) };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("work in turns", () => {
  it("is done once more for those who ask while it is done", async () => {
    const { turns, ask } = held();
    let answered = 0;
    const answers = [ask(), ask(), ask()].map((answer) => answer.then(() => (answered += 1)));
    expect(turns.length).toBe(1);
    turns[0]?.resolve();
    await settled();
    expect(turns.length).toBe(2);
    expect(answered).toBe(0);
    turns[1]?.resolve();
    await Promise.all(answers);
    expect(turns.length).toBe(2);
  });

  it("is not done again when nobody asks", async () => {
    const { turns, ask } = held();
    const first = ask();
    turns[0]?.resolve();
    await first;
    expect(turns.length).toBe(1);
    const second = ask();
    expect(turns.length).toBe(2);
    turns[1]?.resolve();
    await second;
    expect(turns.length).toBe(2);
  });

  it("tells everybody of a turn that failed, and goes on when asked again", async () => {
    const { turns, ask } = held();
    const answers = [ask(), ask()];
    turns[0]?.reject(new Error("gone"));
    for (const answer of await Promise.allSettled(answers)) {
      expect(answer.status).toBe("rejected");
    }
    expect(turns.length).toBe(1);
    const later = ask();
    turns[1]?.resolve();
    await later;
    expect(turns.length).toBe(2);
  });
});
