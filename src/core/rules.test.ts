import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidOptionError } from "./errors.ts";
import { type CoreOptions, checkTogether, coreRules } from "./options.ts";
import { nearest, ofType, oneOf, resolveOptions, show } from "./rules.ts";

const never = Number.POSITIVE_INFINITY;
const nan = Number.NaN;
const where = "new Client()";

function resolve(given: unknown): CoreOptions {
  return resolveOptions<CoreOptions>(coreRules, given, where);
}

/** What makes it fail, as `[nature, option, message]`. */
function refusal(act: () => unknown): [string, string, string] {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof InvalidOptionError);
    assert.equal(error.code, "ERR_KEEPLINE_INVALID_OPTION");
    return [error.nature, error.option, error.message];
  }
  return assert.fail("it was allowed");
}

test("absent and undefined options take the default", () => {
  const defaults = Object.fromEntries(
    Object.entries(coreRules).map(([name, rule]) => [name, rule.default]),
  );
  assert.deepEqual({ ...resolve(undefined) }, defaults);
  assert.deepEqual({ ...resolve({ maxSockets: undefined }) }, defaults);
});

test("options that are absent keep the values in force when there are some", () => {
  const base = resolve({ maxSockets: 3, keepAlive: false });
  const changed = resolveOptions<CoreOptions>(coreRules, { maxSockets: 4 }, where, "", base);
  assert.deepEqual({ ...changed }, { ...base, maxSockets: 4 });
});

test("resolved options are frozen, and are not the object that was given", () => {
  const given = { maxSockets: 3 };
  const resolved = resolve(given);
  given.maxSockets = 4;
  assert.equal(resolved.maxSockets, 3);
  assert.ok(Object.isFrozen(resolved));
});

test("an unknown option is refused, with the known one that it may have meant", () => {
  assert.deepEqual(
    refusal(() => resolve({ maxSocket: 3 })),
    [
      "TypeError",
      "maxSocket",
      "new Client(): there is no option maxSocket; did you mean maxSockets?",
    ],
  );
  const [, , message] = refusal(() => resolve({ MAXPENDING: 1 }));
  assert.match(message, /did you mean maxPending\?$/);
});

test("an unknown option that is like none is refused with the list of the known ones", () => {
  const [, , message] = refusal(() => resolve({ colour: "blue" }));
  assert.match(message, /there is no option colour; known are keepAlive, keepAliveMsecs, /);
});

test("names that every object has are no options", () => {
  for (const name of ["constructor", "toString", "hasOwnProperty"]) {
    assert.equal(refusal(() => resolve({ [name]: 1 }))[1], name);
  }
  assert.equal(refusal(() => resolve(JSON.parse('{"__proto__": 1}')))[1], "__proto__");
});

test("options inside an option are named with their path", () => {
  const act = () => resolveOptions(coreRules, { maxSocket: 3 }, where, "connect.");
  const message =
    "new Client(): there is no option connect.maxSocket; did you mean connect.maxSockets?";
  assert.deepEqual(refusal(act), ["TypeError", "connect.maxSocket", message]);
});

test("options that are no object are refused", () => {
  for (const given of [null, 5, "fast", [], true, () => {}]) {
    const [nature, option, message] = refusal(() => resolve(given));
    assert.deepEqual([nature, option], ["TypeError", "options"]);
    assert.match(message, /^new Client\(\): options must be an object, not /);
  }
});

/** For each option: what is allowed, in words; values that are; and values that are not, by nature. */
const cases: {
  readonly [option in keyof CoreOptions]: {
    readonly allowed: string;
    readonly good: readonly unknown[];
    readonly wrongType: readonly unknown[];
    readonly outOfRange: readonly unknown[];
  };
} = {
  keepAlive: {
    allowed: "true or false",
    good: [true, false],
    wrongType: [1, "true", null, {}],
    outOfRange: [],
  },
  keepAliveMsecs: durationCases("of at least 0", [0], [-1, -0.5]),
  maxSockets: countCases(1, [1, 7, never], [0, -1, 1.5, -never, 2 ** 53]),
  maxFreeSockets: countCases(0, [0, 7, never], [-1, 0.5]),
  maxTotalSockets: countCases(1, [1, 7, never], [0, 2.5]),
  maxOrigins: countCases(1, [1, 7, never], [0, -3]),
  scheduling: {
    allowed: '"lifo" or "fifo"',
    good: ["lifo", "fifo"],
    wrongType: [1, null, true],
    outOfRange: ["LIFO", "", "random"],
  },
  dialing: {
    allowed: '"patient" or "eager"',
    good: ["patient", "eager"],
    wrongType: [1, null, true],
    outOfRange: ["Patient", "", "lazy"],
  },
  minFreeSockets: {
    ...countCases(0, [0, 7], [-1, 0.5, never]),
    allowed: "a whole number of at least 0",
  },
  maxSocketAgeMsecs: durationCases("above 0", [], [0, -1]),
  maxRequestsPerSocket: countCases(1, [1, 7, never], [0, 1.5]),
  maxPending: countCases(0, [0, 7, never], [-1, 1.5]),
  queueTimeoutMsecs: durationCases("above 0", [], [0, -1]),
  connectTimeoutMsecs: durationCases("above 0", [], [0, -1]),
  saturationMsecs: durationCases("above 0", [], [0, -1]),
  tuning: {
    allowed: '"off" or "auto" or "frozen", or an object with more',
    good: ["off", "auto", "frozen", {}],
    wrongType: [1, null, true, []],
    outOfRange: ["Auto", "", "on"],
  },
};

