// Values on the command line of `keepline simulate`, and the figures of its pictures.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../errors.ts";
import { colourOf, figure, placeOf } from "./metrics.ts";
import { axisOf, parseDuration, parseSetting, showDuration, showValue } from "./values.ts";

test("durations are read and shown in the same units", () => {
  const known: readonly [text: string, msecs: number, shown: string][] = [
    ["500ms", 500, "500ms"],
    ["1.5s", 1_500, "1500ms"],
    ["90s", 90_000, "90s"],
    ["2m", 120_000, "2m"],
    ["1h", 3_600_000, "1h"],
    ["1d", 86_400_000, "1d"],
    ["250", 250, "250ms"],
    ["0", 0, "0"],
    ["never", Number.POSITIVE_INFINITY, "never"],
  ];
  for (const [text, msecs, shown] of known) {
    assert.equal(parseDuration(text), msecs, text);
    assert.equal(showDuration(msecs), shown);
  }
  for (const text of ["", "5x", "-1s", "1e3", "s", "1 s"]) assert.equal(parseDuration(text), null);
});

test("a setting is read as what its option takes, in its place", () => {
  assert.equal(parseSetting("keepAliveMsecs", "5s", "test"), 5_000);
  assert.equal(parseSetting("maxSockets", "Infinity", "test"), Number.POSITIVE_INFINITY);
  assert.equal(parseSetting("keepAlive", "false", "test"), false);
  assert.equal(parseSetting("scheduling", "fifo", "test"), "fifo");
  assert.equal(parseSetting("services.a.lanes.b.weight", "3", "test"), 3);
  for (const [option, text, message] of [
    ["services.a.lanes.b.weight", "3000", /weight must be a whole number from 1 to 1000/],
    ["weight", "3", /there is no option "weight"/],
    ["services.a.lanes.b.keepAlive", "true", /there is no option/],
    ["elsewhere.maxSockets", "3", /there is no option "elsewhere\.maxSockets"/],
    ["maxSockts", "3", /did you mean maxSockets\?/],
    [
      "keepAliveMsecs",
      "soon",
      /must be a number of milliseconds of at least 0, or Infinity, not "soon"/,
    ],
  ] as const) {
    assert.throws(
      () => parseSetting(option, text, "test"),
      (error) => error instanceof UsageError && message.test(error.message),
      option,
    );
  }
  const axis = axisOf(["services.a.keepAliveMsecs", "1s, 2s,never"]);
  assert.deepEqual(axis.values, [1_000, 2_000, Number.POSITIVE_INFINITY]);
  assert.equal(showValue(axis.option, 1_000), "1s");
  assert.equal(showValue("maxSockets", 1_000), "1000");
});

test("figures have three digits or so, and places lie between the least and the most", () => {
  const figures = [null, 0, 3, 0.00123, 0.5, 9.99, 12.345, 99.96, 1234.5].map(figure);
  assert.deepEqual(figures, ["–", "0", "3", "0.0012", "0.50", "9.99", "12.3", "100", "1,235"]);
  assert.deepEqual(
    [1, 2, 3].map((each) => placeOf(each, [1, 2, 3])),
    [0, 0.5, 1],
  );
  // Where they differ much, by proportion.
  assert.ok(Math.abs(placeOf(10, [1, 10, 100]) - 0.5) < 1e-9);
  assert.equal(placeOf(null, [1, null]), 0);
  assert.equal(placeOf(5, [5, 5]), 0);
  for (const place of [-1, 0, 0.3, 0.5, 1, 2])
    assert.match(colourOf(place), /^rgb\(\d+,\d+,\d+\)$/);
});
