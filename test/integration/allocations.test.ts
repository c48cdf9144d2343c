/**
 * What a small GET takes of the heap, held to a budget: a change of the hot path that allocates more than before is to be
 * noticed. Bytes are counted, not time, so the figure is the same on a busy machine.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { rawServer } from "../support/raw-server.ts";
import { programFile } from "../support/root.ts";

/** Bytes a request by major version, a tenth above what was measured. */
const budgets: Readonly<Record<string, number>> = { 20: 3_000, 22: 2_850, 24: 2_950, 26: 2_500 };
const newest = 26;

const answer =
  'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\nconnection: keep-alive\r\n\r\n{"ok": true }';

/** A young generation larger than all that the program allocates: what is used then only grows. */
const flags = ["--expose-gc", "--min-semi-space-size=64", "--max-semi-space-size=64"];

test("a small GET allocates no more than its budget", async (t) => {
  const server = await rawServer(t, async (connection) => {
    for (;;) {
      await connection.request();
      await connection.send(answer);
    }
  });
  const url = `http://127.0.0.1:${server.port}`;
  const child = spawn(process.execPath, [...flags, programFile("allocations.mjs"), url], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) output += text;
  const windows = JSON.parse(output) as number[];
  assert.ok(
    windows.every((bytes) => bytes > 0),
    `something was collected: ${output}`,
  );
  // Compilers and caches take from the heap as well, now and then; and after a collection some code is compiled anew.
  const bytes = Math.min(...windows);
  const [major] = process.versions.node.split(".");
  const budget = budgets[major ?? ""] ?? budgets[newest] ?? 0;
  t.diagnostic(`${bytes} bytes a request, of ${budget}`);
  assert.ok(bytes <= budget, `${bytes} bytes a request, and the budget is ${budget}`);
});
