/**
 * `keepline top` beside a program that serves a dashboard: both are processes of their own.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { before, type TestContext, test } from "node:test";
import type { Update } from "../../src/dashboard/index.ts";
import { buildCommandLine, finish, keepline, start } from "../support/command-line.ts";
import { plainServer } from "../support/loopback.ts";
import { deadPort } from "../support/raw-server.ts";
import { programFile } from "../support/root.ts";

before(buildCommandLine);

/** A program that sends requests in two lanes, of which `reports` is saturated, and its dashboard. */
async function program(
  t: TestContext,
): Promise<{ child: ChildProcess; url: string; origin: string }> {
  const { origin } = await plainServer(t, (request, response) => {
    const delay = Number(/delay=(\d+)/.exec(request.url ?? "")?.[1]);
    setTimeout(() => response.end("ok"), delay);
  });
  const args = [programFile("dashboard.mjs"), "60000", "0", origin];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_NO_WARNINGS: "1" }, // of saturation, which is what is shown
  });
  t.after(() => child.kill("SIGKILL"));
  const [text] = (await once(child.stdout, "data")) as [Buffer];
  return { child, url: String(text).trim(), origin };
}

/** What a command has written to stdout, as soon as it matches. */
async function untilOut(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = "";
  for await (const piece of child.stdout ?? []) {
    text += piece;
    if (pattern.test(text)) return text;
  }
  return assert.fail(`it ended without ${pattern}: ${text}`);
}

test("pools, lanes and saturation are shown, again and again, until the program ends", async (t) => {
  const { child, url, origin } = await program(t);
  const top = start(["top", url]);
  t.after(() => top.kill("SIGKILL"));
  const text = await untilOut(top, /saturated at[\s\S]*saturated at/);
  assert.match(
    text,
    new RegExp(`^dashboard.mjs, process ${child.pid}, at \\d\\d:\\d\\d:\\d\\d: \\d+ connections`),
  );
  assert.match(
    text,
    new RegExp(`shop +${origin} +\\d/6 +\\d+ +\\d+ +\\d+ +[\\d.,]+ +[\\d.,]+ +\\d`),
  );
  assert.match(text, /shop\/reports +\S+ +2 +\d+ +[\d.]+ m?s +saturated/);
  assert.match(text, /Raise maxSockets of lane reports/);
  assert.equal(text.includes("\x1b"), false);
  const ended = finish(top);
  child.kill("SIGKILL");
  const { code, err } = await ended;
  assert.equal(code, 1);
  assert.match(err, /^keepline top: the dashboard at http:\S+ has ended[^\n]*\n$/);
});

test("--once prints one with rates, and --json one update a line", async (t) => {
  const { url, origin } = await program(t);
  const address = new URL(url).host;
  const [once, json] = await Promise.all([
    keepline("top", address, "--once"),
    keepline("top", new URL(url).port, "--json", "--once"),
  ]);
  assert.deepEqual([once.code, once.err, json.code, json.err], [0, "", 0, ""]);
  assert.equal(once.out.match(/process \d+, at/g)?.length, 1);
  const lines = json.out.trimEnd().split("\n");
  assert.equal(lines.length, 1);
  const [pool] = (JSON.parse(lines[0] ?? "") as Update).pools;
  assert.equal(pool?.origin, origin);
  assert((pool?.requestsPerSecond ?? 0) > 0);
  const stream = start(["top", url, "--json"]);
  await untilOut(stream, /(\{.*\}\n){2}/);
  const ended = finish(stream);
  stream.kill("SIGINT");
  const { code, err } = await ended;
  assert.deepEqual([code, err], [130, ""]);
});

test("who does not answer, what is no dashboard, and what is no address are told in one line", async (t) => {
  const { origin } = await plainServer(t);
  const events = await plainServer(t, (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end("event: hello\ndata: {}\n\n");
  });
  const [gone, other, foreign, wrong] = await Promise.all([
    keepline("top", `127.0.0.1:${await deadPort()}`),
    keepline("top", origin),
    keepline("top", events.origin),
    keepline("top", "http://me:secret@127.0.0.1:4700/"),
  ]);
  assert.match(
    gone.err,
    /^keepline top: nobody answers at http:\S+: .*ECONNREFUSED.*KEEPLINE_DASHBOARD/,
  );
  assert.match(other.err, /^keepline top: http:\S+ is no dashboard of keepline: it answered 200/);
  assert.match(
    foreign.err,
    /^keepline top: http:\S+ is no dashboard of keepline: it sends other events/,
  );
  assert.match(wrong.err, /^keepline top: ADDRESS must be the address of a dashboard/);
  assert.deepEqual([gone.code, other.code, foreign.code, wrong.code], [1, 1, 1, 2]);
  for (const { err, out } of [gone, other, foreign, wrong]) {
    assert.equal(err.trimEnd().split("\n").length, 1);
    assert.equal(out, "");
  }
});
