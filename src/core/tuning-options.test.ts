import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidOptionError } from "./errors.ts";
import { type CoreOptions, checkTogether, coreRules } from "./options.ts";
import { resolveOptions } from "./rules.ts";
import { mergeTuning, type Tuning, tuningOf } from "./tuning-options.ts";

const never = Number.POSITIVE_INFINITY;

function optionsOf(given: object): CoreOptions {
  const options = resolveOptions<CoreOptions>(coreRules, given, "new Client()");
  checkTogether(options, "new Client()");
  return options;
}

function tuned(tuning: unknown, others: object = {}) {
  return tuningOf(optionsOf({ tuning, ...others }));
}

function refusal(tuning: unknown, others: object = {}): [string, string, string] {
  try {
    tuned(tuning, others);
  } catch (error) {
    assert(error instanceof InvalidOptionError, String(error));
    return [error.nature, error.option, error.message];
  }
  return assert.fail("it was allowed");
}

test("tuning is off by default, and then there is none", () => {
  assert.equal(tuningOf(optionsOf({})), null);
  assert.equal(tuned("off"), null);
  assert.equal(tuned({ mode: "off", maxFreeSockets: [1, 2] }), null);
});

test("bounds that are not given follow from the options that are tuned", () => {
  const of = (others: object) => {
    const { maxFreeSockets, keepAliveMsecs } = tuned("auto", others) ?? assert.fail("off");
    return [...maxFreeSockets, ...keepAliveMsecs];
  };
  assert.deepEqual(of({}), [1, 256, 1_000, 60_000]);
  assert.deepEqual(of({ maxSockets: 20 }), [1, 20, 1_000, 60_000]);
  assert.deepEqual(of({ maxSockets: never, maxFreeSockets: 1_000 }), [1, 1_000, 1_000, 60_000]);
  assert.deepEqual(of({ maxSockets: never, maxFreeSockets: never }), [1, 256, 1_000, 60_000]);
  assert.deepEqual(of({ keepAliveMsecs: 250 }), [1, 256, 250, 60_000]);
  assert.deepEqual(of({ keepAliveMsecs: 90_000 }), [1, 256, 1_000, 90_000]);
  assert.deepEqual(of({ keepAliveMsecs: never }), [1, 256, 1_000, 60_000]);
});

test("sockets that are held ready bound both options from below", () => {
  const policy = tuned("auto", { minFreeSockets: 4, keepAliveMsecs: 8_000 });
  assert.deepEqual(policy?.maxFreeSockets, [4, 256]);
  assert.deepEqual(policy?.keepAliveMsecs, [8_000, 60_000]);
});

test("an object says the mode, the bounds, the interval and the weights; auto is what bounds are for", () => {
  const policy = tuned({
    maxFreeSockets: [2, 40],
    keepAliveMsecs: [500, 20_000],
    intervalMsecs: 5_000,
    weights: { idleSecond: 0.1 },
  });
  assert.deepEqual(policy, {
    mode: "auto",
    maxFreeSockets: [2, 40],
    keepAliveMsecs: [500, 20_000],
    intervalMsecs: 5_000,
    weights: { dial: 1, idleSecond: 0.1, waitSecond: 10 },
  });
  assert.equal(tuned({ mode: "frozen" })?.mode, "frozen");
});

test("what is not allowed inside of tuning is refused by its path and value", () => {
  const sizes =
    "[least, most], two whole numbers from 1 to 65536, the first no greater than the second";
  for (const [nature, value, shown] of [
    ["RangeError", [5, 4], "an array"],
    ["RangeError", [0, 4], "an array"],
    ["RangeError", [1, never], "an array"],
    ["RangeError", [1.5, 4], "an array"],
    ["RangeError", [1], "an array"],
    ["RangeError", [1, 2, 3], "an array"],
    ["TypeError", ["1", 4], "an array"],
    ["TypeError", 4, "4"],
    ["TypeError", { least: 1 }, "an object"],
  ] as const) {
    const message = `new Client(): tuning.maxFreeSockets must be ${sizes}, not ${shown}`;
    const found = refusal({ maxFreeSockets: value });
    assert.deepEqual(found, [nature, "tuning.maxFreeSockets", message], JSON.stringify(value));
  }
  assert.deepEqual(refusal({ keepAliveMsecs: [0, 10] }).slice(0, 2), [
    "RangeError",
    "tuning.keepAliveMsecs",
  ]);
  assert.deepEqual(refusal({ intervalMsecs: 99 }), [
    "RangeError",
    "tuning.intervalMsecs",
    "new Client(): tuning.intervalMsecs must be a number of milliseconds from 100 to 3600000, not 99",
  ]);
  assert.deepEqual(refusal({ intervalMsecs: Number.NaN }).slice(0, 2), [
    "RangeError",
    "tuning.intervalMsecs",
  ]);
  assert.deepEqual(refusal({ mode: "on" }).slice(0, 2), ["RangeError", "tuning.mode"]);
  assert.deepEqual(refusal({ weights: { dial: -1 } }).slice(0, 2), [
    "RangeError",
    "tuning.weights.dial",
  ]);
  assert.deepEqual(refusal({ weights: { dial: never } }).slice(0, 2), [
    "RangeError",
    "tuning.weights.dial",
  ]);
  assert.deepEqual(refusal({ weights: 3 }).slice(0, 2), ["TypeError", "tuning.weights"]);
  assert.equal(
    refusal({ maxFreeSocket: [1, 2] })[2],
    "new Client(): there is no option tuning.maxFreeSocket; did you mean tuning.maxFreeSockets?",
  );
  assert.equal(
    refusal({ maxFreeSockets: [1, 3] }, { minFreeSockets: 4 })[2],
    "new Client(): tuning.maxFreeSockets[1] must be at least 4, as minFreeSockets is, not 3",
  );
});

test("a mode changes the mode alone, and an object what it names", () => {
  const bounds: Tuning = { mode: "auto", maxFreeSockets: [2, 40] };
  assert.deepEqual(mergeTuning(bounds, "frozen"), { mode: "frozen", maxFreeSockets: [2, 40] });
  assert.deepEqual(mergeTuning(bounds, "off"), { mode: "off", maxFreeSockets: [2, 40] });
  assert.deepEqual(mergeTuning(bounds, undefined), bounds);
  assert.equal(mergeTuning("auto", "frozen"), "frozen");
  assert.deepEqual(mergeTuning("off", { maxFreeSockets: [2, 40] }), bounds);
  assert.deepEqual(mergeTuning("frozen", { maxFreeSockets: [2, 40] }), {
    mode: "frozen",
    maxFreeSockets: [2, 40],
  });
  const changed = mergeTuning(bounds, { maxFreeSockets: undefined, intervalMsecs: 1_000 });
  assert.deepEqual(changed, { ...bounds, intervalMsecs: 1_000 });
});
