import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidOptionError } from "../core/errors.ts";
import { laneRules, plainLane } from "../core/lane-options.ts";
import type { Rule } from "../core/rules.ts";
import { type ClientOptions, liveRules, resolveClientOptions } from "./options.ts";
import {
  findLane,
  type LiveServiceOptions,
  mergeService,
  type ResolvedService,
  resolveServices,
  type ServiceOptions,
  type ServiceSettings,
  serviceRules,
} from "./service-options.ts";

const where = "new Client()";
const never = Number.POSITIVE_INFINITY;
const origins = "https://a.example";

/** `given` is unknown, as a program without types may give it. */
function resolve(given: unknown, client: ClientOptions = {}): ReadonlyMap<string, ResolvedService> {
  const services = given as Record<string, ServiceOptions>;
  return resolveServices(services, resolveClientOptions(client), where);
}

/** The service `pay` with `options`. */
function pay(options: ServiceOptions, client: ClientOptions = {}): ResolvedService {
  return found(resolve({ pay: { origins, ...options } }, client), "pay");
}

function found<V>(map: ReadonlyMap<string, V>, name: string): V {
  const value = map.get(name);
  assert(value !== undefined, `there is no ${name}`);
  return value;
}

/** What makes it fail, as `[nature, option, message]`. */
function refusal(act: () => unknown): [string, string, string] {
  try {
    act();
  } catch (error) {
    assert(error instanceof InvalidOptionError, String(error));
    assert(error.message.startsWith(`${where}: `), error.message);
    return [error.nature, error.option, error.message.slice(where.length + 2)];
  }
  return assert.fail("it was allowed");
}

/** A value for every option that a service shares with the client; none is the default. */
const other: Omit<ServiceSettings, "maxTotalSockets"> = {
  keepAlive: false,
  keepAliveMsecs: 1,
  maxSockets: 2,
  maxFreeSockets: 3,
  scheduling: "fifo",
  dialing: "eager",
  minFreeSockets: 1,
  maxSocketAgeMsecs: 4,
  maxRequestsPerSocket: 5,
  maxPending: 6,
  queueTimeoutMsecs: 7,
  connectTimeoutMsecs: 8,
  saturationMsecs: 9,
  tuning: "frozen",
  headersTimeoutMsecs: 10,
  bodyTimeoutMsecs: 11,
  requestTimeoutMsecs: 12,
  resend: "never",
  leakTimeoutMsecs: 13,
  maxHeaderBytes: 100,
};

test("a service has every live option of the client but maxOrigins, and three of its own", () => {
  const { maxOrigins, ...shared } = liveRules;
  assert.deepEqual(
    Object.keys(serviceRules).sort(),
    [...Object.keys(shared), "origins", "lanes", "laneFor"].sort(),
  );
  assert.deepEqual(
    Object.keys(pay({}).options).sort(),
    [...Object.keys(other), "maxTotalSockets"].sort(),
  );
  for (const [option, rule] of Object.entries<Rule<unknown>>(serviceRules)) {
    assert.match(rule.doc, /^.{10,160}[^.]$/, option);
  }
});

test("options that a service does not give are the client's, all but maxTotalSockets", () => {
  const { options } = pay({}, { ...other, maxTotalSockets: 50 });
  assert.deepEqual(options, { ...other, maxTotalSockets: never });
  assert.deepEqual(pay({ maxSockets: undefined }, other).options, options);
});

test("options that a service gives are its own, and change no other service", () => {
  const services = resolve({ pay: { origins, ...other, maxTotalSockets: 9 } });
  assert.deepEqual(found(services, "pay").options, { ...other, maxTotalSockets: 9 });
  assert.equal(found(services, "pay").maxTotalSockets, 9);
  assert.deepEqual(found(services, "default").options, pay({}).options);
});

test("the service default comes first, also where it is given last or not at all", () => {
  assert.deepEqual([...resolve(undefined).keys()], ["default"]);
  assert.deepEqual([...resolve({ pay: undefined }).keys()], ["default"]);
  const given = { b: { origins }, a: { origins: "https://b.example" }, default: { maxSockets: 3 } };
  assert.deepEqual([...resolve(given).keys()], ["default", "b", "a"]);
  for (const [name, service] of resolve(given)) assert.equal(service.name, name);
});

