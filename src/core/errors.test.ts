import assert from "node:assert/strict";
import { test } from "node:test";
import * as errors from "./errors.ts";
import { ConnectError, HeadersTimeoutError, KeeplineError, ResponseParseError } from "./errors.ts";

const context = { origin: "http://a.test", service: "default", lane: "reports" };

test("every error class is a KeeplineError, named after itself, with a code of its own", () => {
  const codes = Object.entries(errors)
    .filter(([name]) => name !== "KeeplineError")
    .map(([name, Class]) => {
      const error = new (Class as new (...facts: object[]) => KeeplineError)({}, {}, {});
      assert.ok(error instanceof KeeplineError);
      assert.equal(error.name, name);
      const words = name.replace(/Error$/, "").replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`);
      assert.equal(error.code, `ERR_KEEPLINE_${words.toUpperCase()}`);
      return error.code;
    });
  assert.equal(new Set(codes).size, codes.length);
});

test("an error carries what it was about, and by itself claims no byte sent", () => {
  const cause = new Error("refused");
  const error = new ConnectError({ ...context, cause });
  assert.deepEqual(
    [error.origin, error.service, error.lane, error.requestSent, error.cause],
    ["http://a.test", "default", "reports", false, cause],
  );
});

test("what can only happen after sending says that the request may have reached the server", () => {
  assert.equal(new HeadersTimeoutError(10, context).requestSent, true);
  assert.equal(new ResponseParseError("bare LF", context).requestSent, true);
});

test("a failed dial names each address that was tried", () => {
  const parts = [new Error("connect ECONNREFUSED ::1:80"), "timed out"];
  const cases: [unknown, string][] = [
    [new AggregateError(parts), "connect ECONNREFUSED ::1:80; timed out"],
    [new AggregateError(parts, "all failed"), "all failed"],
    [new TypeError(), "TypeError"],
    ["no route", "no route"],
  ];
  for (const [cause, words] of cases) {
    const { message } = new ConnectError({ ...context, cause });
    assert.equal(message, `cannot connect to http://a.test: ${words}`);
  }
});
