import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { InvalidOptionError } from "../core/errors.ts";
import { coreRules } from "../core/options.ts";
import type { Rule } from "../core/rules.ts";
import { connectRules } from "../net/connect-options.ts";
import { Client } from "./client.ts";
import {
  type ClientOptions,
  clientRules,
  type LiveOptions,
  liveRules,
  resolveClientOptions,
  resolveLiveOptions,
  timeoutRules,
} from "./options.ts";
import { checkRequestOptions, type RequestOptions, requestRules } from "./request.ts";

type Refused = readonly [value: unknown, nature: "TypeError" | "RangeError", shown: string];

/** Wrong for every option that is a number. */
const noNumber: readonly Refused[] = [
  [null, "TypeError", "null"],
  ["5", "TypeError", '"5"'],
  [Number.NaN, "TypeError", "NaN"],
  [5n, "TypeError", "5n"],
  [true, "TypeError", "true"],
  [[5], "TypeError", "an array"],
  [{ valueOf: () => 5 }, "TypeError", "an object"],
  [-1, "RangeError", "-1"],
  [Number.NEGATIVE_INFINITY, "RangeError", "-Infinity"],
];
const duration: readonly Refused[] = [...noNumber, [1e12, "RangeError", "1000000000000"]];
const durationAbove0: readonly Refused[] = [...duration, [0, "RangeError", "0"]];
const count: readonly Refused[] = [
  ...noNumber,
  [1.5, "RangeError", "1.5"],
  [2 ** 53, "RangeError", "9007199254740992"],
];
const countAbove0: readonly Refused[] = [...count, [0, "RangeError", "0"]];
const infinity: Refused = [Number.POSITIVE_INFINITY, "RangeError", "Infinity"];
const noText: readonly Refused[] = [
  [5, "TypeError", "5"],
  [{}, "TypeError", "an object"],
  ["", "RangeError", '""'],
];
const noBoolean: readonly Refused[] = [
  [null, "TypeError", "null"],
  [1, "TypeError", "1"],
  ["true", "TypeError", '"true"'],
];

const refusedByClient = {
  keepAlive: noBoolean,
  keepAliveMsecs: duration,
  maxSockets: countAbove0,
  maxFreeSockets: count,
  maxTotalSockets: countAbove0,
  maxOrigins: countAbove0,
  scheduling: [
    ["lilo", "RangeError", '"lilo"'],
    ["LIFO", "RangeError", '"LIFO"'],
    [0, "TypeError", "0"],
    [null, "TypeError", "null"],
  ],
  dialing: [
    ["lazy", "RangeError", '"lazy"'],
    ["", "RangeError", '""'],
    [true, "TypeError", "true"],
    [null, "TypeError", "null"],
  ],
  minFreeSockets: [...count, infinity],
  maxSocketAgeMsecs: durationAbove0,
  maxRequestsPerSocket: countAbove0,
  maxPending: count,
  queueTimeoutMsecs: durationAbove0,
  connectTimeoutMsecs: durationAbove0,
  saturationMsecs: durationAbove0,
  // What is inside is checked in tuning-options.test.ts.
  tuning: [
    [null, "TypeError", "null"],
    [true, "TypeError", "true"],
    [["auto"], "TypeError", "an array"],
    ["on", "RangeError", '"on"'],
  ],
  headersTimeoutMsecs: durationAbove0,
  bodyTimeoutMsecs: durationAbove0,
  requestTimeoutMsecs: durationAbove0,
  resend: [
    [true, "TypeError", "true"],
    ["always", "RangeError", '"always"'],
  ],
  leakTimeoutMsecs: durationAbove0,
  maxHeaderBytes: [...countAbove0, infinity, [63, "RangeError", "63"]],
  connect: [
    [null, "TypeError", "null"],
    [[], "TypeError", "an array"],
    ["tls", "TypeError", '"tls"'],
    [() => {}, "TypeError", "a function"],
  ],
  clock: [
    [null, "TypeError", "null"],
    [Date, "TypeError", "a function"],
    [performance, "TypeError", "an object"],
    [{ now: () => 1, setTimer: () => 1, clearTimer: 1 }, "TypeError", "an object"],
  ],
  // What is inside is checked in service-options.test.ts.
  services: [
    [null, "TypeError", "null"],
    [5, "TypeError", "5"],
    ["payments", "TypeError", '"payments"'],
    [["payments"], "TypeError", "an array"],
    [() => {}, "TypeError", "a function"],
  ],
} satisfies Record<keyof typeof clientRules, readonly Refused[]>;

