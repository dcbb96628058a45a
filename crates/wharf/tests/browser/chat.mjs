// Two people in the chat, each in a browser of their own.

import assert from "node:assert/strict";

import { PHONE, accessible, fits, hear, inspect, open, run, say, screenshot, until } from "./browser.mjs";

/** How often each of them writes: less often than anybody may. */
const PACE_MS = 500;
/** What each says in a row to prove that it is heard. */
const ROW = 3;
const PASSWORD = "correct horse battery";

/** Somebody with a browser who writes numbered messages. */
class Person {
  constructor(name, page) {
    this.name = name;
    this.page = page;
    this.said = [];
  }

  get bodies() {
    return this.page.locator(".messages li:not(.draft) .body");
  }

  async register() {
    await this.page.goto("/");
    await this.page.getByRole("button", { name: "I am new here" }).click();
    await this.logIn("Create account");
    await this.connected();
  }

  async logIn(button, password = PASSWORD) {
    await this.page.getByLabel("Name").fill(this.name);
    await this.page.getByLabel("Password").fill(password);
    await this.page.getByRole("button", { name: button }).click();
  }

  async connected() {
    await this.page.locator('.state[data-state="connected"]').waitFor();
  }

  async say(body) {
    this.said.push(body);
    const field = this.page.locator('textarea[name="message"]');
    await field.fill(body);
    await field.press("Enter");
  }

  /** The texts of all messages that are shown, without those that are not acknowledged. */
  shown() {
    return this.bodies.allInnerTexts();
  }

  async sees(body) {
    await this.bodies.getByText(body, { exact: true }).waitFor();
  }

  /** Everything that was said here is acknowledged. */
  async settled() {
    await until(`all of ${this.name}'s messages to be acknowledged`, async () => (await this.page.locator(".draft").count()) === 0);
  }

  /** Writes until it is told to stop; whoever wants to do something between two messages says so. */
  talk() {
    let stopped = false;
    let between = [];
    const talking = (async () => {
      while (!stopped) {
        for (const act of between.splice(0)) await act();
        await this.say(`${this.name} ${this.said.length}`);
        await new Promise((resolve) => setTimeout(resolve, PACE_MS));
      }
    })();
    // Found out where it is awaited.
    talking.catch(() => undefined);
    this.between = (act) => new Promise((resolve, reject) => between.push(() => act().then(resolve, reject)));
    this.fallSilent = () => {
      stopped = true;
      return talking;
    };
  }

  /** The room's history, from the API. */
  history() {
    return this.page.evaluate(async () => {
      const headers = { authorization: `Bearer ${JSON.parse(localStorage.getItem("chat.session")).token}` };
      const { rooms } = await (await fetch("/api/rooms", { headers })).json();
      const room = rooms.find((room) => room.name === "general");
      const messages = [];
      for (let more = true, before = ""; more; before = `?before=${messages[0].id}`) {
        const page = await (await fetch(`/api/rooms/${room.id}/messages${before}`, { headers })).json();
        messages.unshift(...page.messages);
        more = page.more;
      }
      return messages.map((message) => message.body);
    });
  }

  /** Reads on backwards until there is nothing older. */
  async readAll() {
    const older = this.page.getByRole("button", { name: "Older messages" });
    while ((await older.count()) > 0) {
      const before = await this.bodies.count();
      await older.click();
      await until("older messages", async () => (await this.bodies.count()) > before);
    }
  }
}

