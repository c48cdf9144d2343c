import assert from "node:assert/strict";
import { test } from "node:test";
import { Timeline } from "./timeline.ts";

const answer = { statusCode: 200, bodyBytes: 0, queuedMsecs: null };
const startedAt = 1_000;

function ended(atMsecs: number, latencyMsecs: number, outcome: typeof answer | Error = answer) {
  const endedAt = startedAt + atMsecs;
  const intendedAt = endedAt - latencyMsecs;
  return { url: "http://a.test/", intendedAt, sentAt: intendedAt, endedAt, outcome };
}

test("what ended stands in the slot of its time, and a stall is a gap", () => {
  const timeline = new Timeline(startedAt);
  timeline.ended(ended(10, 5));
  timeline.ended(ended(49, 7));
  timeline.ended(ended(160, 100, new Error("lost")));
  const { slotMsecs, slots } = timeline.report();
  assert.equal(slotMsecs, 50);
  assert.deepEqual(
    slots.map(({ answered, failed, maxMsecs }) => [answered, failed, maxMsecs]),
    [
      [2, 0, 7],
      [0, 0, null],
      [0, 0, null],
      [0, 1, null],
    ],
  );
});

test("sockets are counted in the slot of their time: those opened add up, of those open the most stands", () => {
  const timeline = new Timeline(startedAt);
  timeline.counted({ opened: 3, open: 4 }, startedAt + 10);
  timeline.counted({ opened: 4, open: 2 }, startedAt + 40);
  timeline.counted({ opened: 9, open: 1 }, startedAt + 120);
  const seen = () => timeline.report().slots.map(({ opened, sockets }) => [opened, sockets]);
  assert.deepEqual(seen(), [
    [4, 4],
    [0, null],
    [5, 1],
  ]);
  // In slots of twice the length.
  timeline.counted({ opened: 9, open: 0 }, startedAt + 50 * 120);
  assert.deepEqual(seen().slice(0, 2), [
    [4, 4],
    [5, 1],
  ]);
});

test("a long load has no more slots than a short one, and loses nothing", () => {
  const timeline = new Timeline(startedAt);
  const seconds = 3_600;
  for (let second = 0; second < seconds; second++) {
    timeline.ended(ended(second * 1_000, second % 2 === 0 ? 10 : 20));
  }
  const { slotMsecs, slots } = timeline.report();
  assert.ok(slots.length <= 120 && slots.length > 60, `${slots.length}`);
  assert.ok(slotMsecs * slots.length >= (seconds - 1) * 1_000);
  assert.equal(
    slots.reduce((sum, each) => sum + each.answered, 0),
    seconds,
  );
  for (const { maxMsecs } of slots) assert.equal(maxMsecs, 20);
});
