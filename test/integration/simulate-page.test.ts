// The report of `keepline simulate --html` in a browser: chosen by mouse and keyboard, the same figures everywhere,
// readable for all, on small screens and in the dark.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import {
  axeViolations,
  openPage,
  startBrowser,
  untilNoWider,
  untilText,
} from "../support/browser.ts";
import { root } from "../support/root.ts";

const folder = mkdtempSync(path.join(tmpdir(), "keepline-page-"));
const file = path.join(folder, "report.html");
const url = pathToFileURL(file).href;
let browser: Browser | null = null;

before(() => {
  const setup = spawnSync(process.execPath, [path.join(root, "scripts", "setup.mjs")]);
  assert.equal(setup.status, 0, String(setup.stderr));
  const main = path.join(root, "dist", "cli", "main.js");
  const line = `simulate --rate 20 --pattern bursts --for 20s --service 30 --html ${file}`;
  const sweeps = ["maxFreeSockets=1,5,20", "keepAliveMsecs=500ms,2s"].flatMap((each) => [
    "--sweep",
    each,
  ]);
  const made = spawnSync(process.execPath, [main, ...line.split(" "), ...sweeps, "--jobs", "1"]);
  assert.equal(made.status, 0, String(made.stderr));
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

interface Shown {
  readonly name: string;
  /** By metric: the list of figures, the chosen cell of each map, and the chosen row of the table. */
  readonly figures: Record<string, string>;
  readonly maps: Record<string, string>;
  readonly row: Record<string, string>;
}

/** Evaluates to a `Shown`. Text, for tests know nothing of the DOM. */
const look = `(() => {
  const text = (element) => (element?.textContent ?? "").trim();
  const number = (element) => /[\\d.,–]+/.exec(text(element))?.[0] ?? "";
  const pairs = (selector, key, of) =>
    Object.fromEntries(
      [...document.querySelectorAll(selector)].map((each) => [each.dataset[key], number(of(each))]),
    );
  return {
    name: text(document.querySelector("#chosen")),
    figures: pairs("[data-figure]", "figure", (each) => each.querySelector("dd")),
    maps: pairs("[data-metric]", "metric", (each) => each.querySelector('[aria-pressed="true"]')),
    row: pairs("tr.chosen [data-column]", "column", (each) => each),
  };
})()`;

async function assertAgrees(page: Page, name: string): Promise<void> {
  await untilText(page, "#chosen", new RegExp(`^${name}$`));
  const { name: found, figures, maps, row } = await page.evaluate<Shown>(look);
  assert.equal(found, name);
  assert.equal(Object.keys(figures).length, 9);
  assert.deepEqual(row, figures);
  assert.deepEqual(Object.keys(maps), ["churn", "footprint", "p99"]);
  for (const [key, value] of Object.entries(maps)) assert.equal(value, figures[key], key);
  assert.equal(
    await page
      .locator(`tr.chosen th`)
      .innerText()
      .then((text) => text.replace(" ★", "")),
    name,
  );
}

test("cells are chosen by mouse and keyboard, and maps, figures and table agree", async (context) => {
  browser ??= await startBrowser(context);
  if (browser === null) return;
  const { page, complaints } = await openPage(browser, url, {
    viewport: { width: 1_100, height: 900 },
  });
  await page.waitForSelector(".u-wrap");
  const churn = page.locator('[data-metric="churn"] button');
  await churn.nth(0).click();
  await assertAgrees(page, "maxFreeSockets 1, keepAliveMsecs 500ms");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  await assertAgrees(page, "maxFreeSockets 5, keepAliveMsecs 2s");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown"); // there is nothing below
  await page.keyboard.press("Home");
  await assertAgrees(page, "maxFreeSockets 20, keepAliveMsecs 500ms");
  await page
    .locator('button:focus[aria-label^="maxFreeSockets 20, keepAliveMsecs 500ms: Churn "]')
    .waitFor();
  await page.locator('[data-cell="3"] button').click();
  await assertAgrees(page, "maxFreeSockets 5, keepAliveMsecs 2s");
  await page.locator(".front .point").nth(1).click({ force: true });
  await untilText(page, "#chosen", /^(?!maxFreeSockets 5, keepAliveMsecs 2s$)/);
  // By a heading the least comes first.
  await page.getByRole("button", { name: "Footprint", exact: true }).click();
  await page.locator('th[aria-sort="ascending"]').filter({ hasText: "Footprint" }).waitFor();
  const column = await page.locator('[data-column="footprint"]').allInnerTexts();
  const sorted = column.map(Number);
  assert.deepEqual(
    sorted,
    [...sorted].sort((a, b) => a - b),
  );
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("axe has nothing against it in the light, in the dark and at 360 pixels, and it scrolls in one direction alone", async (context) => {
  browser ??= await startBrowser(context);
  if (browser === null) return;
  const { page, complaints } = await openPage(browser, url);
  await page.waitForSelector(".u-wrap");
  for (const [colorScheme, width] of [
    ["light", 1_100],
    ["dark", 1_100],
    ["light", 360],
  ] as const) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await axeViolations(page), []);
    await untilNoWider(page);
    const ground = await page.evaluate<string>(`getComputedStyle(document.body).backgroundColor`);
    assert.equal(ground === "rgb(255, 255, 255)", colorScheme === "light");
  }
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test("what the page is given cannot end its script", () => {
  const html = readFileSync(file, "utf8");
  assert.equal(html.match(/<\/script/g)?.length, 2);
  assert.equal(html.match(/<script/g)?.length, 2);
});
