// What the scripts of the end-to-end tests share: a Chromium, what every page has to be, and the talk with the test.
//
// A script says lines on stdout and hears lines on stdin, and the test decides what happens in between. What goes wrong is
// thrown: it ends the script with 1 and its reason on stderr.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { argv, env, exit, stdin, stdout } from "node:process";

import { chromium } from "playwright-core";

/** Where the project answers. */
export const url = argv[2];

export const DESKTOP = { width: 1280, height: 800 };
/** The narrowest phone that is still about. */
export const PHONE = { width: 360, height: 740 };

/** Nothing that a page waits for takes longer, however busy the machine. */
const PATIENCE_MS = 60_000;

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core"), "utf8");

const browsers = [];

/** A page in a browser of its own. What goes wrong inside of it is in `page.problems`. */
export async function open(size = DESKTOP) {
  const browser = await chromium.launch({
    executablePath: env.CHROMIUM,
    // In a container there is no sandbox to be had; the pages are our own.
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  browsers.push(browser);
  const context = await browser.newContext({ viewport: size, baseURL: url, locale: "en-GB", timezoneId: "UTC" });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  return page;
}

/** What every page has to be, at both sizes and in both colour schemes; a picture of each. */
export async function inspect(page, name) {
  const before = page.viewportSize();
  for (const [shape, size] of [["desktop", DESKTOP], ["phone", PHONE]]) {
    await page.setViewportSize(size);
    await fits(page, `${name}, ${shape}`);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await accessible(page, `${name}, ${shape}, ${colorScheme}`);
      await screenshot(page, `${name}-${shape}-${colorScheme}`);
    }
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  await page.setViewportSize(before);
}

/** Fails where axe finds anything. */
export async function accessible(page, name) {
  // Evaluated, not added as an element: a page's Content-Security-Policy may forbid that.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(found, [], `axe, ${name}`);
}

/** Fails where a page is wider than the window. */
export async function fits(page, name) {
  const { scrollWidth, clientWidth } = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });
  assert.ok(scrollWidth <= clientWidth, `${name}: ${scrollWidth} px wide in ${clientWidth}`);
}

export async function screenshot(page, name) {
  await page.screenshot({ path: join(env.SCREENSHOTS, `${name}.png`) });
}

/** Asks until `condition` gives something. */
export async function until(what, condition) {
  const begin = performance.now();
  for (;;) {
    const found = await condition();
    if (found) return found;
    assert.ok(performance.now() - begin < PATIENCE_MS, `waited ${PATIENCE_MS / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const heard = [];
let wake = () => undefined;
createInterface({ input: stdin })
  .on("line", (line) => {
    heard.push(line);
    wake();
  })
  // Nobody is there who could want this to go on.
  .on("close", () => exit(1));

/** Tells the test how far this is. */
export function say(line) {
  stdout.write(`${line}\n`);
}

/** Waits for the test to say something. */
export async function hear() {
  while (heard.length === 0) {
    await new Promise((resolve) => {
      wake = resolve;
    });
  }
  return heard.shift();
}

/** Runs the script; ends with its outcome. */
export async function run(script) {
  let status = 0;
  try {
    await script();
  } catch (error) {
    status = 1;
    console.error(error);
    const pages = browsers.flatMap((browser) => browser.contexts()).flatMap((context) => context.pages());
    for (const [at, page] of pages.entries()) {
      console.error(`page ${at + 1} at ${page.url()}: ${page.problems?.join("; ") || "no error of its own"}`);
      await screenshot(page, `failed-${at + 1}`).catch(console.error);
    }
  }
  await Promise.allSettled(browsers.map((browser) => browser.close()));
  exit(status);
}