test("the service default has the client's options and those it is given, without origins", () => {
  const laneFor = () => "slow";
  const services = resolve(
    { default: { maxSockets: 3, lanes: { slow: { weight: 2 } }, laneFor } },
    { maxPending: 7, maxTotalSockets: 8 },
  );
  const service = found(services, "default");
  assert.equal(service.origins, null);
  assert.equal(service.laneFor, laneFor);
  assert.equal(service.options.maxSockets, 3);
  assert.equal(service.options.maxPending, 7);
  assert.equal(service.maxTotalSockets, never);
  assert.equal(found(service.lanes, "slow").weight, 2);
  assert.deepEqual(
    refusal(() => resolve({ default: { origins } })),
    [
      "RangeError",
      "services.default.origins",
      'services.default.origins must be absent (this service has all origins that no other has), not "https://a.example"',
    ],
  );
});

test("resolved options are frozen, and a later change of what was given does not reach them", () => {
  const lane = { weight: 2 };
  const given = { maxSockets: 3, origins: [origins], lanes: { slow: lane } };
  const service = pay(given);
  assert(Object.isFrozen(service.options));
  for (const each of service.lanes.values()) assert(Object.isFrozen(each));
  lane.weight = 5;
  given.maxSockets = 6;
  given.origins.push("https://b.example");
  Object.assign(given.lanes, { other: {} });
  assert.equal(service.options.maxSockets, 3);
  const again = found(resolve({ pay: service.given }), "pay");
  assert.deepEqual(again.options, service.options);
  assert.deepEqual(again.lanes, service.lanes);
  assert.equal(again.holds("https://b.example"), false);
});

test("what was given, resolved again, follows the client where the service said nothing", () => {
  const first = resolve({
    default: { maxPending: 4 },
    pay: { origins, maxSockets: 3, lanes: { slow: { maxPending: 9 } } },
  });
  const given = Object.fromEntries([...first].map(([name, each]) => [name, each.given]));
  const again = resolve(given, { maxSockets: 10, maxPending: 20 });
  assert.equal(found(again, "pay").options.maxSockets, 3);
  assert.equal(found(again, "pay").options.maxPending, 20);
  assert.equal(found(found(again, "pay").lanes, "default").maxPending, 20);
  assert.equal(found(found(again, "pay").lanes, "slow").maxPending, 9);
  assert.equal(found(again, "default").options.maxSockets, 10);
  assert.equal(found(again, "default").options.maxPending, 4);
});

test("a lane has what it is given, else the service's queue and timeouts, else the defaults", () => {
  const service = pay(
    { maxPending: 5, lanes: { slow: { weight: 2, queueTimeoutMsecs: 9, maxPending: undefined } } },
    { requestTimeoutMsecs: 70 },
  );
  const plain = plainLane({
    maxPending: 5,
    queueTimeoutMsecs: never,
    requestTimeoutMsecs: 70,
  });
  assert.deepEqual(found(service.lanes, "slow"), { ...plain, weight: 2, queueTimeoutMsecs: 9 });
  assert.deepEqual(found(service.lanes, "default"), plain);
});

test("every service has a lane default, after those that it is given, and may give it options", () => {
  assert.deepEqual([...pay({ lanes: { b: {}, a: {} } }).lanes.keys()], ["b", "a", "default"]);
  assert.deepEqual([...pay({}).lanes.keys()], ["default"]);
  const { lanes } = pay({ lanes: { default: { weight: 7 }, a: {} } });
  assert.deepEqual([...lanes.keys()], ["default", "a"]);
  assert.equal(found(lanes, "default").weight, 7);
});

test("laneFor is kept as it is, and null when there is none", () => {
  const laneFor = () => undefined;
  assert.equal(pay({ laneFor }).laneFor, laneFor);
  assert.equal(pay({}).laneFor, null);
});