function countCases(least: number, good: readonly number[], outOfRange: readonly number[]) {
  const wrongType = ["5", null, nan, true, {}, 5n];
  const allowed = `a whole number of at least ${least}, or Infinity`;
  return { allowed, good, wrongType, outOfRange };
}

function durationCases(least: string, good: readonly number[], outOfRange: readonly number[]) {
  const wrongType = ["5", "5s", null, nan, new Date()];
  return {
    allowed: `a number of milliseconds ${least}, or Infinity`,
    good: [...good, 0.5, 5_000, 315_576_000_000, never],
    wrongType,
    outOfRange: [...outOfRange, -never, 315_576_000_001],
  };
}

for (const [option, { allowed, good, wrongType, outOfRange }] of Object.entries(cases)) {
  test(`${option} takes ${allowed}, and what else it is given is refused by name and value`, () => {
    for (const value of good) {
      assert.equal(resolve({ [option]: value })[option as keyof CoreOptions], value);
    }
    const bad = [
      ...wrongType.map((value) => ["TypeError", value] as const),
      ...outOfRange.map((value) => ["RangeError", value] as const),
    ];
    for (const [nature, value] of bad) {
      const message = `new Client(): ${option} must be ${allowed}, not ${show(value)}`;
      assert.deepEqual(
        refusal(() => resolve({ [option]: value })),
        [nature, option, message],
      );
    }
  });
}

test("every option has a default that it allows, and a line that says what it does", () => {
  for (const [option, rule] of Object.entries(coreRules)) {
    assert.equal(rule.check(rule.default), null, option);
    assert.match(rule.doc, /^.{10,120}[^.]$/, option);
  }
});

test("more sockets held ready than may be kept are refused", () => {
  const limits = ["maxFreeSockets", "maxSockets", "maxTotalSockets"] as const;
  for (const limit of limits) {
    const options = resolve({ minFreeSockets: 3, [limit]: 2 });
    assert.deepEqual(
      refusal(() => checkTogether(options, where)),
      [
        "RangeError",
        "minFreeSockets",
        "new Client(): minFreeSockets must be at most 2, the least of maxFreeSockets, maxSockets and maxTotalSockets, not 3",
      ],
    );
    checkTogether(resolve({ minFreeSockets: 2, [limit]: 2 }), where);
  }
});

test("checks by word and by type tell a wrong type from a wrong value", () => {
  assert.equal(oneOf("a", "b")("b"), null);
  assert.deepEqual(oneOf("a", "b")("c"), { nature: "RangeError", allowed: '"a" or "b"' });
  assert.deepEqual(oneOf("a", "b")(1), { nature: "TypeError", allowed: '"a" or "b"' });
  assert.equal(
    ofType("function", "a function")(() => {}),
    null,
  );
  assert.deepEqual(ofType("function", "a function")("f"), {
    nature: "TypeError",
    allowed: "a function",
  });
});

test("a value is shown on one line, shortened, and without calling anything of the user's", () => {
  const hostile = {
    toString: () => assert.fail("called"),
    toJSON: () => assert.fail("called"),
    get [Symbol.toStringTag]() {
      return assert.fail("called");
    },
  };
  const shown = [
    hostile,
    [hostile],
    "two\nlines",
    "x".repeat(100),
    5n,
    Symbol("s"),
    () => {},
    null,
    undefined,
    nan,
  ].map(show);
  assert.deepEqual(shown, [
    "an object",
    "an array",
    '"two\\nlines"',
    `"${"x".repeat(57)}..."`,
    "5n",
    "a symbol",
    "a function",
    "null",
    "undefined",
    "NaN",
  ]);
});

test("the nearest word is at most a third of its letters away", () => {
  const known = ["maxSockets", "maxPending", "connect"];
  assert.equal(nearest(known, "maxsockets"), "maxSockets");
  assert.equal(nearest(known, "axSockts"), "maxSockets");
  assert.equal(nearest(known, "conect"), "connect");
  assert.equal(nearest(known, "sockets"), "maxSockets");
  assert.equal(nearest(known, "proxy"), null);
  assert.equal(nearest(known, "m".repeat(1_000_000)), null);
});
