// `npm run screenshots`: takes the pictures of the dashboard that docs/observability.md shows, of `keepline demo --watch` in
// headless Chromium (KEEPLINE_CHROMIUM names another one than /usr/bin/chromium). About a minute.

import { spawn } from "node:child_process";
import path from "node:path";
import { ensureBuilt, ensureInstalled, root, runScript, StepFailed } from "./setup.mjs";

const folder = path.join(root, "docs", "pictures");

/** What is shown, and how: pictures are clipped to what a reader of the docs needs. */
const pictures = [
  { name: "dashboard-light", colorScheme: "light", width: 1_200, height: 1_060 },
  { name: "dashboard-dark", colorScheme: "dark", width: 1_200, height: 1_060 },
  { name: "dashboard-narrow", colorScheme: "light", width: 390, height: 844 },
];

await runScript(async () => {
  ensureInstalled();
  ensureBuilt();
  const { chromium } = await import("playwright-core");
  const main = path.join(root, "dist", "cli", "main.js");
  const demo = spawn(process.execPath, [main, "demo", "--watch", "--requests", "1"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_NO_WARNINGS: "1", NO_COLOR: "1" },
  });
  try {
    const url = await addressOf(demo);
    const browser = await chromium.launch({
      executablePath: process.env.KEEPLINE_CHROMIUM ?? "/usr/bin/chromium",
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    });
    const page = await browser.newPage({ viewport: pictures[0] });
    await page.goto(url);
    await page.locator("[data-pool]").first().waitFor();
    // Two rounds of what saturates the lane, and then its third.
    await page.waitForTimeout(26_000);
    await page.locator("[data-saturated]").waitFor();
    for (const { name, colorScheme, width, height } of pictures) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(600);
      const file = path.join(folder, `${name}.png`);
      await page.screenshot({ path: file });
      process.stdout.write(`${path.relative(root, file)}\n`);
    }
    await adviceOf(page);
    await browser.close();
  } finally {
    demo.kill();
  }
});

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
