/**
 * The report of `keepline load --html` in a browser, from a file and without a network: the figures of the JSON report, readable for
 * all, on small and large screens, in the light and in the dark.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { loadCommand } from "../../src/cli/load/command.ts";
import { figures, latencyRows, shares } from "../../src/cli/load/figures.ts";
import type { LoadReport } from "../../src/cli/load/report.ts";
import { msecs } from "../../src/cli/numbers.ts";
import {
  axeViolations,
  keepPicture,
  openPage,
  startBrowser,
  untilNoWider,
} from "../support/browser.ts";
import { runCommand } from "../support/command-line.ts";
import { httpServer } from "../support/raw-server.ts";
import { temporaryFolder } from "../support/temporary.ts";

let browser: Browser | null = null;
after(() => browser?.close());

/** What a load told a program and what it wrote for people: of its requests, every third gets no answer. */
async function load(t: TestContext, ...args: readonly string[]) {
  const server = await httpServer(t, (request, response) => {
    if (request.url?.startsWith("/gone")) request.socket.destroy();
    else setTimeout(() => response.end("0123456789"), 2);
  });
  const folder = temporaryFolder(t);
  const urls = path.join(folder, "urls.txt");
  const paths = ["/a?token=s3cret-word", "/b", "/gone?password=s3cret-word"];
  writeFileSync(urls, paths.map((each) => server.origin + each).join("\n"));
  const file = path.join(folder, "load.html");
  const secret = "authorization: Bearer s3cret-word";
  const all = [urls, "-n", "120", "-H", secret, "--html", file, "--json", ...args];
  const { code, out, err } = await runCommand(loadCommand, all);
  assert.equal(code, 3, err);
  assert(err.includes(`wrote ${file}`), err);
  return { report: JSON.parse(out) as LoadReport, file, url: pathToFileURL(file).href };
}

/** What the page shows, by what it is of. */
interface Shown {
  readonly rows: Record<string, string[]>;
  readonly cards: Record<string, string>;
  readonly latencies: Record<string, string[]>;
  /** Client, number, message. */
  readonly errors: string[][];
  readonly settings: Record<string, string>;
}

/** Evaluates to a `Shown`. Text, for tests know nothing of the DOM. */
const look = `(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const cells = (row) => all("td", row).map((each) => each.textContent);
  const pairs = (selector, pair) => Object.fromEntries(all(selector).map(pair));
  return {
    rows: pairs("[data-row]", (row) => [row.dataset.row, cells(row)]),
    cards: pairs("[data-client]", (each) => [
      each.parentElement.dataset.figure + " " + each.dataset.client,
      each.querySelector("strong").textContent,
    ]),
    latencies: pairs("[data-latency]", (row) => [row.dataset.latency, cells(row)]),
    errors: all("[data-error]").map(cells),
    settings: pairs("[data-setting]", (row) => [row.dataset.setting, cells(row)[0]]),
  };
})()`;

test("it says what the JSON report says of all clients, and nothing secret of what was sent", async (t) => {
  browser ??= await startBrowser(t);
  if (browser === null) return;
  const { report, file, url } = await load(t, "-c", "4", "--compare", "node", "--max-sockets", "7");
  // As people open it: under its own policy, and nothing is reached but the file.
  const { page, complaints } = await openPage(browser, url, { bypassCSP: false, offline: true });
  await page.locator(".charts .u-wrap").nth(5).waitFor();
  const { rows, cards, latencies, errors, settings } = await page.evaluate<Shown>(look);
  assert.deepEqual(
    report.runs.map(({ client, answered, failed }) => [client, answered, failed]),
    [
      ["keepline", 80, 40],
      ["node", 80, 40],
    ],
  );
  for (const [place, run] of report.runs.entries()) {
    const { client } = run;
    assert.equal(cards[`answered ${client}`], "80");
    assert.equal(cards[`opened ${client}`], String(run.sockets.opened));
    for (const { key, unit, of } of figures) {
      const value = of(run);
      assert.equal(rows[key]?.[place], value, key);
      const card = cards[`${key} ${client}`];
      if (card !== undefined) assert.equal(card, `${value} ${unit}`.trim(), key);
    }
    for (const [label, summary] of latencyRows(run.latency)) {
      const cells = shares.map(([key]) => msecs(summary[`${key}Msecs`]));
      assert.deepEqual(latencies[`${client} ${label}`], cells, label);
    }
    for (const [code, { count }] of Object.entries(run.errors)) {
      const error = errors.find((each) => each[0] === client && each[1] === String(count));
      assert(error?.[2] !== undefined, code);
    }
  }
  assert.equal(Object.keys(cards).length, 2 * 12);
  assert.equal(settings.maxSockets, "7");
  assert.equal(settings.keepAlive, "true (default)");
  assert.match(settings["header fields"] ?? "", /authorization/);
  assert(!readFileSync(file, "utf8").includes("s3cret-word"));
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("axe has nothing against it in the light, in the dark, at 360 and at 1,600 pixels, and it scrolls in one direction alone", async (t) => {
  browser ??= await startBrowser(t);
  if (browser === null) return;
  const { url } = await load(t, "--rate", "400");
  const { page, complaints } = await openPage(browser, url);
  await page.locator(".charts .u-wrap").nth(4).waitFor();
  for (const summary of await page.locator("summary").all()) await summary.click();
  const grounds = new Set<string>();
  for (const [colorScheme, width] of [
    ["light", 1_600],
    ["dark", 360],
  ] as const) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    await untilNoWider(page);
    assert.deepEqual(await axeViolations(page), []);
    grounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
    await keepPicture(page, `load-${colorScheme}-${width}`);
  }
  assert.equal(grounds.size, 2);
  // By keyboard: the tables behind charts, and what scrolls.
  const first = page.locator("summary").first();
  await first.focus();
  await page.keyboard.press("Enter");
  const table = page.locator("details").first().locator("table");
  await table.waitFor({ state: "hidden" });
  await page.keyboard.press("Enter");
  await table.waitFor();
  await page.keyboard.press("Tab");
  const focused = await page.evaluate<string>(`document.activeElement.getAttribute("aria-label")`);
  assert.equal(focused, "Numbers of Answers a second");
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("a report that cannot be written is told before anything is sent", async (t) => {
  const file = path.join(temporaryFolder(t), "nowhere", "load.html");
  const { code, err } = await runCommand(loadCommand, ["http://127.0.0.1:1/", "--html", file]);
  assert.equal(code, 2, err);
  assert.match(err, /--html must be a file in a folder that can be written to/);
});
