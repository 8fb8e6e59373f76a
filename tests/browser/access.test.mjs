// Who may see and do what: sessions, headers, other people's keys, other sites' forms.

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { launch, open, origin, people, sql, unitId } from "./session.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(async () => browser?.close());

const everyPath = (unit, offer, customer) => [
  `/units/${unit}`,
  `/units/${unit}?resource=capacity`,
  `/units/${unit}/ask`,
  `/api/v1/units/${unit}`,
  `/api/v1/units/${unit}/forecast`,
  `/api/v1/units/${unit}/plan`,
  `/offers/${offer}`,
  `/portal?unit=${unit}`,
  ["post", `/units/${unit}/ask`, {}],
  ...["approve", "send", "withdraw", "accept", "decline"].map((step) => ["post", `/offers/${offer}/${step}`, { state: "drafted" }]),
  ["post", `/portal/${customer}/sales`, { granted: "true" }],
];

it("what belongs to others is not there, on any route", async () => {
  const unitOfB = unitId("B-dated");
  const [[offerOfB]] = sql("select offer_id from fleet.offers join fleet.customers using (customer_id) where reference = 'CB'");
  const [[customerB]] = sql("select customer_id from fleet.customers where reference = 'CB'");
  const before = sql("select * from fleet.offers order by 1; select count(*) from fleet.consents");
  for (const name of ["north", "anna"]) {
    const page = await open(browser, name);
    for (const entry of everyPath(unitOfB, offerOfB, customerB)) {
      const [method, path, form] = Array.isArray(entry) ? entry : ["get", entry];
      const answer = await page.request[method](origin + path, { form, maxRedirects: 0, headers: { origin } });
      const body = await answer.text();
      const what = `${name} ${method} ${path}: ${answer.status()}`;
      // The address of an answer that is reloaded leads to the unit, which is not there.
      const refused = [404, 403].includes(answer.status()) || (method === "get" && path.endsWith("/ask") && answer.status() === 303);
      assert.ok(refused, what);
      if (!path.startsWith("/portal")) assert.notEqual(answer.status(), 403, `${what}: a 403 tells that it exists`);
      assert.ok(!body.includes("Customer-B") && !body.includes("B-dated"), what);
    }
    await page.context().close();
  }
  assert.deepEqual(sql("select * from fleet.offers order by 1; select count(*) from fleet.consents"), before);
});

it("a unit without the sales purpose is the customer's and the admin's to see, not a representative's", async () => {
  const unit = unitId("C-dated");
  for (const [name, status] of [["north", 404], ["south", 404], ["anna", 404], ["admin", 200], ["reader", 200]]) {
    const page = await open(browser, name);
    assert.equal((await page.request.get(`${origin}/units/${unit}`)).status(), status, name);
    await page.context().close();
  }
});

it("a reader sees no names or addresses of people, and no offers", async () => {
  const page = await open(browser, "reader");
  for (const path of ["/", `/units/${unitId("A-dated")}`, "/accuracy", "/catalogue", `/api/v1/units/${unitId("A-dated")}`]) {
    const text = await (await page.request.get(origin + path)).text();
    assert.ok(!text.includes("Person-A") && !text.includes("@customer.example"), path);
  }
  assert.equal((await page.request.get(`${origin}/offers`)).status(), 403);
  await page.context().close();
});

it("pages of a role are closed to the others", async () => {
  for (const name of people) {
    const page = await open(browser, name);
    for (const path of ["/health", "/unmatched"]) {
      assert.equal((await page.request.get(origin + path)).status(), name === "admin" ? 200 : 403, `${name} ${path}`);
    }
    await page.context().close();
  }
});

it("nobody is led to the sign-in, machines are told", async () => {
  const page = await open(browser, null);
  const answer = await page.request.get(`${origin}/units/1?resource=load`, { maxRedirects: 0 });
  assert.equal(answer.status(), 303);
  assert.equal(answer.headers().location, "/sign-in?next=/units/1%3Fresource%3Dload");
  const machine = await page.request.get(`${origin}/api/v1/units`);
  assert.equal(machine.status(), 401);
  assert.equal(machine.headers()["content-type"], "application/problem+json");
  assert.match((await machine.json()).request, /^[0-9a-f-]{36}$/);
  const named = await page.request.get(`${origin}/api/v1/units`, {
    headers: { authorization: `Basic ${Buffer.from("anna:a password for the browser tests").toString("base64")}` },
  });
  assert.equal(named.status(), 200);
  assert.ok((await named.json()).units.every((unit) => unit.customer.startsWith("Customer-A")));
  await page.context().close();
});

it("every answer carries the headers that keep others out", async () => {
  const page = await open(browser, "admin");
  for (const path of ["/", "/sign-in", "/no-such-page", "/api/v1/units", "/healthz"]) {
    const headers = (await page.request.get(origin + path)).headers();
    assert.match(headers["content-security-policy"], /^default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'/, path);
    assert.equal(headers["x-content-type-options"], "nosniff", path);
    assert.equal(headers["x-frame-options"], "DENY", path);
    assert.equal(headers["cache-control"], "no-store", path);
    assert.ok(headers["x-request-id"], path);
  }
  const [cookie] = await page.context().cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, "Lax", "/"]);
  await page.context().close();
});

it("a form that another site sends changes nothing", async () => {
  const page = await open(browser, "admin");
  for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }, { origin: "null" }]) {
    const answer = await page.request.post(`${origin}/sign-out`, { headers, maxRedirects: 0 });
    assert.equal(answer.status(), 403, JSON.stringify(headers));
  }
  assert.equal((await page.request.get(`${origin}/health`)).status(), 200, "still signed in");
  await page.context().close();
});

it("after signing out the cookie opens nothing", async () => {
  const page = await open(browser, "north");
  const cookies = await page.context().cookies();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/sign-in/);
  await page.context().addCookies(cookies);
  assert.equal((await page.request.get(origin, { maxRedirects: 0 })).status(), 303);
  await page.context().close();
});

it("a path of another site is not gone to after signing in", async () => {
  for (const next of ["//evil.example", "https://evil.example", "/\\evil.example"]) {
    const page = await open(browser, null);
    await page.goto(`${origin}/sign-in?next=${encodeURIComponent(next)}`);
    await page.getByLabel("Name").fill("reader");
    await page.getByLabel("Password").fill("a password for the browser tests");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(`${origin}/`);
    await page.context().close();
  }
});

it("wrong passwords, disabled people and the unknown look the same, and the sixth attempt waits", async () => {
  const page = await open(browser, null);
  const attempt = (name, password) => page.request.post(`${origin}/sign-in`, { form: { name, password }, maxRedirects: 0 });
  const refused = async (name, password) => {
    const answer = await attempt(name, password);
    assert.equal(answer.status(), 401, name);
    return (await answer.text()).match(/role="alert">([^<]*)/)[1];
  };
  const told = new Set([
    await refused("bert", "wrong"),
    await refused("nobody-of-this-name", "wrong"),
    await refused("gone", "a password for the browser tests"),
    await refused("a\u0000b", "x".repeat(3000)),
  ]);
  assert.equal(told.size, 1);
  for (let number = 0; number < 4; number += 1) await refused("bert", "wrong");
  const waiting = await attempt("bert", "a password for the browser tests");
  assert.equal(waiting.status(), 429);
  assert.ok(Number(waiting.headers()["retry-after"]) > 0);
  await page.context().close();
});