const normalized: readonly (readonly [given: string, origin: string])[] = [
  ["https://API.Example.com", "https://api.example.com"],
  ["HTTPS://api.example.com:443/", "https://api.example.com"],
  ["http://api.example.com:80", "http://api.example.com"],
  ["http://api.example.com:8080", "http://api.example.com:8080"],
  ["http://[::0001]:8080/", "http://[::1]:8080"],
  ["http://127.1", "http://127.0.0.1"],
  ["https://bücher.example", "https://xn--bcher-kva.example"],
  ["https://*.Example.com:443/", "https://*.example.com"],
  ["http://*.example.com:8080", "http://*.example.com:8080"],
  ["https://*.localhost", "https://*.localhost"],
  ["https://*.עברית.example", "https://*.xn--5dbqzzl.example"],
];

test("origins are normalized as the origins of requests are", () => {
  for (const [given, origin] of normalized) {
    const own = pay({ origins: given }).origins;
    assert.deepEqual([...(own?.exact ?? []), ...(own?.wildcards ?? [])], [origin], given);
  }
});

test("a service holds the origins that one of its patterns means, and no other", () => {
  const service = pay({
    origins: [
      "https://A.example/",
      "https://*.b.example",
      (origin) => origin === "http://c.example",
    ],
  });
  for (const origin of ["https://a.example", "https://x.y.b.example", "http://c.example"]) {
    assert.equal(service.holds(origin), true, origin);
  }
  for (const origin of ["https://b.example", "http://a.example", "https://c.example"]) {
    assert.equal(service.holds(origin), false, origin);
  }
});

const originsAllowed =
  'an origin such as "https://api.example.com", "https://*.example.com" for all hosts below it, a function of an origin, or an array of one or more of these';

test("what is no origin is refused, with examples of what is allowed", () => {
  const bad: readonly (readonly [given: unknown, nature: string, shown: string])[] = [
    ...[
      "",
      "api.example.com",
      "//api.example.com",
      "ftp://api.example.com",
      "https:api.example.com",
      "https://",
      "https:///api.example.com",
      "https://api.example.com/path",
      "https://api.example.com//",
      "https://api.example.com?a=1",
      "https://api.example.com?",
      "https://api.example.com/#a",
      "https://api.example.com#",
      " https://api.example.com",
      "https://api.exa\nmple.com",
      "https:\\\\api.example.com",
      "https://api.example.com\\path",
      "https://api.example.com:port",
      "https://api.example.com:65536",
      "https://api example.com",
      "https://.example.com",
      "https://a..example.com",
      "https://*",
      "https://*.",
      "https://*.:8080",
      "https://*./",
      "https://*..com",
      "https://**.example.com",
      "https://*.*.example.com",
      "https://a.*.example.com",
      "https://a*.example.com",
      "https://%2a.example.com",
      "https://\uff0a.example.com",
      "https://*.%2ecom",
      "https://*.127.0.0.1",
      "https://*.[::1]",
      "*.example.com",
      "*://api.example.com",
    ].map((each) => [each, "RangeError", JSON.stringify(each)] as const),
    [undefined, "TypeError", "undefined"],
    [null, "TypeError", "null"],
    [5, "TypeError", "5"],
    [new URL("https://api.example.com"), "TypeError", "an object"],
    [/example/, "TypeError", "an object"],
  ];
  for (const [given, nature, shown] of bad) {
    for (const [value, option] of [
      [given, "services.pay.origins"],
      [["https://ok.example", given], "services.pay.origins[1]"],
    ] as const) {
      const message = `${option} must be ${originsAllowed}, not ${shown}`;
      assert.deepEqual(
        refusal(() => resolve({ pay: { origins: value } })),
        [nature, option, message],
      );
    }
  }
});

test("a service without origins is refused", () => {
  const message = `services.pay.origins must be ${originsAllowed}, not`;
  assert.equal(refusal(() => resolve({ pay: {} }))[2], `${message} undefined`);
  assert.deepEqual(
    refusal(() => resolve({ pay: { origins: [] } })),
    ["RangeError", "services.pay.origins", `${message} an empty array`],
  );
});

