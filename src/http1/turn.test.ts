import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { afterEndOfTurn, atEndOfTurn } from "./turn.ts";

test("all who wait are told once, in order, and not before the turn has ended", async () => {
  const told: string[] = [];
  for (const name of ["a", "b", "c"]) atEndOfTurn({ turnEnded: () => void told.push(name) });
  await Promise.resolve();
  assert.deepEqual(told, []);
  await turn();
  await turn();
  assert.deepEqual(told, ["a", "b", "c"]);
});

test("who begins to wait while others are told is told at the end of the next turn", async () => {
  const told: string[] = [];
  const later = { turnEnded: () => void told.push("later") };
  const first = {
    turnEnded: () => {
      told.push("first");
      atEndOfTurn(later);
    },
  };
  atEndOfTurn(first);
  atEndOfTurn({ turnEnded: () => void told.push("second") });
  await turn();
  await turn();
  await turn();
  assert.deepEqual(told, ["first", "second", "later"]);
});

test("one that throws keeps nobody else from being told, and its error is the program's to see", async (t) => {
  const told: string[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  t.after(() => {
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  const seen = once(process, "uncaughtException");
  atEndOfTurn({
    turnEnded: () => {
      throw new Error("thrown in it");
    },
  });
  atEndOfTurn({ turnEnded: () => void told.push("next") });
  const [error] = await seen;
  assert.equal(error.message, "thrown in it");
  await turn();
  await turn();
  assert.deepEqual(told, ["next"]);
});

test("what follows from the end of a turn is told behind it, before anything else is read", async () => {
  const told: string[] = [];
  const listener = (name: string) => ({ turnEnded: () => void told.push(name) });
  afterEndOfTurn(listener("waited before"));
  atEndOfTurn({
    turnEnded: () => {
      told.push("end");
      void Promise.resolve().then(() => {
        told.push("started by it");
        afterEndOfTurn(listener("waited since"));
        atEndOfTurn(listener("next end"));
        setImmediate(() => told.push("next turn"));
      });
    },
  });
  await turn();
  assert.deepEqual(told, ["end", "started by it", "waited before", "waited since"]);
  await turn();
  await turn();
  assert.deepEqual(told.slice(4), ["next end", "next turn"]);
});
