import assert from "node:assert/strict";
import { test } from "node:test";
import { drive } from "./pace.ts";

const { signal } = new AbortController();
const endless = Number.POSITIVE_INFINITY;

test("a closed loop has so many requests under way and no more, and sends exactly as many as asked", async () => {
  let underWay = 0;
  let most = 0;
  const sent: number[] = [];
  const send = async (index: number): Promise<void> => {
    sent.push(index);
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
  };
  const bounds = { requests: 100, durationMsecs: endless };
  assert.equal(await drive({ kind: "closed", concurrency: 7 }, bounds, send, signal), "requests");
  assert.deepEqual([most, underWay], [7, 0]);
  assert.deepEqual(sent, [...Array(100).keys()]);
});

test("an open loop sends at its instants, whether answered or not, and waits for the last answer", async () => {
  const instants: number[] = [];
  const early: number[] = [];
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const send = (index: number, intendedAt: number): Promise<void> => {
    instants.push(intendedAt);
    early.push(intendedAt - performance.now());
    if (index === 49) setImmediate(release);
    return held;
  };
  const bounds = { requests: 50, durationMsecs: endless };
  const end = await drive({ kind: "open", perSecond: 1_000 }, bounds, send, signal);
  assert.equal(end, "requests");
  const [first = 0] = instants;
  instants.forEach((at, index) => {
    assert.ok(Math.abs(at - first - index) < 0.001, `${index}: ${at - first}`);
  });
  // Never before its time.
  for (const each of early) assert.ok(each <= 0);
});

test("nothing is sent once the time is over, in either loop", async () => {
  for (const pace of [
    { kind: "closed", concurrency: 2 },
    { kind: "open", perSecond: 500 },
  ] as const) {
    let last = 0;
    let sent = 0;
    const startedAt = performance.now();
    const send = async (_: number, intendedAt: number): Promise<void> => {
      sent++;
      last = intendedAt - startedAt;
      await new Promise((resolve) => setImmediate(resolve));
    };
    const bounds = { requests: endless, durationMsecs: 60 };
    assert.equal(await drive(pace, bounds, send, signal), "duration");
    assert.ok(last < 62, `${pace.kind}: ${last}`);
    if (pace.kind === "open") assert.equal(sent, 30);
  }
});

test("an interruption ends a loop at once, whatever is under way", async () => {
  for (const pace of [
    { kind: "closed", concurrency: 2 },
    { kind: "open", perSecond: 1_000 },
  ] as const) {
    const ending = new AbortController();
    let sent = 0;
    const send = (): Promise<void> => {
      if (++sent === 2) ending.abort(new Error("Ctrl-C"));
      return new Promise(() => {});
    };
    const bounds = { requests: 100, durationMsecs: endless };
    assert.equal(await drive(pace, bounds, send, ending.signal), "interrupted");
    assert.ok(sent <= 3);
  }
});