/** Somebody who comes for the first time again and again: every time the page and its parts have to be of one release. */
async function visit() {
  const page = await open();
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Network.setCacheDisabled", { cacheDisabled: true });
  let stopped = false;
  let count = 0;
  const failed = [];
  page.on("response", (response) => {
    if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`);
  });
  const visiting = (async () => {
    for (; !stopped; count += 1) {
      await page.goto("/");
      await page.getByRole("button", { name: "Log in" }).waitFor({ timeout: 10_000 });
    }
  })().catch((error) => failed.push(String(error)));
  return async () => {
    stopped = true;
    await visiting;
    await page.context().browser().close();
    assert.deepEqual(failed, [], `what failed in ${count} visits`);
    assert.ok(count > 0);
  };
}

run(async () => {
  const [anna, ben] = [new Person("anna", await open()), new Person("ben", await open())];
  const both = [anna, ben];

  // The way in.
  await anna.page.goto("/");
  await inspect(anna.page, "login");
  await anna.logIn("Log in", "not the password");
  await anna.page.getByText("The name or the password is wrong.").waitFor();
  await inspect(anna.page, "login-refused");
  await anna.page.getByRole("button", { name: "I am new here" }).click();
  await inspect(anna.page, "register");
  await Promise.all(both.map((person) => person.register()));
  await inspect(anna.page, "room-empty");

  // Messages both ways. What looks like code is text.
  await anna.say("Hello Ben, are you there?");
  await ben.sees("Hello Ben, are you there?");
  await ben.say("I am: what is new?");
  await anna.sees("I am: what is new?");
  await anna.say('<img src=x onerror="document.title=`owned`"> <b>bold</b>');
  await ben.sees(anna.said.at(-1));
  await ben.say(`A long one: https://example.com/${"anchor-".repeat(30)}\n\nand a second paragraph, which is long enough to be broken into lines.`);
  await anna.bodies.filter({ hasText: "A long one:" }).waitFor();
  assert.equal(await ben.page.title(), "Chat");

  // A room with the longest name there may be.
  const name = `harbour${"-master".repeat(6)}!`;
  await ben.page.getByLabel("New room").fill(name);
  await ben.page.getByRole("button", { name: "Open" }).click();
  await ben.page.getByRole("heading", { name }).waitFor();
  await inspect(ben.page, "room-long-name");
  await ben.page.getByRole("button", { name: "general" }).click();

  // A reload finds the history.
  for (const person of both) {
    const before = await person.shown();
    assert.equal(before.length, 4);
    await person.page.reload();
    await person.connected();
    await person.sees(anna.said[0]);
    assert.deepEqual(await person.shown(), before);
  }
  // On a phone the list of rooms and the form that changes a message are in the way of nothing.
  await anna.page.getByRole("button", { name: /^Edit: Hello/ }).click();
  await inspect(anna.page, "room-editing");
  await anna.page.keyboard.press("End");
  await anna.page.keyboard.type(" (I am.)");
  await anna.page.getByRole("button", { name: "Save" }).click();
  anna.said[0] += " (I am.)";
  await ben.sees(anna.said[0]);
  await inspect(anna.page, "room");
  const phone = anna.page;
  await phone.setViewportSize(PHONE);
  await phone.getByRole("button", { name: "Rooms" }).click();
  await fits(phone, "the rooms on a phone");
  await accessible(phone, "the rooms on a phone");
  await screenshot(phone, "rooms-phone");
  await phone.getByRole("button", { name: "general" }).click();

  // A socket that is never there: what was said can be read, and the indicator says why nothing comes.
  const alone = await ben.page.context().newPage();
  await alone.routeWebSocket(/\/ws$/, (socket) => socket.close());
  await alone.goto("/");
  await alone.locator('.state[data-state="reconnecting"]').waitFor();
  await alone.getByText(anna.said[0], { exact: true }).waitFor();
  await inspect(alone, "room-reconnecting");
  await alone.close();

  // From here on one is on a phone, and both write all the time.
  both.forEach((person) => person.talk());
  let visited = await visit();
  say("talking");
  const answers = {
    "released frontend": async () => {
      await visited();
      for (const person of both) {
        await person.between(async () => {
          await person.page.reload();
          await person.connected();
          await person.sees(person.said.at(-1));
          assert.equal(await person.page.locator("textarea").getAttribute("placeholder"), "Go on");
        });
      }
      visited = null;
      await heard(both);
      say("talking after frontend");
    },
    "released backend": async () => {
      await heard(both);
      say("talking after backend");
    },
    "released websocket": async () => {
      await until("each to have lost and found the socket", async () => (await lost(both)).every((lost) => lost));
      await heard(both);
      say("talking after websocket");
    },
    watch: async () => {
      await Promise.all(both.map((person) => person.connected()));
      for (const person of both) {
        await person.page.evaluate(() => {
          const state = document.querySelector(".state");
          window.states = [state.dataset.state];
          new MutationObserver(() => window.states.push(state.dataset.state)).observe(state, { attributeFilter: ["data-state"] });
        });
      }
      say("watching");
    },
    killed: async () => {
      await until("somebody to lose and to find the socket", async () => (await lost(both)).some((lost) => lost));
      await Promise.all(both.map((person) => person.connected()));
      await heard(both);
      say("connected again");
    },
  };
  for (let told = await hear(); told !== "end"; told = await hear()) {
    await answers[told]();
  }

  // Everything that was written is there once, in the same order for all, and each one's in the order of writing.
  await Promise.all(both.map((person) => person.fallSilent()));
  await Promise.all(both.map((person) => person.settled()));
  await anna.sees(ben.said.at(-1));
  await ben.sees(anna.said.at(-1));
  await Promise.all(both.map((person) => person.readAll()));
  const stored = await anna.history();
  assert.deepEqual([...stored].sort(), [...anna.said, ...ben.said].sort(), "what is stored is what was written");
  for (const person of both) {
    assert.deepEqual(await person.shown(), stored, `what ${person.name} sees is what is stored`);
    assert.deepEqual(stored.filter((body) => person.said.includes(body)), person.said, `${person.name}'s are in their order`);
    assert.deepEqual(person.page.problems, []);
  }
  await inspect(ben.page, "room-after-releases");
  say(`${anna.said.length} messages of anna and ${ben.said.length} of ben: each once, in both browsers and in the history`);
});

/** Whether the indicator told each that the socket was lost, and that there is one again. */
function lost(both) {
  return Promise.all(
    both.map((person) => person.page.evaluate(() => window.states.includes("reconnecting") && window.states.at(-1) === "connected")),
  );
}

/** Each has been heard by the other, a few times. */
async function heard(both) {
  const [anna, ben] = both;
  for (const [speaker, hearer] of [[anna, ben], [ben, anna]]) {
    const from = speaker.said.length;
    await until(`${speaker.name} to say more`, () => speaker.said.length >= from + ROW);
    await hearer.sees(speaker.said[from + ROW - 1]);
  }
}
