import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
import type { Msecs } from "./clock.ts";
import { Deadline, Timers } from "./timers.ts";

const minute = 60_000;
const year = 365 * 24 * 60 * minute;

/** A deadline that remembers when it expired. */
class Probe extends Deadline {
  expiredAt: Msecs | null = null;
  onExpire: ((now: Msecs) => void) | null = null;

  override expire(now: Msecs): void {
    assert.equal(this.slot, -1, "a deadline that expires is not set any more");
    this.expiredAt = now;
    this.onExpire?.(now);
  }
}

function wheel() {
  const wakes: Msecs[] = [];
  const timers = new Timers((at) => wakes.push(at));
  return { timers, wakes };
}

test("a deadline expires at its instant and not before", () => {
  for (const msecs of [1, 2, 63, 64, 65, 4_095, 4_096, 70_000, 300_000, 17_000_000, 2 * year]) {
    const { timers } = wheel();
    const probe = new Probe();
    timers.set(probe, 5 + msecs, 5);
    timers.advance(5 + msecs - 0.001);
    assert.equal(probe.expiredAt, null, `${msecs} ms, one instant before`);
    timers.advance(5 + msecs);
    assert.equal(probe.expiredAt, 5 + msecs, `${msecs} ms`);
  }
});

test("an instant between two milliseconds expires with the later of them", () => {
  const { timers } = wheel();
  const probe = new Probe();
  timers.set(probe, 10.25, 0.5);
  timers.advance(10.9);
  assert.equal(probe.expiredAt, null);
  timers.advance(11);
  assert.equal(probe.expiredAt, 11);
});

test("a deadline in the past expires with the next tick, not inside `set`", () => {
  const { timers } = wheel();
  const probe = new Probe();
  timers.set(probe, 20, 100);
  assert.equal(probe.expiredAt, null);
  timers.advance(101);
  assert.equal(probe.expiredAt, 101);
});

test("setting a deadline anew takes the place of the earlier setting", () => {
  const { timers } = wheel();
  const probe = new Probe();
  timers.set(probe, 10, 0);
  timers.set(probe, 500, 0);
  assert.equal(timers.count, 1);
  timers.advance(499);
  assert.equal(probe.expiredAt, null);
  timers.advance(500);
  assert.equal(probe.expiredAt, 500);
});

test("`Infinity` clears a deadline, and a cleared one never expires", () => {
  const { timers } = wheel();
  const [cleared, infinite] = [new Probe(), new Probe()];
  for (const probe of [cleared, infinite]) timers.set(probe, 10, 0);
  timers.clear(cleared);
  timers.clear(cleared);
  timers.set(infinite, Number.POSITIVE_INFINITY, 0);
  assert.equal(timers.count, 0);
  timers.advance(1_000);
  assert.equal(cleared.expiredAt, null);
  assert.equal(infinite.expiredAt, null);
  assert.equal(timers.nextAt, Number.POSITIVE_INFINITY);
});

test("a deadline may be set and others cleared while one expires", () => {
  const { timers } = wheel();
  const [first, cleared, chained] = [new Probe(), new Probe(), new Probe()];
  first.onExpire = (now) => {
    timers.clear(cleared);
    timers.set(chained, now + 3, now);
    timers.set(first, now + 50, now);
    first.onExpire = null;
  };
  timers.set(first, 10, 0);
  timers.set(cleared, 11, 0);
  timers.advance(10);
  timers.advance(12);
  assert.equal(chained.expiredAt, null);
  timers.advance(13);
  assert.equal(chained.expiredAt, 13);
  assert.equal(cleared.expiredAt, null);
  timers.advance(60);
  assert.equal(first.expiredAt, 60);
});

test("a late `advance` expires what became due in the order of time", () => {
  const { timers } = wheel();
  const order: Msecs[] = [];
  for (const at of [70_000, 3, 900, 64, 5_000, 65, 4_097]) {
    const probe = new Probe();
    probe.onExpire = () => order.push(at);
    timers.set(probe, at, 0);
  }
  timers.advance(year);
  assert.deepEqual(order, [3, 64, 65, 900, 4_097, 5_000, 70_000]);
});

test("an empty wheel asks for no wake-up", () => {
  const { timers, wakes } = wheel();
  timers.advance(1_000);
  assert.deepEqual(wakes, []);
  const probe = new Probe();
  timers.set(probe, 1_010, 1_000);
  timers.advance(1_010);
  assert.deepEqual(wakes, [1_010]);
});

test("an idle wheel wakes a bounded number of times for a far deadline", () => {
  const { timers, wakes } = wheel();
  const probe = new Probe();
  timers.set(probe, 30 * minute + 7, 0);
  for (let wake = wakes.pop(); wake !== undefined; wake = wakes.pop()) timers.advance(wake);
  assert.equal(probe.expiredAt, 30 * minute + 7);
  const again = new Probe();
  let count = 0;
  timers.set(again, 3 * year, probe.expiredAt as number);
  for (let wake = wakes.pop(); wake !== undefined; wake = wakes.pop()) {
    timers.advance(wake);
    count++;
  }
  assert.equal(again.expiredAt, 3 * year);
  assert.ok(count <= 12, `${count} wake-ups`);
});

