/**
 * The dashboard of a client with very many connections, half of them to one origin and half to as many others: the page stays
 * usable, updates stay small and come in time, and to make one costs the program little. All are real sockets, 10,000 when it is
 * thorough; the server is a process of its own, since each connection takes a descriptor at both ends.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { after, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { largestUpdate } from "../../src/dashboard/feed.ts";
import { serveDashboard, type Update } from "../../src/dashboard/index.ts";
import { limits } from "../../src/dashboard/messages.ts";
import type { Client } from "../../src/index.ts";
import { keepPicture, openPage, startBrowser, untilText } from "../support/browser.ts";
import { makeClient } from "../support/client-kit.ts";
import { lookupOf, outcomeOf } from "../support/loopback.ts";
import { programFile } from "../support/root.ts";
import { extent } from "../support/thorough.ts";

const connections = extent(1_000, 10_000);
/** So many are dialed at once: more than a listening socket holds would be dropped, and dialed again a second later. */
const batch = 200;
/** Also a machine that is busy with other tests is done with anything on the page by then. */
const patienceMsecs = 20_000;

let browser: Browser | null = null;
after(() => browser?.close());

interface Crowd {
  readonly client: Client;
  /** The origin that half of the connections are to. */
  readonly big: string;
  /** Asks so many origins at random each 10 ms, until the test is over. */
  ask(count: number): void;
}

/** A client with all those connections, idle. */
async function openCrowd(t: TestContext): Promise<Crowd> {
  const child = spawn(process.execPath, [programFile("many-connections.mjs")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [text] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(String(text));
  const client = makeClient(t, {
    maxSockets: connections,
    maxFreeSockets: connections,
    keepAliveMsecs: Number.POSITIVE_INFINITY,
    saturationMsecs: Number.POSITIVE_INFINITY,
    connectTimeoutMsecs: 120_000,
    connect: { lookup: lookupOf(["127.0.0.1"]).lookup },
  });
  const big = `http://big.test:${port}`;
  const origins = Array.from({ length: connections }, (_, index) =>
    index < connections / 2 ? big : `http://origin-${index}.test:${port}`,
  );
  const held: Promise<unknown>[] = [];
  for (let from = 0; from < connections; from += batch) {
    for (const origin of origins.slice(from, from + batch)) {
      held.push(outcomeOf(client.request(`${origin}/held`)));
    }
    while (client.stats().client.sockets.dialing > 0) await sleep(1);
  }
  await outcomeOf(makeClient(t).request(`http://127.0.0.1:${port}/release-${connections}`));
  assert.deepEqual([...new Set(await Promise.all(held))], [200]);
  assert.equal(client.stats().client.sockets.idle, connections);
  return {
    client,
    big,
    ask: (count) => {
      const timer = setInterval(() => {
        for (let each = 0; each < count; each++) {
          const origin = origins[Math.floor(Math.random() * connections)];
          void outcomeOf(client.request(`${origin}/20`));
        }
      }, 10);
      t.after(() => clearInterval(timer));
    },
  };
}

/** Counts the bytes of each update that comes. */
function readSizes(t: TestContext, url: string) {
  const sizes: number[] = [];
  const updates: Update[] = [];
  const request = http.get(`${url}feed`, { agent: false }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        const data = /^event: update\ndata: (.*)$/m.exec(event)?.[1];
        if (data === undefined) continue;
        sizes.push(event.length);
        updates.push(JSON.parse(data) as Update);
      }
    });
  });
  request.on("error", () => {});
  t.after(() => request.destroy());
  return { sizes, updates };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return Math.round(performance.now() - began);
}

test("with very many connections the page stays usable, and updates small and in time", async (t) => {
  browser ??= await startBrowser(t);
  if (browser === null) return;
  const { client, big, ask } = await openCrowd(t);
  const { url, close } = await serveDashboard(client);
  t.after(close);

  // What it costs while nothing else is done: the program is idle but for the updates.
  const { sizes, updates } = readSizes(t, url);
  const untilUpdates = async (count: number): Promise<void> => {
    while (updates.length < count) await sleep(20);
  };
  await untilUpdates(2);
  const from = updates.length;
  const usage = process.cpuUsage();
  await untilUpdates(from + extent(2, 10));
  const { user, system } = process.cpuUsage(usage);
  const cpuMsecs = (user + system) / 1_000 / (updates.length - from);
  t.diagnostic(`${connections} connections: ${cpuMsecs.toFixed(1)} ms of CPU time an update`);
  assert.ok(cpuMsecs < limits.tickMsecs / 4, `${cpuMsecs} ms of CPU time an update`);

  ask(5);
  const { page, complaints } = await openPage(browser, url, {
    bypassCSP: false,
    viewport: { width: 1_600, height: 1_000 },
  });
  page.setDefaultTimeout(patienceMsecs);
  await untilText(page, ".state.live", /^Live$/);
  await untilText(page, '[data-figure="requests"] strong', /[1-9]/);
  const more = connections / 2 + 1 - limits.pools;
  await untilText(page, "main", new RegExp(`${more.toLocaleString("en-US")} more are there`));
  await page
    .locator("[data-pool]")
    .nth(limits.pools - 1)
    .waitFor();
  assert.equal(await page.locator("[data-pool]").count(), limits.pools);
  const idle = await page.locator('[data-figure="idle"] strong').innerText();
  assert.ok(Number(idle.replaceAll(",", "")) > connections * 0.8, idle);

  const filterMsecs = await timed(async () => {
    await page.keyboard.press("/");
    await page.keyboard.type("big.test");
    await untilText(page, ".pool h2", new RegExp(big));
    await page.locator("[data-pool]").nth(1).waitFor({ state: "detached" });
  });
  const all = (connections / 2).toLocaleString("en-US");
  await untilText(page, ".lines", new RegExp(`${limits.lines} of ${all} connections are drawn`));
  await page.locator("h1").click();
  const pauseMsecs = await timed(async () => {
    await page.keyboard.press("p");
    await untilText(page, ".state", /the charts stand still/);
  });
  const goOnMsecs = await timed(async () => {
    await page.keyboard.press("p");
    await untilText(page, ".state", /^Live$/);
  });
  t.diagnostic(`filter ${filterMsecs} ms, pause ${pauseMsecs} ms, go on ${goOnMsecs} ms`);
  await keepPicture(page, "dashboard-many");

  const now = updates.length;
  await untilUpdates(now + extent(1, 10));
  const gaps = updates.slice(1).map(({ sinceMsecs }) => sinceMsecs);
  const size = Math.max(...sizes);
  t.diagnostic(`an update is ${size} bytes at most, ${Math.max(...gaps)} ms after the one before`);
  assert.ok(size <= largestUpdate, `an update has ${size} bytes`);
  for (const { pools } of updates) {
    assert.ok(pools.length <= limits.pools);
    const lines = pools.reduce((sum, pool) => sum + pool.lines.length, 0);
    assert.ok(lines <= limits.allLines, `${lines} lines`);
  }
  // Also on a busy machine.
  const usual = gaps.toSorted((a, b) => a - b)[gaps.length >> 1] ?? 0;
  assert.ok(usual < 10 * limits.tickMsecs, `an update each ${usual} ms`);
  assert.deepEqual(complaints, []);
  await page.context().close();
});
