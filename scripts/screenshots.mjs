// `npm run screenshots`: takes the pictures of docs/observability.md and docs/load.md in headless Chromium (KEEPLINE_CHROMIUM names
// another one than /usr/bin/chromium): of the dashboard of `keepline demo --watch`, and of the report of `keepline load --html`.
// About a minute. `npm run screenshots -- load` or `-- dashboard` takes those alone.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt, ensureInstalled, root, runScript, StepFailed } from "./setup.mjs";

const folder = path.join(root, "docs", "pictures");
const main = path.join(root, "dist", "cli", "main.js");

/** What is shown, and how: pictures are clipped to what a reader of the docs needs. */
const dashboards = [
  { name: "dashboard-light", colorScheme: "light", width: 1_200, height: 1_060 },
  { name: "dashboard-dark", colorScheme: "dark", width: 1_200, height: 1_060 },
  { name: "dashboard-narrow", colorScheme: "light", width: 390, height: 844 },
];
const reports = [{ name: "load-report", colorScheme: "light", width: 1_200, height: 1_960 }];

await runScript(async () => {
  ensureInstalled();
  ensureBuilt();
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({
    executablePath: process.env.KEEPLINE_CHROMIUM ?? "/usr/bin/chromium",
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
  const [only] = process.argv.slice(2);
  if (only !== "load") await takeDashboard(browser);
  if (only !== "dashboard") await takeReport(browser);
  await browser.close();
});

async function takeDashboard(browser) {
  const demo = start("demo", "--watch", "--requests", "1");
  try {
    const page = await browser.newPage();
    await page.setViewportSize(dashboards[0]);
    await page.goto(await addressOf(demo));
    await page.locator("[data-pool]").first().waitFor();
    // Two rounds of what saturates the lane, and then its third.
    await page.waitForTimeout(26_000);
    await page.locator("[data-saturated]").waitFor();
    await take(page, dashboards);
    await adviceOf(page);
  } finally {
    demo.kill();
  }
}

/** A server that answers after some milliseconds and once in a while stands still, asked by two clients. */
async function takeReport(browser) {
  let requests = 0;
  let until = 0;
  const server = http.createServer((_, response) => {
    if (++requests % 6_000 === 0) until = performance.now() + 250;
    const usual = 4 + 12 * (requests % 7 === 0 ? 1 : 0);
    setTimeout(() => response.end("hello"), Math.max(usual, until - performance.now()));
  });
  const place = mkdtempSync(path.join(tmpdir(), "keepline-load-"));
  try {
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${server.address().port}/items`;
    const file = path.join(place, "load.html");
    const load = "-c 20 --duration 12s --max-sockets 20 --compare node --html";
    const command = start("load", url, ...load.split(" "), file);
    command.stdout.resume();
    const [code] = await once(command, "close");
    if (code !== 0) throw new StepFailed("keepline load has failed");
    const page = await browser.newPage();
    await page.goto(pathToFileURL(file).href);
    await page.locator(".u-wrap").first().waitFor();
    await take(page, reports);
  } finally {
    server.close();
    rmSync(place, { recursive: true });
  }
}

async function take(page, pictures) {
  for (const { name, colorScheme, width, height } of pictures) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    await page.waitForTimeout(600);
    const file = path.join(folder, `${name}.png`);
    await page.screenshot({ path: file });
    process.stdout.write(`${path.relative(root, file)}\n`);
  }
}

function start(...args) {
  return spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_NO_WARNINGS: "1", NO_COLOR: "1" },
  });
}

/** What the page advises, as it is at a desk. */
async function adviceOf(page) {
  await page.setViewportSize({ width: 1_200, height: 1_060 });
  await page.emulateMedia({ colorScheme: "light" });
  await page.getByLabel("Traffic of").selectOption("15");
  await page.getByRole("button", { name: "Advise for" }).click();
  await page.locator('[data-advice="done"]').waitFor({ timeout: 120_000 });
  const file = path.join(folder, "dashboard-advice.png");
  await page.locator(".advice").screenshot({ path: file });
  process.stdout.write(`${path.relative(root, file)}\n`);
}

/** The dashboard's address, once there is traffic to look at. */
async function addressOf(demo) {
  let text = "";
  for await (const piece of demo.stdout) {
    text += piece;
    if (text.includes("until Ctrl-C")) return /live: (\S+)/.exec(text)[1];
  }
  throw new StepFailed("the demo has ended");
}
