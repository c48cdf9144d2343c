import assert from "node:assert/strict";
import { test } from "node:test";
import { Budget } from "./budget.ts";

test("a permit counts at every level, and comes back at every level", () => {
  const client = new Budget("maxTotalSockets", 3, null);
  const [a, b] = [new Budget("maxSockets", 2, client), new Budget("maxSockets", 2, client)];
  a.take();
  a.take();
  b.take();
  assert.deepEqual([a.open, b.open, client.open], [2, 1, 3]);
  a.give();
  assert.deepEqual([a.open, b.open, client.open], [1, 1, 2]);
});

test("the nearest full budget is named, and a lowered limit is exceeded until enough is given back", () => {
  const client = new Budget("maxTotalSockets", 3, null);
  const own = new Budget("maxSockets", 2, client);
  assert.equal(own.firstFull(), null);
  own.take();
  own.take();
  assert.equal(own.firstFull(), own);
  own.limit = 5;
  client.limit = 2;
  assert.equal(own.firstFull(), client);
  assert.equal(own.isExceeded(), false);
  client.limit = 1;
  assert.equal(own.isExceeded(), true);
  own.give();
  assert.equal(own.isExceeded(), false);
});

test("what is open may exceed the limit of the budget that it moves to, and no longer that which it leaves", () => {
  const [wide, narrow] = [new Budget("wide", 2, null), new Budget("narrow", 0, null)];
  const own = new Budget("maxSockets", 2, wide);
  own.take();
  wide.limit = 0;
  own.moveTo(narrow, []);
  assert.deepEqual([wide.isExceeded(), narrow.isExceeded(), own.isExceeded()], [false, true, true]);
  narrow.limit = 1;
  assert.equal(own.isExceeded(), false);
});
