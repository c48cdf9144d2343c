import assert from "node:assert/strict";
import { test } from "node:test";
import { LaneTally } from "./tally.ts";

test("the mean follows what went well, and of the rest what took longer", () => {
  const lane = new LaneTally();
  lane.ended(40, true);
  lane.ended(8, false);
  assert.equal(lane.serviceMsecs, 40);
  lane.ended(80, false);
  assert.equal(lane.serviceMsecs, 45);
  lane.ended(5, true);
  assert.equal(lane.serviceMsecs, 40);
  assert.equal(lane.use.count, 4);
});

test("who follows goes on from all of it, and a sum has what can be added", () => {
  const former = new LaneTally();
  former.requests = 3;
  former.granted(null);
  former.granted(0);
  former.granted(30);
  former.waited(0);
  former.waited(7);
  former.responded(4);
  former.ended(10, true);
  former.refused = 1;
  const [follower, sum] = [new LaneTally(), new LaneTally()];
  follower.follow(former);
  sum.add(former);
  for (const lane of [follower, sum]) {
    const { requests, served, reused, unqueued, refused } = lane;
    assert.deepEqual(
      { requests, served, reused, unqueued, refused },
      { requests: 3, served: 3, reused: 2, unqueued: 1, refused: 1 },
    );
    assert.deepEqual(
      [lane.waits, lane.idle, lane.firstByte, lane.use].map(({ count, max }) => [count, max]),
      [
        [1, 7],
        [1, 30],
        [1, 4],
        [1, 10],
      ],
    );
  }
  assert.deepEqual([follower.serviceMsecs, sum.serviceMsecs], [10, 0]);
});
