import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
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
  // From a time on that has come far: ends that differ by less than 1e-12 of it count as equal.
  for (const before of [1e3, 1e6]) {
    const later = new FairOrder<Waiter>();
    turns(later, [one(1)], before);
    const those = waiters([1_000, 1, 37, 999, 250]);
    for (let taken = 1; taken <= 20_000; taken++) {
      turn(later, those);
      const off = furthestOff(those, taken);
      assert.ok(off < 1.01, `after ${before} turns, off by ${off} after ${taken} more`);
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

test("a turn that was taken too early still counts after a pause, but no more than one does", () => {
  const early = fc.integer({ min: 1, max: 50 });
  const property = fc.property(weights(2), early, (drawn, count) => {
    const order = new FairOrder<Waiter>();
    const [greedy, ...others] = waiters(drawn) as [Waiter, ...Waiter[]];
    // Due or not: the others could not use them.
    for (let taken = 0; taken < count; taken++) order.took(greedy, [greedy, ...others]);
    turns(order, others, 1);
    let passedOver = 0;
    while (turn(order, [greedy, ...others]) !== greedy) passedOver++;
    // The turn too much and its next one are worth so many of all; and as ever it may be one of each other late.
    const worth = sumOf([greedy, ...others]) / greedy.weight;
    const most = Math.ceil(2 * worth) + others.length;
    assert.ok(passedOver <= most, `it stands back for ${passedOver} turns, not ${most}`);
  });
  fc.assert(property, { numRuns: 300 });

  const order = new FairOrder<Waiter>();
  const [greedy, other, third] = waiters([1, 1, 1]) as [Waiter, Waiter, Waiter];
  order.took(greedy, [greedy, other, third]);
  turns(order, [other, third], 1);
  // Of the next three turns it has the last: it had its first before, and the others have theirs.
  const had = turns(order, [greedy, other, third], 3).map((each) => each.sequence);
  assert.equal(had.indexOf(0), 1, `${had}`);
});

test("who was there while others stood ahead, and left, is not behind when it comes back", () => {
  const order = new FairOrder<Waiter>();
  const [heavy, away, light, behind] = waiters([1_000, 1_000, 1, 1]) as [
    Waiter,
    Waiter,
    Waiter,
    Waiter,
  ];
  assert.equal(turn(order, [light, behind]), light);
  assert.equal(turn(order, [away, light, behind]), away);
  assert.equal(turn(order, [heavy, behind]), heavy);
  // Two of one weight: half of the turns each.
  turns(order, [heavy, away], 100);
  assert.ok(Math.abs(away.served - 51) <= 2, `${away.served - 1} of 100 turns`);
});

test("whoever came and went before, from then on each has its share, but for what some had too much", () => {
  const toggles = fc.array(fc.nat(4_095), { maxLength: 60, size: "max" });
  const property = fc.property(weights(2), toggles, (drawn, script) => {
    const order = new FairOrder<Waiter>();
    const all = waiters(drawn);
    for (const bits of script) {
      const present = all.filter((_, index) => (bits >> index) % 2 === 1);
      if (present.length > 0) turn(order, present);
    }
    for (const each of all) each.served = 0;
    const sum = sumOf(all);
    for (let taken = 1; taken <= 300; taken++) {
      turn(order, all);
      for (const each of all) {
        const beyond = each.served - (taken * each.weight) / sum;
        assert.ok(beyond > -3 && beyond < all.length, `${beyond} beyond its share of ${taken}`);
      }
    }
  });
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

// Not proven, and not so for every script: found were weights [1, 1, 1, 6, 2, 1, 5, 1, 4, 4, 1] with toggles [80, 1448, 2432, 514, 2240,
// 88, 1616, 2360, 280, 902, 2120, 2306, 1794, 2856, 2840, 1104, 136, 96, 1064, 1298], where it is two turns more.
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
