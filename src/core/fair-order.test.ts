import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Entrant, FairOrder } from "./fair-order.ts";

/** Who waits, and how many turns it had. */
interface Waiter extends Entrant {
  sequence: number;
  served: number;
}

const weight = fc.oneof(
  fc.integer({ min: 1, max: 1_000 }),
  fc.constantFrom(1, 2, 3, 7, 999, 1_000),
);
const weights = (minLength: number) => fc.array(weight, { minLength, maxLength: 12 });

function waiters(weights: readonly number[], start = 0): Waiter[] {
  return weights.map((each, sequence) => ({ weight: each, sequence, start, round: 0, served: 0 }));
}

/** The one that is due takes the turn. */
function turn(order: FairOrder<Waiter>, waiting: readonly Waiter[]): Waiter {
  const due = order.due(waiting);
  assert.ok(due, "somebody waits, and nobody is due");
  order.took(due, waiting);
  due.served++;
  return due;
}

function turns(order: FairOrder<Waiter>, waiting: readonly Waiter[], count: number): Waiter[] {
  return Array.from({ length: count }, () => turn(order, waiting));
}

function sumOf(waiting: readonly Waiter[]): number {
  return waiting.reduce((sum, each) => sum + each.weight, 0);
}

/** By how many turns the one that is furthest from its share of `count` turns is off. */
function furthestOff(all: readonly Waiter[], count: number): number {
  const sum = sumOf(all);
  return Math.max(...all.map((each) => Math.abs(each.served - (count * each.weight) / sum)));
}

test("while the same ones wait, after every turn each has had its share to less than one turn", () => {
  const property = fc.property(weights(1), fc.integer({ min: 1, max: 600 }), (drawn, count) => {
    const order = new FairOrder<Waiter>();
    const all = waiters(drawn);
    for (let taken = 1; taken <= count; taken++) {
      turn(order, all);
      const off = furthestOff(all, taken);
      assert.ok(off < 1, `off by ${off} turns of ${taken}`);
    }
  });
  fc.assert(property, { numRuns: 300 });
});

test("a heavy one beside many light ones gets no turns ahead of time", () => {
  const order = new FairOrder<Waiter>();
  const all = waiters([10, ...new Array<number>(10).fill(1)]);
  const [heavy] = all;
  const had = turns(order, all, 20).map((each) => each === heavy);
  // Every second one is its own: it never has two in a row, but for one where its order of arrival decides.
  const inARow = had.filter((own, index) => own && had[index + 1] === true).length;
  assert.equal(had.filter(Boolean).length, 10);
  assert.ok(inARow <= 1, `${inARow} times in a row`);
});

test("shares stay exact over a million turns, and however far the times have come", () => {
  const order = new FairOrder<Waiter>();
  const all = waiters([1_000, 1, 37, 999, 250]);
  for (let taken = 1; taken <= 1_000_000; taken++) {
    turn(order, all);
    if (taken % 1_000 === 0) assert.ok(furthestOff(all, taken) < 1, `after ${taken} turns`);
  }
  // Times as after so many turns of lanes of weight 1: ends that differ by less than 1e-12 of it count as equal.
  for (const start of [1e3, 1e5, 1e7]) {
    const later = waiters([1_000, 1, 37, 999, 250], start);
    const orderThen = new FairOrder<Waiter>();
    for (let taken = 1; taken <= 20_000; taken++) {
      turn(orderThen, later);
      const off = furthestOff(later, taken);
      assert.ok(off < 1.02, `from ${start} on, off by ${off} after ${taken} turns`);
    }
  }
});

test("among equals the one goes first whose request came first, wherever it stands in the list", () => {
  const property = fc.property(
    fc.integer({ min: 2, max: 12 }).chain((count) =>
      fc.record({
        shared: weight,
        sequences: fc.shuffledSubarray([...Array(count).keys()], { minLength: count }),
      }),
    ),
    ({ shared, sequences }) => {
      const order = new FairOrder<Waiter>();
      const all = sequences.map((sequence) => ({ ...one(shared), sequence }));
      for (let round = 0; round < 5; round++) {
        const had = turns(order, all, all.length).map((each) => each.sequence);
        assert.deepEqual(had, [...Array(all.length).keys()]);
      }
    },
  );
  fc.assert(property, { numRuns: 200 });
});

