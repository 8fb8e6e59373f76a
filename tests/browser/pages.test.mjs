// Every page as every role, in two themes and at three widths.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { launch, open, origin, people, sql, unitId } from "./session.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const widths = [1440, 820, 320];
let browser;
before(async () => {
  browser = await launch();
});
after(async () => browser?.close());

/** The pages that a role's own navigation and lists lead to. */
function pagesOf(name) {
  const offer = (customer, state) =>
    sql(`select offer_id from fleet.offers join fleet.customers using (customer_id) where reference = '${customer}' and state = '${state}'`)[0][0];
  const units = ["A-dated", "A-full", "A-beyond", "A-young", "A-silent"].map((unit) => `/units/${unitId(unit)}`);
  const common = ["/", "/?q=dated&sort=full&dir=desc", "/?q=nothing-is-called-so", "/accuracy", ...units, "/no-such-page"];
  const offers = ["/offers", ...["drafted", "sent", "accepted"].map((state) => `/offers/${offer("CA", state)}`)];
  switch (name) {
    case "admin": return [...common, ...offers, "/catalogue", "/health", "/unmatched", "/portal"];
    case "north": return [...common, ...offers, "/catalogue"];
    case "anna": return [...common, "/offers", `/offers/${offer("CA", "sent")}`, "/portal", `/portal?unit=${unitId("A-dated")}`];
    case "reader": return [...common, "/catalogue"];
  }
}

async function violations(page) {
  // The policy of the page forbids scripts from outside; the checker comes in by the debugger, as a person's extension would.
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html).join(" ; ")}`);
}

for (const name of people) {
  describe(`as ${name}`, () => {
    for (const colorScheme of ["light", "dark"]) {
      it(`every page is accessible, asks no other origin and runs no foreign script (${colorScheme})`, async () => {
        const page = await open(browser, name, { colorScheme });
        for (const path of pagesOf(name)) {
          for (const width of colorScheme === "light" ? widths : [1440]) {
            await page.setViewportSize({ width, height: 900 });
            const answer = await page.goto(origin + path);
            assert.equal(answer.status(), path === "/no-such-page" ? 404 : 200, `${path} for ${name}`);
            assert.deepEqual(await violations(page), [], `${path} at ${width}`);
            assert.equal(await page.evaluate(() => globalThis.xss), undefined, `${path} runs what is written in a text`);
            const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
            assert.ok(overflow <= 1, `${path} at ${width} is ${overflow} pixels too wide`);
          }
        }
        assert.deepEqual(page.complaints, []);
        await page.context().close();
      });
    }
  });
}

it("the sign-in is accessible and asks no other origin", async () => {
  const page = await open(browser, null);
  await page.goto(`${origin}/sign-in?next=/units/1`);
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

it("without a script every page still shows its figures", async () => {
  const page = await open(browser, "north", { javaScriptEnabled: false });
  await page.goto(`${origin}/`);
  assert.ok((await page.locator("tbody tr").count()) >= 5);
  await page.getByLabel("State", { exact: true }).selectOption("dated");
  await page.getByRole("button", { name: "Apply" }).click();
  assert.equal(await page.locator("tbody tr").count(), 2);
  await page.locator("a.unit-name").first().click();
  assert.ok(await page.locator("svg.fan").first().isVisible());
  assert.match(await page.locator(".headline").first().innerText(), /^Likely full on \d/);
  await page.context().close();
});

it("the canary would be noticed", async () => {
  const page = await open(browser, null);
  // A page without the policy that keeps it from running.
  await page.goto("about:blank");
  await page.setContent(`<script>window.xss=1</script>`);
  assert.equal(await page.evaluate(() => globalThis.xss), 1);
  await page.context().close();
});
