/**
 * The dashboard in a browser, under its own policy: live traffic, saturation, ends of connections, a program that goes and
 * comes back; by keyboard, on small and large screens, in the light and in the dark. Pictures are kept in test-results/.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type net from "node:net";
import { after, type TestContext, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { serveDashboard } from "../../src/dashboard/index.ts";
import { limits } from "../../src/dashboard/messages.ts";
import type { Client } from "../../src/index.ts";
import {
  axeViolations,
  keepPicture,
  openPage,
  startBrowser,
  untilNoWider,
  untilText,
} from "../support/browser.ts";
import { makeClient } from "../support/client-kit.ts";
import { type Listening, lookupOf, outcomeOf, plainServer } from "../support/loopback.ts";
import { deadPort } from "../support/raw-server.ts";
import { programFile } from "../support/root.ts";
import { extent } from "../support/thorough.ts";

let browser: Browser | null = null;
after(() => browser?.close());

/** The page under its own policy, as people have it. */
const asItIs = { bypassCSP: false };

interface Shop {
  readonly client: Client;
  readonly server: Listening;
  readonly url: string;
  send(lane: "checkout" | "reports", delayMsecs: number): Promise<number | string>;
}

/** A service with two lanes, of which one is narrow, some traffic in the other one, and its dashboard. */
async function openShop(t: TestContext): Promise<Shop> {
  const server = await plainServer(t, (request, response) => {
    const delay = Number(/delay=(\d+)/.exec(request.url ?? "")?.[1]);
    setTimeout(() => response.end("ok"), delay);
  });
  const lanes = { checkout: { weight: 8, reservedSockets: 2 }, reports: { maxSockets: 2 } };
  const client = makeClient(t, {
    services: { shop: { origins: [server.origin], maxSockets: 8, lanes } },
  });
  const { url, close } = await serveDashboard(client);
  t.after(close);
  const send: Shop["send"] = (lane, delay) =>
    outcomeOf(client.request(`${server.origin}/${lane}?delay=${delay}`, { lane }));
  const traffic = setInterval(() => void send("checkout", 8), 30);
  t.after(() => clearInterval(traffic));
  return { client, server, url, send };
}

/** Saturates the narrow lane. Returns after how many ms the page shows it, with advice. */
async function saturate(page: Page, send: Shop["send"]): Promise<number> {
  const began = performance.now();
  // More than are answered before it is seen, also on a busy machine.
  for (let count = 0; count < 400; count++) void send("reports", 100);
  await untilText(page, '[data-saturated="shop reports"]', /Raise maxSockets of lane reports/);
  return Math.round(performance.now() - began);
}

