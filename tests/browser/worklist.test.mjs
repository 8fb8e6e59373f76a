// The worklist: order, filters, fresh figures, figures equal to SQL's.

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { launch, open, origin, sql, unitId } from "./session.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(async () => browser?.close());

async function names(page) {
  const all = await page.locator("tbody a.unit-name").allInnerTexts();
  return all.map((name) => name.split(" ")[0]);
}

it("rows are sorted by the last day to order, what needs no order comes last", async () => {
  const page = await open(browser, "admin");
  const expected = sql(`
    select u.name from fleet.units u left join fleet.plans p on p.unit_id = u.unit_id and p.chosen
     where p.order_by is not null order by p.order_by`).map(([name]) => name.split(" ")[0]);
  assert.deepEqual((await names(page)).slice(0, expected.length), expected);
  assert.equal((await names(page)).length, 10);
  await page.getByRole("link", { name: "Order by" }).click();
  await page.waitForURL(/dir=desc/);
  assert.deepEqual((await names(page)).slice(0, expected.length), expected.toReversed());
  assert.equal(await page.locator('th[aria-sort="descending"]').innerText(), "Order by ↓");
  await page.context().close();
});

it("search and filters narrow the table, and say what they leave out", async () => {
  const page = await open(browser, "admin");
  await page.getByLabel("Search").fill("customer-b");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/q=customer-b/);
  assert.deepEqual((await names(page)).toSorted(), ["B-dated", "B-flat"]);
  await page.goto(`${origin}/?state=already_exhausted`);
  assert.deepEqual(await names(page), ["A-full"]);
  await page.goto(`${origin}/?q=${encodeURIComponent("nothing 100% of _")}`);
  assert.match(await page.locator(".empty").innerText(), /None of 10 units match/);
  assert.equal((await page.goto(`${origin}/?state=happy`)).status(), 400);
  await page.context().close();
});

it("changed used bytes appear within a polling interval, without a reload", async () => {
  const page = await open(browser, "north");
  const unit = unitId("A-dated");
  await page.goto(`${origin}/`);
  await page.evaluate(() => { globalThis.notReloaded = true; });
  const used = page.locator(`#unit-${unit} [data-used]`);
  const fresh = 18_123_456_789_000;
  assert.notEqual(await used.getAttribute("data-used"), String(fresh));
  sql(`insert into fleet.status (component_id, at, capacity_bytes, used_bytes, used_source)
       select component_id, now(), 20000000000000, ${fresh}, 'array_pool' from fleet.components where unit_id = ${unit} and kind = 'pool'`);
  await page.waitForFunction(
    ([id, value]) => document.querySelector(`#unit-${id} [data-used]`)?.dataset.used === value,
    [unit, String(fresh)],
    { timeout: 10_000 },
  );
  assert.equal(await page.evaluate(() => globalThis.notReloaded), true);
  assert.match(await used.innerText(), /TiB|TB/);
  await page.context().close();
});

it("page, REST and SQL give the same figures to the last digit", async () => {
  const page = await open(browser, "admin");
  const unit = unitId("A-soon");
  const [[p10, p50, p90]] = sql(`
    set timezone = 'UTC'; select to_char(p10, 'YYYY-MM-DD"T"HH24:MI:SS.US'), to_char(p50, 'YYYY-MM-DD"T"HH24:MI:SS.US'),
           to_char(p90, 'YYYY-MM-DD"T"HH24:MI:SS.US') from fleet.forecasts f join fleet.components using (component_id)
      join fleet.forecast_runs r on r.run_id = f.run_id and r.is_current where unit_id = ${unit}`);
  // Trailing zeros of a fraction mean nothing.
  const same = (text) => `${text.replace(/0+$/, "").replace(/\.$/, "")}Z`;
  const title = await page.locator(`#unit-${unit} [title^="P10"]`).getAttribute("title");
  assert.equal(title, `P10 ${same(p10)}, P50 ${same(p50)}, P90 ${same(p90)}`);
  const answer = await page.request.get(`${origin}/api/v1/units/${unit}/forecast`);
  assert.equal(answer.status(), 200);
  const [forecast] = (await answer.json()).forecasts;
  assert.deepEqual([forecast.p10, forecast.p50, forecast.p90], [same(p10), same(p50), same(p90)]);
  await page.context().close();
});

it("the spreadsheet has the rows of the filter and no formula", async () => {
  const page = await open(browser, "north");
  const answer = await page.request.get(`${origin}/units.csv?state=dated`);
  assert.match(answer.headers()["content-disposition"], /^attachment; filename="headroom-units-\d{4}-\d\d-\d\d\.csv"$/);
  const text = await answer.text();
  assert.equal(text.trimEnd().split("\r\n").length, 3);
  assert.ok(!/(^|,)"?[=+@-]/m.test(text.replace(/,-?\d[^,]*/g, ",0")), text);
  await page.context().close();
});

it("keys lead through the rows", async () => {
  const page = await open(browser, "north");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const [, second] = await names(page);
  assert.equal((await page.evaluate(() => document.activeElement.textContent)).split(" ")[0], second);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/units\/\d+$/);
  await page.keyboard.press("w");
  await page.waitForURL(`${origin}/`);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "q");
  await page.context().close();
});