test("setting and clearing touch as many deadlines in a full wheel as in an empty one", () => {
  const accessesAmong = (count: number): number => {
    const { timers } = wheel();
    let accesses = 0;
    const probes = Array.from({ length: count }, () => new Probe());
    for (const probe of probes) {
      for (const link of ["sooner", "later"] as const) {
        let value: Deadline | null = null;
        Object.defineProperty(probe, link, {
          get: () => {
            accesses++;
            return value;
          },
          set: (next: Deadline | null) => {
            accesses++;
            value = next;
          },
        });
      }
      timers.set(probe, 5_000, 0);
    }
    accesses = 0;
    const middle = probes[count >> 1] as Probe;
    timers.clear(middle);
    timers.set(middle, 5_000, 0);
    return accesses;
  };
  assert.equal(accessesAmong(1_000), accessesAmong(3));
});

type Operation =
  | { readonly kind: "set"; readonly probe: number; readonly inMsecs: Msecs }
  | { readonly kind: "clear"; readonly probe: number }
  | { readonly kind: "advance"; readonly msecs: Msecs };

const probeCount = 12;
const someMsecs = fc.oneof(
  fc.integer({ min: 0, max: 400 }).map((quarters) => quarters / 4),
  fc.integer({ min: 0, max: 70_000 }),
  fc.integer({ min: 0, max: 4 * year }),
  fc.integer({ min: 0, max: 36 }).map((power) => 2 ** power),
);
const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant("set" as const),
      probe: fc.nat(probeCount - 1),
      // Also a little in the past.
      inMsecs: fc.oneof(someMsecs, fc.constant(-3.5)),
    }),
    fc.record({ kind: fc.constant("clear" as const), probe: fc.nat(probeCount - 1) }),
    fc.record({ kind: fc.constant("advance" as const), msecs: someMsecs }),
  ),
  { maxLength: 60, size: "max" },
);

test("the wheel does what a sorted list does, whatever is set, cleared and advanced", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000 }), operations, (startAt, script) => {
      let now: Msecs = startAt + 0.5;
      let wakeAt = Number.POSITIVE_INFINITY;
      const timers = new Timers((at) => {
        wakeAt = Math.min(wakeAt, at);
      });
      const probes = Array.from({ length: probeCount }, () => new Probe());
      /** By when each that is set must expire. A past instant means the next millisecond. */
      const model = new Map<Probe, { readonly at: Msecs; readonly by: Msecs }>();
      const expired: { readonly at: Msecs; readonly by: Msecs }[] = [];
      for (const probe of probes) {
        probe.onExpire = (at) => {
          const expected = model.get(probe);
          assert.ok(expected, "what is not set does not expire");
          assert.ok(at >= expected.at, "never early");
          expired.push(expected);
          model.delete(probe);
        };
      }

      for (const operation of script) {
        switch (operation.kind) {
          case "set": {
            const probe = probes[operation.probe] as Probe;
            const at = now + operation.inMsecs;
            timers.set(probe, at, now);
            model.set(probe, { at, by: Math.max(Math.ceil(at), Math.floor(now) + 1) });
            break;
          }
          case "clear": {
            const probe = probes[operation.probe] as Probe;
            timers.clear(probe);
            model.delete(probe);
            break;
          }
          case "advance": {
            now += operation.msecs;
            expired.length = 0;
            wakeAt = Number.POSITIVE_INFINITY;
            timers.advance(now);
            for (const left of model.values()) assert.ok(left.by > now, "at most 1 ms late");
            const ordered = expired.filter((each) => each.by === Math.ceil(each.at));
            for (const [index, each] of ordered.entries()) {
              assert.ok(index === 0 || (ordered[index - 1]?.by ?? 0) <= each.by, "in order");
            }
            break;
          }
          default:
            operation satisfies never;
        }
        assert.equal(timers.count, model.size);
        for (const left of model.values()) {
          assert.ok(timers.nextAt <= left.by, "nextAt is not after any deadline");
          assert.ok(wakeAt <= left.by, "the wheel is woken for every deadline");
        }
      }
    }),
    { numRuns: 3_000 },
  );
});

test("a deadline whose expiry throws does not keep the others from being woken", () => {
  let wakeAt = Number.POSITIVE_INFINITY;
  const timers = new Timers((at) => {
    wakeAt = at;
  });
  const expired: number[] = [];
  class Later extends Deadline {
    override expire(now: number): void {
      expired.push(now);
    }
  }
  class Throwing extends Deadline {
    override expire(): void {
      throw new Error("defect");
    }
  }
  timers.set(new Throwing(), 10, 0);
  timers.set(new Later(), 20, 0);
  assert.throws(() => timers.advance(10), /defect/);
  assert.equal(wakeAt, 20);
  timers.advance(wakeAt);
  assert.deepEqual(expired, [20]);
});

test("a deadline that is set again when it expires late, alone on the wheel, waits for its new time", () => {
  const timers = new Timers(() => {});
  const expired: number[] = [];
  class Again extends Deadline {
    override expire(now: number): void {
      assert.ok(expired.length < 3, "it expires again and again");
      expired.push(now);
      // Sixty-four slots after the one that is being emptied.
      if (expired.length === 1) timers.set(this, 135, now);
    }
  }
  timers.set(new Again(), 71, 0);
  timers.advance(95);
  assert.deepEqual(expired, [95]);
  timers.advance(134);
  assert.deepEqual(expired, [95]);
  timers.advance(135);
  assert.deepEqual(expired, [95, 135]);
});