test("it shows live traffic, and a saturated lane with advice within two seconds", async (t) => {
  browser ??= await startBrowser(t);
  if (browser === null) return;
  const { url, server, send } = await openShop(t);
  const { page, complaints } = await openPage(browser, url, {
    ...asItIs,
    viewport: { width: 1_600, height: 1_000 },
  });
  await untilText(page, ".state.live", /^Live$/);
  await untilText(page, '[data-figure="requests"] strong', /[1-9]/);
  await untilText(page, `[data-pool="${server.origin}"] [data-cell="requests"]`, /[1-9]/);
  await untilText(page, "[data-idle-window]", /5 s is used/);
  await page.getByText("Table of connections").click();
  await untilText(page, "[data-lines] tbody tr", /idle|busy/);

  let seenAfter = await saturate(page, send);
  // Something else may have held the browser up: it is as good elsewhere.
  for (let again = 0; again < 2 && seenAfter > 2_000; again++) {
    t.diagnostic(`once more, as saturation was seen after ${seenAfter} ms`);
    const shop = await openShop(t);
    const other = await openPage(browser, shop.url, asItIs);
    await untilText(other.page, ".state.live", /^Live$/);
    seenAfter = await saturate(other.page, shop.send);
    await other.page.context().close();
  }
  t.diagnostic(`saturation was seen after ${seenAfter} ms`);
  assert(seenAfter <= 2_000, `${seenAfter} ms`);
  await untilText(page, '[data-lane="reports"]', /saturated/);
  await keepPicture(page, "dashboard-saturated");
  await untilText(page, '[data-note="slow"]', /waited [\d.]+ s in lane reports behind \d+/);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("why connections end and requests fail is there: by whom they were closed, and the chain of causes", async (t) => {
  browser ??= await startBrowser(t);
  if (browser === null) return;
  const { url, server, client, send } = await openShop(t);
  const { page, complaints } = await openPage(browser, url, asItIs);
  await untilText(page, '[data-figure="requests"] strong', /[1-9]/);
  await Promise.all([send("reports", 20), send("reports", 20)]);
  for (const socket of server.sockets as ReadonlySet<net.Socket>) socket.destroy();
  await untilText(page, "[data-closed]", /server-closed|socket-error/);
  await outcomeOf(client.request(`http://127.0.0.1:${await deadPort()}/gone?token=secret`));
  await untilText(
    page,
    '[data-note="failed"] .why',
    /ConnectError ERR_KEEPLINE_CONNECT.*caused by.*ECONNREFUSED/s,
  );
  assert.doesNotMatch(await page.locator("main").innerText(), /secret/);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("while many others wait no more pools are listed than are said to be, and the chosen one stays in view", async (t) => {
  browser ??= await startBrowser(t);
  if (browser === null) return;
  const server = await plainServer(t, (request, response) => {
    if (request.url !== "/held") response.end("ok");
  });
  const client = makeClient(t, {
    maxSockets: 1,
    keepAliveMsecs: 60_000,
    saturationMsecs: Number.POSITIVE_INFINITY,
    connect: { lookup: lookupOf(["127.0.0.1"]).lookup },
  });
  const { url, close } = await serveDashboard(client);
  t.after(close);
  const chosen = `http://chosen.test:${server.port}`;
  await outcomeOf(client.request(chosen));
  const { page, complaints } = await openPage(browser, url, asItIs);
  await page.getByRole("button", { name: chosen }).click();
  const more = 5;
  for (let index = 0; index < limits.pools + more; index++) {
    for (let count = 0; count < 2; count++) {
      void outcomeOf(client.request(`http://busy-${index}.test:${server.port}/held`));
    }
  }
  await untilText(
    page,
    "main",
    new RegExp(`The ${limits.pools} busiest.*; ${more + 1} more are there`),
  );
  await page.locator(`[data-pool="${chosen}"]`).waitFor({ state: "detached" });
  assert.equal(await page.locator("[data-pool]").count(), limits.pools);
  assert.match(await page.locator(".pool h2").innerText(), new RegExp(chosen));
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("it is used by keyboard and mouse: pools are chosen and filtered, time stands still, is selected and goes on", async (t) => {
  browser ??= await startBrowser(t);
  if (browser === null) return;
  const { url, server, client } = await openShop(t);
  const other = await plainServer(t);
  await outcomeOf(client.request(other.origin));
  const { page, complaints } = await openPage(browser, url, {
    ...asItIs,
    viewport: { width: 1_100, height: 900 },
  });
  await untilText(page, ".pool h2", new RegExp(server.origin));
  await page.getByRole("button", { name: other.origin }).focus();
  await page.keyboard.press("Enter");
  await untilText(page, ".pool h2", new RegExp(other.origin));
  await page.keyboard.press("/");
  await page.keyboard.type("checkout");
  await untilText(page, ".pool h2", new RegExp(server.origin));
  await page.locator("[data-pool]").nth(1).waitFor({ state: "detached" });
  await page.locator("input").fill("nothing of that name");
  await page.locator("[data-pool]").first().waitFor({ state: "detached" });
  await page.locator("input").fill("");
  await page.getByRole("button", { name: server.origin }).click();
  await page.locator("h1").click();

  await page.keyboard.press("p");
  await untilText(page, ".state", /the charts stand still/);
  const range = page.locator(".controls .range");
  const paused = await range.innerText();
  await page.keyboard.press("[");
  await range.filter({ hasNotText: paused }).waitFor();
  await page.keyboard.press("]");
  await range.filter({ hasText: paused }).waitFor();
  // Two keys before the page is drawn again, and a third that shows that both were heard.
  await page.evaluate(`
    for (const key of ["[", "]", "["]) document.dispatchEvent(new KeyboardEvent("keydown", { key }));
  `);
  await range.filter({ hasNotText: paused }).waitFor();
  await page.keyboard.press("]");
  await range.filter({ hasText: paused }).waitFor();
  await page.getByRole("button", { name: "Go on" }).click();
  await untilText(page, ".state", /^Live$/);

  // What is above the chart may grow while the mouse is on its way: then once more.
  const chart = page.locator(".u-over").first();
  for (let attempt = 0; attempt < 5 && (await range.count()) === 0; attempt++) {
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.boundingBox();
    assert(box !== null);
    await page.mouse.move(box.x + box.width * 0.6, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.9, box.y + 50, { steps: 4 });
    await page.mouse.up();
    await range.waitFor({ timeout: 5_000 }).catch(() => {});
  }
  assert.match(await range.innerText(), /^\d\d:\d\d:\d\d to \d\d:\d\d:\d\d$/);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("it advises for the chosen service, by keyboard: a pool that keeps too few idle connections is told to keep more", async (t) => {
  browser ??= await startBrowser(t);
  if (browser === null) return;
  const server = await plainServer(t, (_, response) => setTimeout(() => response.end("ok"), 12));
  const client = makeClient(t, {
    services: { shop: { origins: server.origin, maxSockets: 30, maxFreeSockets: 1 } },
  });
  const { url, close } = await serveDashboard(client);
  t.after(close);
  const traffic = setInterval(() => {
    for (let index = 0; index < 8; index++) void outcomeOf(client.request(server.origin));
  }, 80);
  t.after(() => clearInterval(traffic));
  const { page, complaints } = await openPage(browser, url, asItIs);
  const button = page.getByRole("button", { name: "Advise for shop" });
  await button.focus();
  await page.keyboard.press("Enter");
  await untilText(page, ".advice [role=status]", /^Taking traffic of shop …$/);
  await untilText(page, ".advice", /[1-9]\d\d requests/);
  await page.getByRole("button", { name: "Enough" }).focus();
  await page.keyboard.press("Enter");
  await page.locator('[data-advice="done"]').waitFor();
  const change = await page.locator('[data-change="services.shop.maxFreeSockets"]').innerText();
  const [, to] = /^services\.shop\.maxFreeSockets 1 → (\d+): churn/.exec(change) ?? [];
  assert.ok(Number(to) >= 2, change);
  assert.match(await page.locator("[data-code]").innerText(), /shop: \{[^}]*maxFreeSockets: \d/s);
  const [present, recommended] = await Promise.all(
    ["now", "recommended"].map(async (outcome) => {
      const opened = await page.locator(`[data-outcome="${outcome}"] td`).first().innerText();
      return Number(opened.replace(",", ""));
    }),
  );
  assert.ok(Number(recommended) < Number(present) / 2, `${present} → ${recommended}, ${change}`);
  assert.deepEqual(complaints, []);
  await page.setViewportSize({ width: 360, height: 900 });
  assert.deepEqual(await axeViolations(page), []);
  assert.equal(await page.evaluate<number>("document.documentElement.scrollWidth"), 360);
  await keepPicture(page, "dashboard-advice-360");
  await page.getByRole("button", { name: "Advise for shop" }).click();
  await untilText(page, ".advice", /[1-9]\d* requests/);
  await close();
  await untilText(page, ".advice .failed", /^There is no advice for shop: the program has ended$/);
  await page.getByRole("button", { name: "Advise for shop" }).click();
  await untilText(page, ".advice .failed", /There is no advice for shop: /);
  await page.context().close();
});

test("axe has nothing against it in the light, in the dark, at 360 and at 1,600 pixels, and it scrolls in one direction alone", async (t) => {
  browser ??= await startBrowser(t);
  if (browser === null) return;
  const { url, send, client } = await openShop(t);
  const { page, complaints } = await openPage(browser, url);
  await untilText(page, ".state.live", /^Live$/);
  await outcomeOf(client.request(`http://127.0.0.1:${await deadPort()}/`));
  for (let count = 0; count < 400; count++) void send("reports", 100);
  await page.locator("[data-saturated]").waitFor();
  await untilText(page, '[data-note="failed"]', /ECONNREFUSED/);
  for (const summary of await page.locator("summary").all()) await summary.click();
  const ways = [
    ["light", 1_600],
    ["dark", 360],
    ["dark", 1_600],
    ["light", 360],
  ] as const;
  for (const [colorScheme, width] of ways.slice(0, extent(2, ways.length))) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await axeViolations(page), []);
    await untilNoWider(page);
    await keepPicture(page, `dashboard-${colorScheme}-${width}`);
  }
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("when the program ends the page says so, and goes on with the one that comes back", async (t) => {
  browser ??= await startBrowser(t);
  if (browser === null) return;
  const server = await plainServer(t);
  const start = async (port: string): Promise<[ChildProcess, string]> => {
    const program = programFile("dashboard.mjs");
    const child = spawn(process.execPath, [program, "60000", port, server.origin], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_NO_WARNINGS: "1" }, // of saturation, which is what is shown
    });
    t.after(() => child.kill("SIGKILL"));
    const [text] = (await once(child.stdout, "data")) as [Buffer];
    return [child, String(text).trim()];
  };
  const [first, url] = await start("0");
  const { page } = await openPage(browser, url, asItIs);
  await untilText(page, "header", new RegExp(`process ${first.pid}`));
  await untilText(page, '[data-figure="requests"] strong', /[1-9]/);
  const ended = once(first, "exit");
  first.kill("SIGKILL");
  await ended;
  await untilText(page, ".state.lost", /does not answer/);
  const [second] = await start(new URL(url).port);
  await untilText(page, "header", new RegExp(`process ${second.pid}`));
  await untilText(page, ".state.live", /^Live$/);
  await untilText(page, '[data-figure="requests"] strong', /[1-9]/);
  await page.context().close();
});
