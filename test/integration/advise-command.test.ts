// `keepline advise` as a user runs it: what it prints, its JSON, and what it refuses.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { advice } from "../../src/cli/advise/command.ts";
import { verdict } from "../../src/cli/errors.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import type { Advice } from "../../src/simulate/index.ts";

const folder = mkdtempSync(path.join(tmpdir(), "keepline-advise-"));
after(() => rmSync(folder, { recursive: true }));

const trace = path.join(folder, "trace.jsonl");
writeFileSync(
  trace,
  Array.from(
    { length: 400 },
    (_, index) => `{"at":${Math.floor(index / 8) * 1_000 + (index % 8)},"serviceMsecs":50}\n`,
  ).join(""),
);

async function run(...args: string[]): Promise<{ code: number; out: string }> {
  let out = "";
  const output = { columns: 100, write: (text: string) => (out += text) };
  const terminal = new Terminal(output, output, { LC_ALL: "C.UTF-8" });
  try {
    await advice.run(args, { terminal, signal: new AbortController().signal });
    return { code: 0, out };
  } catch (error) {
    const { exitCode, text } = verdict(error);
    return { code: exitCode, out: text };
  }
}

test("from a trace it says what to change, what that buys, how sure it is, and code", async () => {
  const { code, out } = await run(
    "--trace",
    trace,
    "--set",
    "maxFreeSockets=1",
    "--round-trip",
    "10ms",
  );
  assert.equal(code, 0, out);
  assert.match(out, /^400 requests in [\d.]+ s: 8\.\d+ a second/);
  assert.match(out, /maxFreeSockets 1 → [78]: churn 7\.\d\/s → 0\.\d+\/s/);
  assert.match(out, /\nrecommended +0\.\d+/);
  assert.match(out, /How sure: low\n {2}there are only 400 requests/);
  assert.match(out, /\nconst client = new Client\(\{\n {2}maxSockets: \d+,/);
});

test("its JSON is the advice of the library, with the window of the server", async () => {
  const { code, out } = await run(
    "--trace",
    trace,
    "--server-idle",
    "3s",
    "--server-hint",
    "--json",
  );
  assert.equal(code, 0, out);
  const found = JSON.parse(out) as Advice;
  assert.deepEqual([found.format, found.formatVersion], ["keepline-advice", 1]);
  assert.equal(found.evidence.serverWindowMsecs, 3_000);
  assert.ok(found.recommended.values.keepAliveMsecs <= 5_000);
});

test("without requests, and with a service that there is not, it says so", async () => {
  const none = await run();
  assert.deepEqual(
    [none.code, /there are no requests: give --trace FILE/.test(none.out)],
    [2, true],
  );
  const service = await run("--trace", trace, "--service-name", "pay");
  assert.equal(service.code, 1);
  assert.match(service.out, /there is no service "pay"/);
});
