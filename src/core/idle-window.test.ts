import assert from "node:assert/strict";
import { test } from "node:test";
import { idleWindowMsecs, idleWindowReason } from "./idle-window.ts";

const never = Number.POSITIVE_INFINITY;

test("without a hint the window is what the user allows", () => {
  assert.equal(idleWindowMsecs(5_000, null, 40), 5_000);
  assert.equal(idleWindowMsecs(never, null, 40), never);
  assert.equal(idleWindowMsecs(0, null, 0), 0);
});

test("a hint counts less a fifth of it, at least 100 ms and at most 1 s", () => {
  assert.equal(idleWindowMsecs(never, 1_000, 0), 800);
  assert.equal(idleWindowMsecs(never, 300, 0), 200);
  assert.equal(idleWindowMsecs(never, 60_000, 0), 59_000);
});

test("a hint counts less a round trip: the server's clock started before ours", () => {
  assert.equal(idleWindowMsecs(never, 60_000, 250), 58_750);
});

test("the shorter of the user's limit and the server's wins, and gives the reason", () => {
  assert.equal(idleWindowMsecs(5_000, 60_000, 0), 5_000);
  assert.equal(idleWindowMsecs(5_000, 2_000, 0), 1_600);
  assert.equal(idleWindowReason(5_000, 5_000), "idle-timeout");
  assert.equal(idleWindowReason(5_000, 1_600), "idle-window");
});

test("a hint too short to be met leaves no window", () => {
  assert.ok(idleWindowMsecs(5_000, 0, 0) <= 0);
  assert.ok(idleWindowMsecs(5_000, 100, 0) <= 0);
  assert.ok(idleWindowMsecs(5_000, 1_000, 900) <= 0);
});
