// Somebody with a list of tasks: an account, a task that Celery completes, a file.

import assert from "node:assert/strict";

import { hear, inspect, open, run, say } from "./browser.mjs";

const NAME = "carla";
const PASSWORD = "correct horse battery";
const FILE = "What a ship needs: rope, tar, patience.\n";

const main = (page) => page.getByRole("main");

run(async () => {
  const page = await open();
  const failed = [];
  page.on("response", (response) => {
    if (response.status() >= 400 && response.status() !== 422) failed.push(`${response.status()} ${response.url()}`);
  });

  // Nobody sees a task without an account.
  await page.goto("/");
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await inspect(page, "login");
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByLabel("Username").fill(NAME);
  await page.getByLabel("Password:", { exact: true }).fill(PASSWORD);
  await page.getByLabel("Password confirmation").fill("another one");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByText("The two password fields").first().waitFor();
  await inspect(page, "register-refused");
  await page.getByLabel("Password:", { exact: true }).fill(PASSWORD);
  await page.getByLabel("Password confirmation").fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByText("There are none yet.").waitFor();

  // A task, which the page shows as done without being asked again. What looks like code is text.
  await page.getByLabel("Title").fill("<b>Provisions</b>");
  await page.getByLabel("Notes").fill("five words are in here");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByRole("heading", { name: "<b>Provisions</b>" }).waitFor();
  await main(page).getByText("5 words, 0 bytes in files").waitFor();
  await main(page).getByText("done", { exact: true }).waitFor();
  await inspect(page, "task-done");

  // A file, read back by its address; one that a browser would run is refused.
  await page.getByLabel("File").setInputFiles({ name: "evil.html", mimeType: "text/html", buffer: Buffer.from("<script>alert(1)</script>") });
  await page.getByRole("button", { name: "Upload" }).click();
  await page.getByText("is not allowed").waitFor();
  await page.getByLabel("File").setInputFiles({ name: "list.txt", mimeType: "text/plain", buffer: Buffer.from(FILE) });
  await page.getByRole("button", { name: "Upload" }).click();
  const link = page.getByRole("link", { name: "list.txt" });
  await link.waitFor();
  await page.getByRole("button", { name: "Do it again" }).click();
  await main(page).getByText(`5 words, ${FILE.length} bytes in files`).waitFor();
  await inspect(page, "task-with-file");
  const media = await link.getAttribute("href");
  const answer = await page.request.get(media);
  assert.equal(await answer.text(), FILE);
  assert.equal(answer.headers()["x-content-type-options"], "nosniff");
  say(`uploaded ${media}`);

  // What was done is there in the next release, whatever served it before.
  assert.equal(await hear(), "released");
  await page.goto("/");
  await page.getByRole("link", { name: "<b>Provisions</b>" }).click();
  await main(page).getByText("done", { exact: true }).waitFor();
  await page.goto("/");
  await inspect(page, "tasks");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  assert.deepEqual(failed, []);
  assert.deepEqual(page.problems, []);
});
