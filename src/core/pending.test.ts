import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
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

/** Compares `queue` with the plain array and the number of covered requests that it stands for. */
function check(queue: PendingQueue<Request>, waiting: readonly Request[], covered: number): void {
  assert.equal(queue.count, waiting.length);
  assert.equal(queue.head, waiting[0] ?? null);
  assert.equal(queue.tail, waiting.at(-1) ?? null);
  assert.equal(queue.uncovered, waiting[covered] ?? null);
  assert.equal(queue.coveredCount, covered);
  assert.equal(queue.lastCovered, waiting[covered - 1] ?? null);
  let each: PendingRequest | null = queue.head;
  for (const [index, expected] of waiting.entries()) {
    assert.equal(each, expected);
    assert.equal(each?.ahead, waiting[index - 1] ?? null);
    assert.equal(each?.covered, index < covered);
    each = each?.behind ?? null;
  }
  assert.equal(each, null);
}

type Step = readonly ["push" | "unshift" | "insert" | "remove" | "cover" | "uncover", number];
const kinds = fc.constantFrom(
  "push",
  "unshift",
  "insert",
  "remove",
  "cover",
  "uncover",
) as fc.Arbitrary<Step[0]>;
const steps: fc.Arbitrary<Step[]> = fc.array(fc.tuple(kinds, fc.nat(50)), {
  maxLength: 60,
  size: "max",
});

test("the first so many requests as are covered are those at the head, whoever joins or leaves", () => {
  fc.assert(
    fc.property(steps, (script) => {
      const queue = new PendingQueue<Request>();
      const waiting: Request[] = [];
      let covered = 0;
      for (const [kind, number] of script) {
        const request = new Request();
        if (kind === "push") {
          request.sequence = 1_000;
          queue.push(request);
          waiting.push(request);
        } else if (kind === "unshift") {
          queue.unshift(request);
          waiting.unshift(request);
        } else if (kind === "insert") {
          request.sequence = number;
          queue.insert(request);
          const index = waiting.findIndex((each) => each.sequence >= number);
          waiting.splice(index === -1 ? waiting.length : index, 0, request);
        } else if (kind === "cover" && covered < waiting.length) {
          queue.cover();
          covered++;
        } else if (kind === "uncover" && covered > 0) {
          queue.uncover();
          covered--;
        } else if (kind === "remove" && waiting.length > 0) {
          const index = number % waiting.length;
          const [removed] = waiting.splice(index, 1);
          queue.remove(removed as Request);
          if (index < covered) covered--;
          assert.equal(removed?.covered, false);
          assert.equal(removed?.ahead, null);
          assert.equal(removed?.behind, null);
        }
        check(queue, waiting, covered);
      }
    }),
    { numRuns: 3_000 },
  );
});

test("a request that was granted expires for its surface, not for the queue", () => {
  const request = new Request();
  request.phase = "granted";
  request.expire(7);
  assert.deepEqual(request.granted, [7]);
});
