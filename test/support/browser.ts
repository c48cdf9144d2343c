/**
 * Chromium for tests of pages: found, started without a network of its own, and closed. Where there is none, tests of
 * pages say what to install; in CI that is a failure.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type { TestContext } from "node:test";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { root } from "./root.ts";

const require = createRequire(import.meta.url);
const args = [
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts Chromium; null when there is none, which the test then says. */
export async function startBrowser(context: TestContext): Promise<Browser | null> {
  const executablePath = process.env.KEEPLINE_CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) {
    const words = `there is no Chromium at ${executablePath}: install it (apt-get install chromium), or name one by KEEPLINE_CHROMIUM`;
    assert.notEqual(process.env.CI, "true", words);
    context.skip(words);
    return null;
  }
  return await chromium.launch({ executablePath, args });
}

/** A page that shows a file, with whatever it complains about. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<{ readonly page: Page; readonly complaints: readonly string[] }> {
  // axe is put into the page, which its policy would not allow.
  const context = await browser.newContext({ bypassCSP: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(90_000); // a machine may be busy with all other tests
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (!isOwn(request.url(), url)) {
      complaints.push(`it loads ${request.url()}`);
    }
  });
  await page.goto(url);
  return { page, complaints };
}

/** Whether a page at `url` may load `loaded`: itself and what is in it, and of its own server anything. */
function isOwn(loaded: string, url: string): boolean {
  if (loaded === url || loaded.startsWith("data:")) return true;
  return url.startsWith("http") && new URL(loaded).origin === new URL(url).origin;
}

/** Keeps a picture of the page in test-results/, for people to look at. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: path.join(root, "test-results", `${name}.png`), fullPage: true });
}

/** Waits until what a selector finds has such a text: what a page shows comes after what it was told, on a busy machine a while after. */
export async function untilText(page: Page, selector: string, pattern: RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: pattern }).first().waitFor();
}

/** Waits until the page is no wider than its window: charts follow a new width a frame later. */
export async function untilNoWider(page: Page): Promise<void> {
  await page.waitForFunction("document.documentElement.scrollWidth === innerWidth");
}

/** What axe has against the page, in words. */
export async function axeViolations(page: Page): Promise<string[]> {
  await page.evaluate(readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<AxeResults> } };
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((each) => each.html).join(" ")}`);
  });
}

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}