test("who is due is found without changing whose turn it is", () => {
  const property = fc.property(weights(2), (drawn) => {
    const [asked, once] = [new FairOrder<Waiter>(), new FairOrder<Waiter>()];
    const [all, others] = [waiters(drawn), waiters(drawn)];
    for (let taken = 0; taken < 60; taken++) {
      for (let count = 0; count < taken % 4; count++) asked.due(all);
      assert.equal(turn(asked, all).sequence, turn(once, others).sequence);
    }
  });
  fc.assert(property, { numRuns: 50 });
  const order = new FairOrder<Waiter>();
  const alone = one(3);
  assert.equal(order.due([]), null);
  assert.equal(order.due([alone]), alone);
});

test("who joins later begins at the common time: a pause gives no credit", () => {
  const property = fc.property(weights(1), weight, fc.nat(2_000), (drawn, ofLate, before) => {
    const order = new FairOrder<Waiter>();
    const early = waiters(drawn);
    turns(order, early, before);
    const late = { ...one(ofLate), sequence: -1 };
    const all = [...early, late];
    const sum = sumOf(all);
    for (let taken = 1; taken <= 200; taken++) {
      turn(order, all);
      const off = late.served - (taken * late.weight) / sum;
      assert.ok(Math.abs(off) < 1, `${off} turns off its share, after ${taken}`);
    }
  });
  fc.assert(property, { numRuns: 200 });
});

test("who comes back after a pause in which it had its due has no credit either", () => {
  const order = new FairOrder<Waiter>();
  const [away, other] = waiters([1, 1]) as [Waiter, Waiter];
  turns(order, [away, other], 10);
  turns(order, [other], 500);
  const had = turns(order, [away, other], 10);
  assert.deepEqual([away.served, other.served], [10, 510]);
  assert.equal(had.filter((each) => each === away).length, 5);
});

test("turns taken too early still count after a pause", () => {
  const property = fc.property(
    weight,
    weight,
    fc.integer({ min: 1, max: 200 }),
    fc.nat(400),
    (ofGreedy, ofOther, early, pause) => {
      const order = new FairOrder<Waiter>();
      const [greedy, other] = waiters([ofGreedy, ofOther]) as [Waiter, Waiter];
      for (let count = 0; count < early; count++) {
        order.took(greedy, [greedy, other]); // due or not: the other could not use it
        greedy.served++;
      }
      turns(order, [other], pause);
      // Its next turn is when the other has had its share beside those: to less than one turn.
      while (turn(order, [greedy, other]) !== greedy) {
        assert.ok(other.served <= (early * ofOther) / ofGreedy + Math.max(pause, 1), "never again");
      }
      const fair = (early * ofOther) / ofGreedy;
      assert.ok(other.served >= fair - 1, `its next turn after ${other.served}, not ${fair}`);
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test("a turn that is taken out of order is made up for by the ones that follow", () => {
  const property = fc.property(weights(2), fc.array(fc.nat(11)), (drawn, pushed) => {
    const order = new FairOrder<Waiter>();
    const all = waiters(drawn);
    for (const index of pushed) {
      const each = all[index % all.length] as Waiter;
      order.took(each, all);
      each.served++;
    }
    // So many turns that even who had all of them has no more than its share in the end.
    const lightest = Math.min(...all.map((each) => each.weight));
    const needed = Math.ceil((pushed.length * sumOf(all)) / lightest);
    if (needed > 20_000) return;
    for (let count = 0; count < needed; count++) turn(order, all);
    const off = furthestOff(all, pushed.length + needed);
    assert.ok(off < 1, `still off by ${off}`);
  });
  fc.assert(property, { numRuns: 200 });
});

test("nobody who keeps waiting is passed over for more than its turn and one of each other, whoever comes and goes", () => {
  const toggles = fc.array(fc.nat(4_095), { minLength: 20, maxLength: 400, size: "max" });
  const property = fc.property(weights(2), toggles, fc.boolean(), (drawn, script, leaves) => {
    const order = new FairOrder<Waiter>();
    const all = waiters(drawn);
    const [patient] = all as [Waiter];
    const most = Math.ceil(sumOf(all) / patient.weight) + all.length;
    let present = new Set(all);
    let passedOver = 0;
    for (let step = 0; step < script.length * 4; step++) {
      const bits = script[step % script.length] as number;
      present = new Set(all.filter((each, index) => each === patient || (bits >> index) % 2 === 1));
      const had = turn(order, [...present]);
      // The worst moment to go is just after a turn: what it had too much is carried by the others.
      if (leaves) present.delete(had);
      passedOver = had === patient ? 0 : passedOver + 1;
      assert.ok(passedOver <= most, `passed over ${passedOver} times, not ${most}`);
    }
  });
  fc.assert(property, { numRuns: 500 });
});

function one(ofWeight: number): Waiter {
  return waiters([ofWeight])[0] as Waiter;
}
