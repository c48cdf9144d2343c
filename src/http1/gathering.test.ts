import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Gathering } from "./gathering.ts";
import { afterEndOfTurn } from "./turn.ts";

/** A gathering with a clock that a test moves, and the names of requests in the order in which they were written. */
function fixture() {
  const written: string[] = [];
  const time = { now: 1_000 };
  const gathering = new Gathering(() => time.now, afterEndOfTurn);
  const send = (name: string) => {
    const waits = gathering.gather({ turnEnded: () => void written.push(name) }, time.now);
    if (!waits) written.push(name);
  };
  return { gathering, written, time, send };
}

/** A turn in which a request begins, and that is over `msecs` later. */
async function turnOf(msecs: number, { send, time }: ReturnType<typeof fixture>, name: string) {
  send(name);
  time.now += msecs;
  await turn();
}

test("the requests of a turn are written in order, when it ends", async () => {
  const { send, written } = fixture();
  for (const name of ["a", "b", "c"]) send(name);
  await Promise.resolve();
  assert.deepEqual(written, []);
  await turn();
  assert.deepEqual(written, ["a", "b", "c"]);
  send("d");
  assert.deepEqual(written, ["a", "b", "c"]);
  await turn();
  assert.deepEqual(written, ["a", "b", "c", "d"]);
});

test("in a turn that goes on, requests are written a millisecond after the first, in order", async () => {
  const { send, written, time } = fixture();
  send("a");
  time.now += 1;
  send("b");
  await Promise.resolve();
  assert.deepEqual(written, []);
  time.now += 0.01;
  send("c");
  await Promise.resolve();
  assert.deepEqual(written, ["a", "b", "c"]);
  // From here on, as from the first.
  time.now += 1;
  send("d");
  await Promise.resolve();
  assert.deepEqual(written, ["a", "b", "c"]);
  await turn();
  assert.deepEqual(written, ["a", "b", "c", "d"]);
});

test("in a program whose turns are long, requests are written at once, and a second later it is tried again", async () => {
  const its = fixture();
  const { send, written, time } = its;
  await turnOf(2.01, its, "first");
  await turnOf(2.01, its, "second");
  send("third");
  assert.equal(written.at(-1), "third");
  time.now += 997;
  send("fourth");
  assert.equal(written.at(-1), "fourth");
  time.now += 3;
  send("fifth");
  assert.equal(written.at(-1), "fourth");
  await turn();
  assert.deepEqual(written, ["first", "second", "third", "fourth", "fifth"]);
});

test("one long turn among short ones changes nothing", async () => {
  const its = fixture();
  for (let round = 0; round < 5; round++) {
    await turnOf(40, its, "long");
    await turnOf(1.9, its, "short");
  }
  its.send("last");
  assert.equal(its.written.at(-1), "short");
  await turn();
  assert.equal(its.written.at(-1), "last");
});

test("a request that throws when it is written keeps none of the others from it", async (t) => {
  const { gathering, written, time } = fixture();
  const thrown: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  t.after(() => {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  process.on("uncaughtException", (error) => thrown.push(error.message));
  const throwing = (message: string) => ({
    turnEnded: () => {
      throw new Error(message);
    },
  });
  const writing = (name: string) => ({ turnEnded: () => void written.push(name) });
  gathering.gather(throwing("at the end of the turn"), time.now);
  gathering.gather(writing("a"), time.now);
  await turn();
  await turn();
  assert.deepEqual([thrown, written], [["at the end of the turn"], ["a"]]);
  gathering.gather(throwing("within the turn"), time.now);
  time.now += 1.01;
  gathering.gather(writing("b"), time.now);
  await turn();
  await turn();
  assert.deepEqual([thrown[1], written], ["within the turn", ["a", "b"]]);
});