const refusedByConnect = {
  tls: [
    [true, "TypeError", "true"],
    [[], "TypeError", "an array"],
    [{ ALPNProtocols: ["h2"] }, "RangeError", "an object"],
    [{ session: Buffer.alloc(0) }, "RangeError", "an object"],
    [{ host: "other.example" }, "RangeError", "an object"],
  ],
  lookup: [
    ["127.0.0.1", "TypeError", '"127.0.0.1"'],
    [{}, "TypeError", "an object"],
  ],
  localAddress: [...noText, ["localhost", "RangeError", '"localhost"']],
  family: [
    [5, "RangeError", "5"],
    ["4", "TypeError", '"4"'],
    [null, "TypeError", "null"],
  ],
  autoSelectFamily: noBoolean,
  autoSelectFamilyAttemptTimeoutMsecs: [
    ...durationAbove0,
    infinity,
    [9, "RangeError", "9"],
    [2 ** 31, "RangeError", "2147483648"],
  ],
  socketPath: noText,
} satisfies Record<keyof typeof connectRules, readonly Refused[]>;

const refusedByRequest = {
  resend: [
    [1, "TypeError", "1"],
    ["always", "RangeError", '"always"'],
  ],
  queueTimeoutMsecs: durationAbove0,
  headersTimeoutMsecs: durationAbove0,
  bodyTimeoutMsecs: durationAbove0,
  requestTimeoutMsecs: durationAbove0,
  signal: [
    [null, "TypeError", "null"],
    [{ aborted: false }, "TypeError", "an object"],
    [new AbortController(), "TypeError", "an object"],
  ],
} satisfies { readonly [K in keyof typeof requestRules]?: readonly Refused[] };

/** Refused with an InvalidRequestError that says more, see request.test.ts; and `lane`, with the lanes there are. */
const checkedElsewhere = ["method", "headers", "body", "json", "query", "lane"];

function refusal(attempt: () => unknown): InvalidOptionError {
  try {
    attempt();
  } catch (error) {
    assert(error instanceof InvalidOptionError, String(error));
    return error;
  }
  return assert.fail("was not refused");
}

/** Asserts that each value is refused, with an error that says which option, which value, what is allowed. */
function assertRefused(
  where: string,
  table: Readonly<Record<string, readonly Refused[]>>,
  rules: Readonly<Record<string, Rule<unknown>>>,
  prefix: string,
  attempt: (option: string, value: unknown) => unknown,
): void {
  for (const [option, values] of Object.entries(table)) {
    for (const [value, nature, shown] of values) {
      const error = refusal(() => attempt(option, value));
      const named = `${prefix}${option}`;
      assert.equal(error.option, named, inspect(value));
      assert.equal(error.nature, nature, `${named} ${inspect(value)}`);
      const allowed = rules[option]?.check(value)?.allowed ?? "an object";
      assert.equal(error.message, `${where}: ${named} must be ${allowed}, not ${shown}`);
      assert.equal(error.code, "ERR_KEEPLINE_INVALID_OPTION");
      assert.equal(error.name, "InvalidOptionError");
      assert.equal(error.requestSent, false);
    }
  }
}

test("every client option refuses values that it does not allow, and says what it does", () => {
  assert.deepEqual(Object.keys(refusedByClient), Object.keys(clientRules));
  assertRefused("new Client()", refusedByClient, clientRules, "", (option, value) => {
    return new Client({ [option]: value } as ClientOptions);
  });
});

test("every connect option refuses values that it does not allow, and says what it does", () => {
  assert.deepEqual(Object.keys(refusedByConnect), Object.keys(connectRules));
  assertRefused("new Client()", refusedByConnect, connectRules, "connect.", (option, value) => {
    return new Client({ connect: { [option]: value } } as ClientOptions);
  });
});

test("configure refuses what the constructor refuses", () => {
  const client = new Client();
  const { connect, clock, services, ...live } = refusedByClient;
  assert.deepEqual(Object.keys(live), Object.keys(liveRules));
  assertRefused("client.configure()", live, liveRules, "", (option, value) => {
    client.configure({ [option]: value } as LiveOptions);
  });
});

test("every request option with a rule refuses values that it does not allow", () => {
  const tested = [...Object.keys(refusedByRequest), ...checkedElsewhere];
  assert.deepEqual(tested.sort(), Object.keys(requestRules).sort());
  assertRefused("client.request()", refusedByRequest, requestRules, "", (option, value) => {
    checkRequestOptions({ [option]: value } as RequestOptions);
  });
});

