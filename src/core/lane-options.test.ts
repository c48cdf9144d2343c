import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidOptionError } from "./errors.ts";
import {
  checkReservations,
  type LaneOptions,
  laneRules,
  plainLane,
  type ServicePolicy,
} from "./lane-options.ts";
import { type CoreOptions, coreRules } from "./options.ts";
import { type Rule, resolveOptions } from "./rules.ts";

const never = Number.POSITIVE_INFINITY;
const where = "new Client()";
const ofService = { maxPending: 3, queueTimeoutMsecs: 40, requestTimeoutMsecs: 500 };

function service(
  name: string,
  limits: { readonly maxSockets?: number; readonly maxTotalSockets?: number },
  lanes: Readonly<Record<string, Partial<LaneOptions>>>,
): ServicePolicy {
  const { maxSockets = never, maxTotalSockets = never } = limits;
  const entries = Object.entries({ default: {}, ...lanes });
  return {
    name,
    options: resolveOptions<CoreOptions>(coreRules, { maxSockets }, where),
    maxTotalSockets,
    lanes: new Map(entries.map(([lane, given]) => [lane, { ...plainLane(ofService), ...given }])),
    holds: () => false,
  };
}

/** What makes the reservations fail, as `[option, message]`; null when they hold. */
function refusal(
  services: readonly ServicePolicy[],
  maxTotalSockets = never,
): [string, string] | null {
  try {
    checkReservations(services, maxTotalSockets, where);
    return null;
  } catch (error) {
    assert.ok(error instanceof InvalidOptionError);
    assert.equal(error.nature, "RangeError");
    return [error.option, error.message];
  }
}

test("a lane of which nothing is said has the defaults of the table, and the limits of its service", () => {
  const plain = plainLane(ofService);
  assert.deepEqual(Object.keys(plain), Object.keys(laneRules));
  for (const [option, rule] of Object.entries<Rule<unknown>>(laneRules)) {
    const expected = rule.default ?? ofService[option as keyof typeof ofService];
    assert.equal(plain[option as keyof LaneOptions], expected, option);
    assert.equal(rule.check(plain[option as keyof LaneOptions]), null, option);
    assert.match(rule.doc, /^.{10,120}[^.]$/, option);
  }
});

test("every lane option allows the edges of its range, and refuses what is beyond", () => {
  const cases: { readonly [K in keyof LaneOptions]: readonly [good: unknown[], bad: unknown[]] } = {
    weight: [
      [1, 1_000],
      [0, 1_001, 1.5, never, "1", null],
    ],
    reservedSockets: [
      [0, 7],
      [-1, 0.5, never, "1"],
    ],
    maxSockets: [
      [1, never],
      [0, 1.5, "1"],
    ],
    maxPending: [
      [0, never],
      [-1, "1"],
    ],
    queueTimeoutMsecs: [
      [0.5, never],
      [0, -1, "1"],
    ],
    requestTimeoutMsecs: [
      [0.5, never],
      [0, -1, "1"],
    ],
    overload: [
      ["queue", "reject", "newest-first"],
      ["oldest-first", "", true],
    ],
    shedLate: [
      [true, false],
      [1, "true", null],
    ],
  };
  for (const [option, [good, bad]] of Object.entries(cases)) {
    const { check } = laneRules[option as keyof LaneOptions];
    for (const value of good) assert.equal(check(value), null, `${option} ${value}`);
    for (const value of bad) assert.notEqual(check(value), null, `${option} ${value}`);
  }
});

test("a lane reserves no more sockets than it may use", () => {
  const lanes = { a: { reservedSockets: 3, maxSockets: 3 } };
  assert.equal(refusal([service("s", {}, lanes)]), null);
  assert.deepEqual(
    refusal([service("s", {}, { ...lanes, b: { reservedSockets: 4, maxSockets: 3 } })]),
    [
      "services.s.lanes.b.reservedSockets",
      "new Client(): services.s.lanes.b.reservedSockets must be at most 3, the lane's maxSockets, not 4",
    ],
  );
});

test("the reservations of a service leave a socket for its lanes without one, at each of its limits", () => {
  const lanes = { a: { reservedSockets: 3 }, b: { reservedSockets: 2 } };
  for (const limit of ["maxSockets", "maxTotalSockets"] as const) {
    assert.equal(refusal([service("s", { [limit]: 6 }, lanes)]), null);
    assert.deepEqual(refusal([service("s", { [limit]: 5 }, lanes)]), [
      "services.s.lanes.*.reservedSockets",
      `new Client(): services.s.lanes.*.reservedSockets must be at most 4 in sum, ${limit} of service s, less one for the lanes without reservation, not 5`,
    ]);
  }
});

test("the reservations of all services leave a socket of the client for those without one", () => {
  const a = service("a", {}, { x: { reservedSockets: 3 } });
  const b = service("b", {}, { x: { reservedSockets: 2 } });
  assert.equal(refusal([a, b], 6), null);
  assert.deepEqual(refusal([a, b], 5), [
    "services.*.lanes.*.reservedSockets",
    "new Client(): services.*.lanes.*.reservedSockets must be at most 4 in sum, maxTotalSockets of the client, less one for the lanes without reservation, not 5",
  ]);
});

test("where all lanes reserve, they may reserve everything, and no more", () => {
  const lanes = { default: { reservedSockets: 1 }, a: { reservedSockets: 4 } };
  for (const limits of [{ maxSockets: 5 }, { maxTotalSockets: 5 }, {}]) {
    assert.equal(refusal([service("s", limits, lanes)], 5), null);
  }
  assert.match(
    refusal([service("s", { maxSockets: 4 }, lanes)])?.[1] ?? "",
    /must be at most 4 in sum, maxSockets of service s, not 5$/,
  );
  assert.match(
    refusal([service("s", {}, lanes)], 4)?.[1] ?? "",
    /must be at most 4 in sum, maxTotalSockets of the client, not 5$/,
  );
});

test("lanes without reservations fit under the least limits", () => {
  const tight = { maxSockets: 1, maxTotalSockets: 1 };
  assert.equal(refusal([service("a", tight, { x: {} }), service("b", tight, {})], 1), null);
});
