import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PendingQueue, PendingRequest } from "./pending.ts";

class Request extends PendingRequest {
  readonly queueTimeoutMsecs = null;
  readonly lane = "default";
  readonly isReplayable = true;
  granted: number[] = [];

  interrupted(): void {}

  override expireGranted(now: number): void {
    this.granted.push(now);
  }
}

/** Compares `queue` with the plain array and the number of dials that it stands for. */
function check(queue: PendingQueue<Request>, waiting: readonly Request[], dialing: number): void {
  assert.equal(queue.count, waiting.length);
  assert.equal(queue.head, waiting[0] ?? null);
  assert.equal(queue.uncovered, waiting[dialing] ?? null);
  let each: PendingRequest | null = queue.head;
  for (const [index, expected] of waiting.entries()) {
    assert.equal(each, expected);
    assert.equal(each?.ahead, waiting[index - 1] ?? null);
    assert.equal(each?.covered, index < dialing);
    each = each?.behind ?? null;
  }
  assert.equal(each, null);
}

type Step = ["push"] | ["remove", number] | ["dialing", number];
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.constant<Step>(["push"]),
    fc.nat().map((index): Step => ["remove", index]),
    fc.nat(6).map((dialing): Step => ["dialing", dialing]),
  ),
  { maxLength: 60, size: "max" },
);

test("the first so many requests as dials are under way are covered, whoever joins or leaves", () => {
  fc.assert(
    fc.property(steps, (script) => {
      const queue = new PendingQueue<Request>();
      const waiting: Request[] = [];
      let dialing = 0;
      for (const [kind, number] of script) {
        if (kind === "push") {
          const request = new Request();
          queue.push(request);
          waiting.push(request);
        } else if (kind === "dialing") {
          dialing = number;
          queue.setDialing(dialing);
        } else if (waiting.length > 0) {
          const [request] = waiting.splice(number % waiting.length, 1);
          queue.remove(request as Request);
          assert.equal(request?.covered, false);
          assert.equal(request?.ahead, null);
          assert.equal(request?.behind, null);
        }
        check(queue, waiting, dialing);
      }
    }),
    { numRuns: 3_000 },
  );
});

test("the dial of a request that leaves serves the next one in line", () => {
  const queue = new PendingQueue<Request>();
  const [first, second, third] = [new Request(), new Request(), new Request()];
  for (const request of [first, second, third]) queue.push(request);
  queue.setDialing(1);
  queue.remove(first);
  check(queue, [second, third], 1);
});

test("a request that was granted expires for its surface, not for the queue", () => {
  const request = new Request();
  request.phase = "granted";
  request.expire(7);
  assert.deepEqual(request.granted, [7]);
});