test("a lane that is no name of one is refused, with the names that there are", async () => {
  const client = new Client({ services: { default: { lanes: { bulk: {} } } } });
  const refused: readonly Refused[] = [
    [null, "TypeError", "null"],
    [5, "TypeError", "5"],
    [["bulk"], "TypeError", "an array"],
    [{ toString: () => "bulk" }, "TypeError", "an object"],
    ["", "RangeError", '""'],
    ["Bulk", "RangeError", '"Bulk"; did you mean "bulk"?'],
    ["toString", "RangeError", '"toString"'],
  ];
  for (const [lane, nature, shown] of refused) {
    const error = await client.request("http://127.0.0.1", { lane: lane as string }).then(
      () => assert.fail("was not refused"),
      (reason: unknown) => reason,
    );
    assert(error instanceof InvalidOptionError, inspect(error));
    assert.deepEqual([error.option, error.nature], ["lane", nature], inspect(lane));
    assert.equal(
      error.message,
      `client.request(): lane must be one of "bulk", "default" of service default, not ${shown}`,
    );
  }
  assert.deepEqual(client.stats().origins, []);
});

test("every option allows its default, and the edges of its range", () => {
  for (const [option, { default: value }] of Object.entries(clientRules)) {
    assert.doesNotThrow(() => new Client({ [option]: value } as ClientOptions), option);
  }
  for (const [option, { default: value }] of Object.entries(connectRules)) {
    assert.doesNotThrow(() => new Client({ connect: { [option]: value } }), option);
  }
  const infinite = Number.POSITIVE_INFINITY;
  const edges: ClientOptions[] = [
    { keepAliveMsecs: 0 },
    { keepAliveMsecs: 0.5 },
    { keepAliveMsecs: infinite },
    { maxSockets: 1, maxFreeSockets: 0, maxPending: 0 },
    { maxSockets: infinite, maxFreeSockets: infinite, maxPending: infinite },
    { maxSockets: Number.MAX_SAFE_INTEGER },
    { connectTimeoutMsecs: 0.001 },
    { connectTimeoutMsecs: 315_576_000_000 },
    { maxHeaderBytes: 64 },
    { connect: { autoSelectFamilyAttemptTimeoutMsecs: 10 } },
    { connect: { family: 6, tls: {}, localAddress: "::1" } },
  ];
  for (const options of edges) assert.doesNotThrow(() => new Client(options), inspect(options));
});

test("an option that is undefined has its default, and stays as it is in configure", () => {
  const client = new Client({ maxSockets: undefined, connect: undefined });
  assert.deepEqual(client.options, new Client().options);
  client.configure({ maxSockets: 9 });
  client.configure({ maxSockets: undefined });
  client.configure({});
  assert.equal(client.options.maxSockets, 9);
});

test("options that are no object are refused", () => {
  for (const given of [null, 5, "keepAlive", [], true]) {
    const made = refusal(() => new Client(given as unknown as ClientOptions));
    assert.equal(made.option, "options");
    assert.match(made.message, /^new Client\(\): options must be an object, not /);
    const configured = refusal(() => new Client().configure(given as unknown as LiveOptions));
    assert.match(configured.message, /^client\.configure\(\): options must be an object, not /);
  }
});

const misspelt: readonly (readonly [options: object, message: string])[] = [
  [{ maxSocket: 5 }, "there is no option maxSocket; did you mean maxSockets?"],
  [{ keepalive: true }, "there is no option keepalive; did you mean keepAlive?"],
  [{ KeepAliveMsec: 5 }, "there is no option KeepAliveMsec; did you mean keepAliveMsecs?"],
  [
    { headerTimeoutMsecs: 5 },
    "there is no option headerTimeoutMsecs; did you mean headersTimeoutMsecs?",
  ],
  [{ conect: {} }, "there is no option conect; did you mean connect?"],
  [{ service: {} }, "there is no option service; did you mean services?"],
  [{ lanes: {} }, "there is no option lanes; known are"],
  [
    { connect: { sockPath: "/" } },
    "there is no option connect.sockPath; did you mean connect.socketPath?",
  ],
  [{ connect: { lokup: 1 } }, "there is no option connect.lokup; did you mean connect.lookup?"],
  [
    { agent: undefined },
    `there is no option agent; known are ${Object.keys(clientRules).join(", ")}`,
  ],
  [{ __proto__: null, toString: 1 }, "there is no option toString; known are"],
];

test("an option that is not known is refused with the one that was probably meant", () => {
  for (const [options, message] of misspelt) {
    const error = refusal(() => new Client(options));
    assert(error.message.startsWith(`new Client(): ${message}`), error.message);
    assert.equal(error.nature, "TypeError");
  }
  const configured = refusal(() => new Client().configure({ maxSocket: 5 } as LiveOptions));
  assert.match(configured.message, /^client\.configure\(\): .* did you mean maxSockets\?$/);
  const requested = refusal(() => checkRequestOptions({ header: {} } as RequestOptions));
  assert.match(requested.message, /^client\.request\(\): .* did you mean headers\?$/);
});

