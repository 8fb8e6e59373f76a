// One Chromium for a file of tests, pages of signed-in people, and what no page may do: ask another origin, break the
// policy of its own headers, run what somebody wrote into a text.

import { spawnSync } from "node:child_process";
import { chromium } from "playwright-core";

export const origin = process.env.HEADROOM_ORIGIN;
export const password = "a password for the browser tests";
export const people = ["admin", "north", "anna", "reader"];

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

export async function launch() {
  return chromium.launch({ executablePath, headless: true, args });
}

/** A page, signed in as this person, or as nobody. `page.complaints` gathers what it may not do. */
export async function open(browser, name, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.complaints = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith("data:")) {
      page.complaints.push(`asks ${request.url()}`);
    }
  });
  page.on("console", (message) => {
    // A refused sign-in is an answer like any other; Chromium notes every status of 400 and above.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(`script: ${error.message}`));
  page.on("dialog", (dialog) => {
    page.complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  if (name) await signIn(page, name);
  return page;
}

export async function signIn(page, name, secret = password) {
  // A machine that builds at the same time is slow: what waits for a page has patience, what measures has none.
  page.setDefaultTimeout(90_000);
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(secret);
  await Promise.all([page.waitForNavigation(), page.getByRole("button", { name: "Sign in" }).click()]);
}

/** What SQL says, as superuser: one array of columns a row. */
export function sql(text) {
  const answer = spawnSync(process.env.HEADROOM_PSQL, { input: text, encoding: "utf8" });
  if (answer.status !== 0) throw new Error(answer.stderr);
  return answer.stdout.trimEnd().split("\n").filter(Boolean).map((line) => line.split("|"));
}

/** The key of the unit whose name begins so. */
export function unitId(name) {
  return sql(`select unit_id from fleet.units where name like '${name} %'`)[0][0];
}