test("a user name and password in an origin are refused, and not repeated", () => {
  for (const given of ["https://user:secret@a.example", "https://us@er:sec\nret@a.example/x"]) {
    for (const name of ["pay", "default"]) {
      const [, , message] = refusal(() => resolve({ [name]: { origins: given } }));
      assert.match(message, /not "…@a\.example/);
      assert.doesNotMatch(message, /user|secret|sec/);
    }
  }
});

test("an origin that two services have is refused, with the names of both", () => {
  for (const [a, b, both] of [
    ["https://a.example", "https://A.example:443/", "https://a.example"],
    ["https://a.b.example", ["https://x.example", "https://*.b.example"], "https://a.b.example"],
    ["https://*.example", "https://*.b.example", "https://*.b.example"],
    [(origin: string) => origin === "https://a.example", "https://a.example", "https://a.example"],
  ] as const) {
    assert.deepEqual(
      refusal(() =>
        resolve({ one: { origins: "https://c.test" }, a: { origins: a }, b: { origins: b } }),
      ),
      [
        "RangeError",
        "services.b.origins",
        `services.b.origins must not have "${both}", which services.a.origins has`,
      ],
    );
  }
});

test("services and their options that are no objects are refused, by their path", () => {
  const cases: readonly (readonly [given: unknown, option: string])[] = [
    ...[null, 5, "pay", [], () => {}].flatMap((each) => [
      [each, "services"] as const,
      [{ pay: each }, "services.pay"] as const,
      [{ default: each }, "services.default"] as const,
      [{ pay: { origins, lanes: each } }, "services.pay.lanes"] as const,
      [{ pay: { origins, lanes: { slow: each } } }, "services.pay.lanes.slow"] as const,
    ]),
  ];
  for (const [given, option] of cases) {
    const [nature, named, message] = refusal(() => resolve(given));
    assert.deepEqual([nature, named], ["TypeError", option]);
    assert(message.startsWith(`${option} must be an object, not `), message);
  }
});

test("options of services and lanes are checked as those of a client are, by their path", () => {
  const cases: readonly (readonly [options: object, message: string])[] = [
    [
      { maxSockets: 0 },
      "services.pay.maxSockets must be a whole number of at least 1, or Infinity, not 0",
    ],
    [
      { maxTotalSockets: 0 },
      "services.pay.maxTotalSockets must be a whole number of at least 1, or Infinity, not 0",
    ],
    [
      { maxSocket: 1 },
      "there is no option services.pay.maxSocket; did you mean services.pay.maxSockets?",
    ],
    [
      { origin: origins },
      "there is no option services.pay.origin; did you mean services.pay.origins?",
    ],
    [
      { laneFor: "slow" },
      'services.pay.laneFor must be a function of a request that returns the name of a lane, not "slow"',
    ],
    [
      { lanes: { reports: { weight: 0 } } },
      "services.pay.lanes.reports.weight must be a whole number from 1 to 1000, not 0",
    ],
    [
      { lanes: { reports: { wait: 1 } } },
      `there is no option services.pay.lanes.reports.wait; known are ${Object.keys(laneRules).join(", ")}`,
    ],
    [
      { lanes: { reports: { overload: "drop" } } },
      'services.pay.lanes.reports.overload must be "queue" or "reject" or "newest-first", not "drop"',
    ],
  ];
  for (const [options, message] of cases) {
    assert.equal(refusal(() => pay(options))[2], message);
  }
  for (const option of ["maxOrigins", "connect", "clock", "services"]) {
    const [, , message] = refusal(() => pay({ [option]: 1 }));
    assert(message.startsWith(`there is no option services.pay.${option}; `), message);
  }
});

test("names of services and lanes have 1 to 64 characters, none a control character", () => {
  const allowed = "1 to 64 characters without control characters, and not __proto__";
  for (const [path, named] of [
    ["services", (name: string) => ({ [name]: { origins } })],
    ["services.pay.lanes", (name: string) => ({ pay: { origins, lanes: { [name]: {} } } })],
  ] as const) {
    for (const name of ["", "x".repeat(65), "a\nb", "a\u0000", "\u007f", "\u0085", "__proto__"]) {
      const [nature, option, message] = refusal(() => resolve(named(name)));
      assert.deepEqual([nature, option], ["RangeError", path]);
      assert(message.startsWith(`a name in ${path} must be ${allowed}, not "`), message);
    }
    for (const name of ["a", "x".repeat(64), "Größe 2", "constructor", "a.b", "😀".repeat(64)]) {
      assert.doesNotThrow(() => resolve(named(name)), name);
    }
  }
});

test("more sockets held ready than a service may keep are refused, whichever option says so", () => {
  for (const limit of [{ maxFreeSockets: 2 }, { maxSockets: 2 }, { maxTotalSockets: 2 }]) {
    assert.doesNotThrow(() => pay({ ...limit, minFreeSockets: 2 }));
    const expected = [
      "RangeError",
      "services.pay.minFreeSockets",
      "services.pay.minFreeSockets must be at most 2, the least of the service's maxFreeSockets, maxSockets and maxTotalSockets and the client's maxTotalSockets, not 3",
    ];
    assert.deepEqual(
      refusal(() => pay({ ...limit, minFreeSockets: 3 })),
      expected,
    );
    assert.deepEqual(
      refusal(() => pay(limit, { minFreeSockets: 3 })),
      expected,
    );
    assert.deepEqual(
      refusal(() => pay({ minFreeSockets: 3 }, limit)),
      expected,
    );
  }
});

test("reservations are checked within each service, and over all of them", () => {
  const lanes = { a: { reservedSockets: 2 } };
  assert.equal(
    refusal(() => pay({ lanes, maxSockets: 2 }))[1],
    "services.pay.lanes.*.reservedSockets",
  );
  const given = { default: { lanes }, pay: { origins, lanes } };
  assert.doesNotThrow(() => resolve(given, { maxTotalSockets: 5 }));
  assert.equal(
    refusal(() => resolve(given, { maxTotalSockets: 4 }))[1],
    "services.*.lanes.*.reservedSockets",
  );
});

test("what is inherited by an object that is given is neither asked nor taken", () => {
  const inherited = {
    get maxSockets() {
      return assert.fail("asked");
    },
    toString: () => assert.fail("called"),
    toJSON: () => assert.fail("called"),
  };
  const below = (own: object) => Object.assign(Object.create(inherited), own);
  const given = below({ pay: below({ origins, lanes: below({ slow: below({ weight: 2 }) }) }) });
  const service = found(resolve(Object.freeze(given)), "pay");
  assert.equal(service.options.maxSockets, 256);
  assert.deepEqual([...service.lanes.keys()], ["slow", "default"]);
  assert.equal(found(service.lanes, "slow").maxSockets, never);
});

const present: ServiceOptions = {
  origins,
  maxSockets: 3,
  maxPending: 4,
  lanes: { fast: { weight: 8 }, slow: { weight: 1, maxSockets: 2 }, default: { weight: 3 } },
};

test("a change of a service keeps what it does not name", () => {
  assert.deepEqual(mergeService(present, {}), present);
  assert.deepEqual(mergeService(present, { maxSockets: 9, maxPending: undefined }), {
    ...present,
    maxSockets: 9,
  });
  assert.equal(
    mergeService(present, { origins: "https://b.example" }).origins,
    "https://b.example",
  );
});

test("lanes are changed by name and by option, added, and removed by null", () => {
  const changes: readonly (readonly [
    NonNullable<LiveServiceOptions["lanes"]>,
    ServiceOptions["lanes"],
  ])[] = [
    [{}, present.lanes],
    [{ slow: { weight: 2 } }, { ...present.lanes, slow: { weight: 2, maxSockets: 2 } }],
    [{ slow: { weight: undefined } }, present.lanes],
    // A program without types may give undefined for what it leaves out.
    [{ slow: undefined as unknown as null }, present.lanes],
    [{ added: { weight: 2 } }, { ...present.lanes, added: { weight: 2 } }],
    [{ fast: null, slow: null }, { default: { weight: 3 } }],
    [{ unknown: null }, present.lanes],
  ];
  for (const [lanes, expected] of changes) {
    assert.deepEqual(mergeService(present, { lanes }), { ...present, lanes: expected });
  }
  assert.deepEqual(mergeService({ origins }, { lanes: { added: {} } }), {
    origins,
    lanes: { added: {} },
  });
  assert.deepEqual(
    mergeService(present, { lanes: undefined, laneFor: undefined } as LiveServiceOptions),
    present,
  );
});

test("removing the lane default takes its options back", () => {
  const service = pay(mergeService(present, { lanes: { default: null } }));
  assert.deepEqual([...service.lanes.keys()], ["fast", "slow", "default"]);
  assert.equal(found(service.lanes, "default").weight, 1);
});

test("a change leaves what was in force as it was", () => {
  const before = structuredClone(present);
  const change: LiveServiceOptions = { maxSockets: 9, lanes: { slow: { weight: 5 }, fast: null } };
  const given = structuredClone(change);
  mergeService(present, change);
  assert.deepEqual(present, before);
  assert.deepEqual(change, given);
});

test("a change that is wrong is refused, at once or when it is resolved, by its path", () => {
  for (const change of [null, 5, "maxSockets", []]) {
    assert.throws(
      () => mergeService(present, change as unknown as LiveServiceOptions),
      (error) =>
        error instanceof InvalidOptionError &&
        error.message.startsWith("client.configureService(): options must be an object, not "),
    );
  }
  const cases: readonly (readonly [change: unknown, option: string])[] = [
    [{ maxSocket: 1 }, "services.pay.maxSocket"],
    [{ origins: [] }, "services.pay.origins"],
    [{ lanes: null }, "services.pay.lanes"],
    [{ lanes: [] }, "services.pay.lanes"],
    [{ lanes: { slow: 5 } }, "services.pay.lanes.slow"],
    [{ lanes: { slow: { weight: 0 } } }, "services.pay.lanes.slow.weight"],
    [{ lanes: { "": {} } }, "services.pay.lanes"],
    [JSON.parse('{"lanes": {"__proto__": {}}}'), "services.pay.lanes"],
    [JSON.parse('{"__proto__": {}}'), "services.pay.__proto__"],
  ];
  for (const [change, option] of cases) {
    const merged = mergeService(present, change as LiveServiceOptions);
    assert.equal(refusal(() => resolve({ pay: merged }))[1], option);
  }
});

function laneRefusal(service: ResolvedService, lane: unknown): InvalidOptionError {
  try {
    findLane(service, lane as string, "client.request()");
  } catch (error) {
    assert(error instanceof InvalidOptionError);
    assert.equal(error.option, "lane");
    return error;
  }
  return assert.fail("it was found");
}

test("a lane is found by its name", () => {
  const service = pay({ lanes: { checkout: { weight: 8 } } });
  assert.equal(findLane(service, "checkout", where), found(service.lanes, "checkout"));
  assert.equal(findLane(service, "default", where), found(service.lanes, "default"));
});

test("a lane that does not exist is refused with those that do, and the one probably meant", () => {
  const service = pay({ lanes: { checkout: {}, reports: {} } });
  const allowed =
    'client.request(): lane must be one of "checkout", "reports", "default" of service pay, not';
  const near = laneRefusal(service, "chekout");
  assert.equal(near.message, `${allowed} "chekout"; did you mean "checkout"?`);
  assert.equal(near.nature, "RangeError");
  assert.equal(laneRefusal(service, "batch").message, `${allowed} "batch"`);
  assert.equal(laneRefusal(service, "toString").message, `${allowed} "toString"`);
  const noText = laneRefusal(service, 5);
  assert.deepEqual([noText.nature, noText.message], ["TypeError", `${allowed} 5`]);
});

test("at most twenty lanes are listed", () => {
  const lanes = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`lane-${index}`, {}]));
  const all = laneRefusal(pay({ lanes: lanes(19) }), "x").message;
  assert.match(all, /"lane-18", "default" of service pay, not "x"$/);
  const some = laneRefusal(pay({ lanes: lanes(31) }), "x").message;
  assert.match(some, /"lane-19", … and 12 more of service pay, not "x"$/);
});
