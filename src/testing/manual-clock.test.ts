import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { ManualClock } from "./manual-clock.ts";

/** A clock, and a function that sets a timer which notes its name and when it ran. */
function noting(clock = new ManualClock()) {
  const ran: string[] = [];
  const set = (name: string, msecs: number) =>
    clock.setTimer(() => ran.push(`${name} at ${clock.now()}`), msecs);
  return { clock, ran, set };
}

test("it stands still until it is moved, and starts where it is told to", () => {
  const clock = new ManualClock(1_000);
  assert.equal(clock.now(), 1_000);
  clock.advance(0);
  assert.equal(clock.now(), 1_000);
  clock.advance(2.5);
  assert.equal(clock.now(), 1_002.5);
  assert.equal(new ManualClock().now(), 0);
});

test("each timer runs once, at its instant, in order of instants and then of setting", () => {
  const { clock, ran, set } = noting();
  set("c", 30);
  set("a", 10);
  set("b", 10);
  set("d", 31);
  clock.advance(9);
  assert.deepEqual(ran, []);
  clock.advance(21);
  assert.deepEqual(ran, ["a at 10", "b at 10", "c at 30"]);
  assert.equal(clock.timerCount, 1);
  clock.advance(1_000);
  assert.deepEqual(ran.slice(3), ["d at 31"]);
  assert.equal(clock.now(), 1_030);
  assert.equal(clock.timerCount, 0);
});

test("a timer that is set by another runs in the same move when it comes due", () => {
  const { clock, ran, set } = noting();
  clock.setTimer(() => set("second", 5), 5);
  set("between", 7);
  clock.advance(10);
  assert.deepEqual(ran, ["between at 7", "second at 10"]);
  clock.setTimer(() => set("late", 5), 8);
  clock.advance(12);
  assert.equal(ran.length, 2);
  clock.advance(1);
  assert.deepEqual(ran.slice(2), ["late at 23"]);
});

test("a timer never runs while it is set, but a millisecond later at the earliest", () => {
  const { clock, ran, set } = noting();
  set("now", 0);
  set("before", -5);
  clock.advance(0.5);
  assert.deepEqual(ran, []);
  clock.advance(0.5);
  assert.deepEqual(ran, ["now at 1", "before at 1"]);
});

test("a cleared timer does not run, also when another clears it at the same instant", () => {
  const { clock, ran, set } = noting();
  const first = set("first", 5);
  clock.clearTimer(first);
  clock.clearTimer(first);
  clock.setTimer(() => clock.clearTimer(second), 7);
  const second = set("second", 7);
  set("third", 7);
  clock.advance(10);
  assert.deepEqual(ran, ["third at 7"]);
  clock.clearTimer(second);
});

test("what a timer throws stops the clock at its instant, and nothing is lost", () => {
  const { clock, ran, set } = noting();
  clock.setTimer(() => {
    throw new Error("broken");
  }, 5);
  set("next", 5);
  assert.throws(() => clock.advance(10), /^Error: broken$/);
  assert.equal(clock.now(), 5);
  clock.advance(0);
  assert.deepEqual(ran, ["next at 5"]);
});

test("a timer may move the clock itself: time never goes back", () => {
  const { clock, ran, set } = noting();
  clock.setTimer(() => clock.advance(20), 5);
  set("on the way", 10);
  clock.advance(6);
  assert.equal(clock.now(), 25);
  assert.deepEqual(ran, ["on the way at 10"]);
});

test("it refuses to go back, or to no instant", () => {
  const clock = new ManualClock();
  for (const msecs of [-1, Number.NaN, Number.POSITIVE_INFINITY, "5" as unknown as number]) {
    assert.throws(() => clock.advance(msecs), /^(Type|Range)Error: msecs must be a finite number/);
    assert.throws(() => new ManualClock(msecs), /startMsecs must be a finite number/);
  }
  assert.equal(clock.now(), 0);
});

test("a timer keeps the process alive until it ran, was cleared or let go", () => {
  const program = `
    import { ManualClock } from ${JSON.stringify(new URL("./manual-clock.js", import.meta.url).href)};
    const clock = new ManualClock();
    const timers = [1, 2, 3].map(() => clock.setTimer(() => {}, 5));
    timers[0].unref().ref();
    const held = () => process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
    const seen = [held()];
    timers[1].unref(); seen.push(held());
    clock.clearTimer(timers[2]); seen.push(held());
    clock.advance(5); seen.push(held());
    process.stdout.write(seen.join());`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", program],
    { encoding: "utf8" },
  );
  assert.equal(stdout, "3,2,1,0", stderr);
});
