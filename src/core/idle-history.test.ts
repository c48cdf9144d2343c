import assert from "node:assert/strict";
import { test } from "node:test";
import { IdleHistory } from "./idle-history.ts";

/** A history after these closes, a minute apart. */
function after(...idleMsecs: number[]): IdleHistory {
  const history = new IdleHistory();
  for (const [index, each] of idleMsecs.entries()) history.closed(each, index * 60_000);
  return history;
}

function times<V>(count: number, value: V): V[] {
  return new Array<V>(count).fill(value);
}

test("without a close nothing is learned, however much is survived", () => {
  const history = new IdleHistory();
  assert.equal(history.survived(600_000), false);
  assert.deepEqual(
    [history.learnedMsecs, history.strictMsecs, history.closing, history.provenMsecs],
    [null, null, "unseen", 600_000],
  );
});

test("the first close is believed, until an idle time outlives it clearly", () => {
  const history = after(1_000);
  assert.deepEqual([history.learnedMsecs, history.closing], [1_000, "steady"]);
  assert.equal(history.survived(1_200), false, "a timer that is a fifth late contradicts nothing");
  assert.equal(history.survived(1_300), true);
  assert.deepEqual([history.learnedMsecs, history.strictMsecs], [null, 1_000]);
});

test("a close right after a response is none for being idle", () => {
  const history = after(24, 0, 10);
  assert.deepEqual(
    [history.learnedMsecs, history.strictMsecs, history.closing],
    [null, null, "unseen"],
  );
});

test("of several closes at about the same time the earliest counts", () => {
  assert.equal(after(1_010, 1_000, 1_050).learnedMsecs, 1_000);
});

test("a repeated close holds as long as one of ten idle times ends with it", () => {
  const history = after(1_000, 1_005);
  for (let count = 0; count < 18; count++) history.survived(5_000);
  assert.equal(history.learnedMsecs, 1_000);
  history.survived(5_000);
  assert.equal(history.learnedMsecs, null);
});

test("a limit that everything outlives is forgotten: the server has changed", () => {
  const history = after(...times(20, 300));
  for (let count = 0; count < 24; count++) history.survived(1_000);
  assert.deepEqual(
    [history.learnedMsecs, history.strictMsecs, history.closing],
    [null, null, "unseen"],
  );
  history.closed(5_000, 1e9);
  assert.equal(history.learnedMsecs, 5_000);
});

test("a shorter close than ever is heeded at once for requests not to be sent twice", () => {
  const history = after(...times(20, 5_000));
  history.closed(300, 1e9);
  assert.deepEqual([history.learnedMsecs, history.strictMsecs], [5_000, 300]);
  history.closed(301, 2e9);
  assert.equal(history.learnedMsecs, 5_000, "two of many may be odd ones");
  for (let count = 2; count < 4; count++) history.closed(300 + count, (1 + count) * 1e9);
  assert.equal(history.learnedMsecs, 300);
});

test("one of several servers that closes sooner than the others is heeded", () => {
  assert.equal(
    after(60_000, 1_000, 5_000, 1_001, 60_000, 5_000, 1_002, 60_000).learnedMsecs,
    1_000,
  );
});

test("closes together after different idle times are a restart, and teach nothing", () => {
  const history = new IdleHistory();
  for (const idle of [300, 800, 40, 2_000]) history.closed(idle, 10_000);
  assert.deepEqual([history.learnedMsecs, history.closing], [null, "unseen"]);
  history.closed(5_000, 70_000);
  assert.equal(history.learnedMsecs, 5_000);
});

test("closes together after like idle times count once: they may be a restart after a burst", () => {
  const history = new IdleHistory();
  for (let count = 0; count < 20; count++) history.closed(700 + count, 10_000 + count);
  assert.equal(history.learnedMsecs, 700);
  history.survived(2_000);
  assert.equal(history.learnedMsecs, null);
});

test("closes together after the same idle time are no restart", () => {
  const history = new IdleHistory();
  for (const idle of [1_000, 1_003, 1_010]) history.closed(idle, 10_000);
  assert.equal(history.learnedMsecs, 1_000);
});

test("a server that closes at any time is called erratic, and nothing is learned of it", () => {
  const history = new IdleHistory();
  const closes = [900, 40, 3_000, 410, 120, 2_000, 70, 650, 1_500, 220, 4_000, 330];
  for (const [index, idle] of closes.entries()) {
    history.closed(idle, index * 60_000);
    for (let count = 0; count < 6; count++) history.survived(idle * 1.5 + 100);
  }
  assert.deepEqual(
    [history.learnedMsecs, history.strictMsecs, history.closing],
    [null, null, "erratic"],
  );
});

test("a close takes back what was proven", () => {
  const history = new IdleHistory();
  history.survived(5_000);
  history.closed(300, 10_000);
  assert.equal(history.provenMsecs, 300);
});