test("an option's name is shown in part when it is long", () => {
  const error = refusal(() => new Client({ ["x".repeat(5_000)]: 1 } as ClientOptions));
  assert(error.message.length < 1_000);
});

test("more sockets held ready than may be kept are refused, whichever option says so", () => {
  const limits: ClientOptions[] = [
    { maxFreeSockets: 2 },
    { maxSockets: 2 },
    { maxTotalSockets: 2 },
  ];
  for (const limit of limits) {
    assert.doesNotThrow(() => new Client({ ...limit, minFreeSockets: 2 }));
    const error = refusal(() => new Client({ ...limit, minFreeSockets: 3 }));
    assert.equal(error.option, "minFreeSockets");
    assert.equal(error.nature, "RangeError");
    assert.match(error.message, /must be at most 2, the least of .*, not 3$/);
    const client = new Client({ minFreeSockets: 3 });
    assert.throws(() => client.configure(limit), InvalidOptionError);
  }
});

test("configure refuses services in any form, and says what changes them", () => {
  const client = new Client({ services: { api: { origins: "http://api.test" } } });
  const before = client.options;
  for (const services of [before.services, {}, { api: { maxSockets: 5 } }, null, undefined]) {
    const error = refusal(() => client.configure({ maxSockets: 5, services } as LiveOptions));
    assert.equal(error.option, "services");
    assert.equal(
      error.message,
      "client.configure(): services cannot be changed: call client.configureService()",
    );
    assert.equal(client.options, before);
  }
});

test("configure refuses connect and clock in any form: they hold for the life of a client", () => {
  const client = new Client();
  const { clock } = client.options;
  const changed = refusal(() => client.configure({ maxSockets: 5, clock } as LiveOptions));
  assert.equal(changed.option, "clock");
  for (const connect of [{}, { family: 4 }, null]) {
    const error = refusal(() => client.configure({ maxSockets: 5, connect } as LiveOptions));
    assert.equal(error.option, "connect");
    assert.match(
      error.message,
      /^client\.configure\(\): connect cannot be changed: make a new Client instead$/,
    );
  }
  assert.equal(client.options.maxSockets, 256);
});

test("nothing has changed after a refusal", () => {
  const client = new Client({ maxSockets: 7 });
  const before = client.options;
  for (const options of [
    { maxSockets: 8, keepAliveMsecs: -1 },
    { maxSockets: 8, unknown: 1 },
    { maxSockets: 8, minFreeSockets: 9 },
    { maxSockets: 8, connect: {} },
  ]) {
    assert.throws(() => client.configure(options as LiveOptions), InvalidOptionError);
    assert.equal(client.options, before);
    assert.equal(client.options.maxSockets, 7);
  }
});

test("options in force are frozen, and not those that were given", () => {
  const given = { maxSockets: 7, connect: { family: 4 as const } };
  const { options } = new Client(given);
  assert.notEqual(options, given);
  assert(Object.isFrozen(options));
  assert(Object.isFrozen(options.connect));
  given.maxSockets = 8;
  assert.equal(options.maxSockets, 7);
});

test("live options keep what they do not name", () => {
  const present = resolveClientOptions({ maxSockets: 7, connect: { family: 4 } });
  const next = resolveLiveOptions(present, { keepAliveMsecs: 9 });
  assert.deepEqual(next, { ...present, keepAliveMsecs: 9 });
  assert.equal(next.connect, present.connect);
  assert.equal(next.clock, present.clock);
});

test("every option says in a line what it does, and in which unit", () => {
  const tables = {
    ...clientRules,
    ...connectRules,
    ...requestRules,
    ...timeoutRules,
    ...coreRules,
  };
  for (const [option, rule] of Object.entries<Rule<unknown>>(tables)) {
    assert.match(rule.doc, /^\S.{10,}[^.]$/, option);
    if (option.endsWith("Msecs")) assert.equal(rule.unit, "ms", option);
    if (option.endsWith("Bytes")) assert.equal(rule.unit, "bytes", option);
  }
});

test("warm refuses what is no number of sockets", async () => {
  const client = new Client();
  for (const [value, nature] of [...countAbove0, infinity, [undefined, "TypeError"]] as const) {
    const error = await client.warm("http://127.0.0.1", value as number).then(
      () => assert.fail("was not refused"),
      (reason: unknown) => reason,
    );
    assert(error instanceof InvalidOptionError);
    assert.equal(error.option, "count");
    assert.equal(error.nature, nature);
    assert.match(
      error.message,
      /^client\.warm\(\): count must be a whole number of at least 1, not /,
    );
  }
  assert.deepEqual(client.stats().origins, []);
});
