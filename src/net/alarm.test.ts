import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Alarm } from "./alarm.ts";
import type { ClientClock } from "./clock.ts";

// A clock that stands at `now`, and whose timers note how they are used.
let now = 0;
let timers: FakeTimer[] = [];

class FakeTimer {
  isReferenced = true;
  isCleared = false;
  readonly run: () => void;
  readonly msecs: number;

  constructor(run: () => void, msecs: number) {
    this.run = run;
    this.msecs = msecs;
    timers.push(this);
  }

  ref(): this {
    this.isReferenced = true;
    return this;
  }

  unref(): this {
    this.isReferenced = false;
    return this;
  }
}

beforeEach(() => {
  now = 1_000;
  timers = [];
});

const clock: ClientClock = {
  now: () => now,
  setTimer: (run, msecs) => new FakeTimer(run, msecs),
  clearTimer: (timer) => {
    (timer as FakeTimer).isCleared = true;
  },
};

/** The one timer that is not cleared. */
function running(): FakeTimer {
  const [timer, ...others] = timers.filter(({ isCleared }) => !isCleared);
  assert(timer !== undefined, "no timer runs");
  assert.equal(others.length, 0, "more than one timer runs");
  return timer;
}

function fire(timer: FakeTimer): void {
  timer.isCleared = true;
  timer.run();
}

function makeAlarm(): { alarm: Alarm; rings: number[] } {
  const rings: number[] = [];
  return {
    alarm: new Alarm(clock, () => rings.push(now)),
    rings,
  };
}

test("it rings once, at the instant that was set last", () => {
  const { alarm, rings } = makeAlarm();
  alarm.set(5_000);
  alarm.set(1_500);
  assert.equal(running().msecs, 500);
  alarm.set(1_250);
  assert.equal(running().msecs, 250);
  now = 1_250;
  fire(running());
  assert.deepEqual(rings, [1_250]);
  assert(timers.every(({ isCleared }) => isCleared));
});

test("it never rings early: parts of milliseconds are rounded up", () => {
  const { alarm } = makeAlarm();
  alarm.set(1_000.1);
  assert.equal(running().msecs, 1);
  alarm.set(1_002.5);
  assert.equal(running().msecs, 3);
});

test("an instant that has passed is rung for at the next turn, not at once", () => {
  const { alarm, rings } = makeAlarm();
  alarm.set(10);
  assert.deepEqual(rings, []);
  assert.equal(running().msecs, 1);
});

test("an instant further away than setTimeout reaches is looked at again then", () => {
  const { alarm } = makeAlarm();
  alarm.set(1e12);
  assert.equal(running().msecs, 2_147_483_647);
  alarm.set(Number.POSITIVE_INFINITY);
  assert.equal(running().msecs, 2_147_483_647);
});

test("it keeps the process alive only while it is held", () => {
  const { alarm } = makeAlarm();
  alarm.set(2_000);
  assert.equal(running().isReferenced, false);
  alarm.hold(true);
  assert.equal(running().isReferenced, true);
  alarm.set(3_000);
  assert.equal(running().isReferenced, true);
  alarm.hold(false);
  assert.equal(running().isReferenced, false);
  alarm.set(4_000);
  assert.equal(running().isReferenced, false);
});

test("held without an instant it keeps the process alive all the same", () => {
  const { alarm, rings } = makeAlarm();
  alarm.hold(true);
  assert.equal(running().isReferenced, true);
  alarm.set(1_100);
  now = 1_100;
  fire(running());
  assert.deepEqual(rings, [1_100]);
  assert.equal(running().isReferenced, true);
  alarm.hold(false);
  assert.equal(running().isReferenced, false);
});

test("it may be set while it rings", () => {
  const alarm: Alarm = new Alarm(clock, () => alarm.set(now + 100));
  alarm.hold(true);
  alarm.set(1_100);
  now = 1_100;
  fire(running());
  assert.equal(running().msecs, 100);
  assert.equal(running().isReferenced, true);
});

test("cleared it rings no more until it is set again", () => {
  const { alarm } = makeAlarm();
  alarm.set(2_000);
  alarm.clear();
  alarm.clear();
  assert(timers.every(({ isCleared }) => isCleared));
  alarm.set(2_000);
  assert.equal(running().msecs, 1_000);
});
