import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bar,
  count,
  type Looks,
  msecs,
  percent,
  seconds,
  span,
  stackedBar,
  table,
  toAscii,
  widthOf,
  wrap,
} from "./text.ts";

const plain: Looks = { width: 80, paint: (_, text) => text };

test("numbers are short and never promise what is not so", () => {
  assert.equal(count(1_234_567), "1,234,567");
  assert.deepEqual([0, 0.123, 9.994, 9.996, 99.94, 99.96, 1_234.5].map(msecs), [
    "0.00",
    "0.12",
    "9.99",
    "10.0",
    "99.9",
    "100",
    "1235",
  ]);
  assert.equal(msecs(null), "–");
  assert.equal(seconds(1_234), "1.23 s");
  assert.deepEqual([0, 0.000_01, 0.5, 0.999_99, 1, null].map(percent), [
    "0.0 %",
    "0.1 %",
    "50.0 %",
    "99.9 %",
    "100.0 %",
    "–",
  ]);
});

test("a span of time is in the unit that suits", () => {
  const values = [0, 0.4249, 850.4, 999.7, 2_344, 75_000, 3_600_000];
  const shown = ["0 ms", "0.425 ms", "850 ms", "1 s", "2.34 s", "75 s", "3600 s"];
  assert.deepEqual(values.map(span), shown);
});

test("a bar is as long as its value is of the largest, to an eighth of a column", () => {
  assert.equal(bar(10, 10, 4), "████");
  assert.equal(bar(5, 10, 4), "██");
  assert.equal(bar(5, 32, 4), "▋");
  assert.equal(bar(99, 10, 4), "████");
});

test("a bar shows every value above zero, and nothing for zero or where there is no largest", () => {
  assert.equal(bar(0.000_1, 1_000, 10), "▏");
  assert.equal(bar(0, 10, 10), "");
  assert.equal(bar(0, 0, 10), "");
  assert.equal(bar(Number.NaN, 10, 10), "");
});

test("the parts of a stacked bar add up to its length, and every part above zero is seen", () => {
  assert.equal(stackedBar([1, 1, 1, 1], 4, 8), "░░▒▒▓▓██");
  assert.equal(stackedBar([0, 1, 0, 1], 4, 8), "▒▒██");
  assert.equal(stackedBar([0.01, 0.01, 0.01, 3.97], 4, 8), "░▒▓█████");
  assert.equal(stackedBar([0.01, 0.01, 3.97, 0.01], 4, 8), "░▒▓▓▓▓▓█");
  assert.equal(stackedBar([0, 0, 0, 0], 4, 8), "");
});

test("the columns of a table are aligned, whatever styles its cells have", () => {
  const columns = [
    { title: "name", align: "left" },
    { title: "number", align: "right" },
    { title: "bar", align: "left" },
  ] as const;
  const rows = [
    ["a", "\x1b[32m1\x1b[39m", "██"],
    ["longer", "1,000", ""],
  ];
  assert.deepEqual(table(columns, rows, plain), [
    "name    number  bar",
    "a            \x1b[32m1\x1b[39m  ██",
    "longer   1,000",
  ]);
  assert.equal(widthOf("\x1b[32m1\x1b[39m"), 1);
});

test("wrapped lines keep all words, and are no wider than asked unless one word is", () => {
  assert.deepEqual(wrap("one two three", 7), ["one two", "three"]);
  assert.deepEqual(wrap("a incomprehensible b", 5), ["a", "incomprehensible", "b"]);
  assert.deepEqual(wrap("", 5), []);
});

test("text for a terminal without Unicode is ASCII, and as long as before", () => {
  assert.equal(toAscii("█▉▏ ▓▒░ 3 × 4 – 5 … é"), "##| =-. 3 x 4 - 5 ~ ?");
});
