/**
 * What a client knows of what is around it, and its settings, in the words of a simulation: how long dials take, how far away
 * servers are and how long they keep idle connections, which options differ from their defaults.
 * Invariant: no more than so many origins are listed, those with the most requests.
 */
import { clientRules, liveRules } from "../client/options.ts";
import type { ServiceOptions } from "../client/service-options.ts";
import type { World } from "../client/world.ts";
import type { Msecs } from "../core/clock.ts";
import { Histogram } from "../core/histogram.ts";
import type { HttpPool } from "../http1/connection-user.ts";
import { lanesTally } from "../observe/totals.ts";
import type { Distribution } from "../simulate/distribution.ts";
import type { NetworkOptions, ServerOptions } from "../simulate/environment.ts";
import type { TraceHead } from "../simulate/traces/format.ts";

/** Origins with values of their own, at most. */
const mostOrigins = 100;
/** Shares of a distribution that are written down, one value for each part of twenty. */
const shares = Array.from({ length: 20 }, (_, index) => (index + 0.5) / 20);

type Around = {
  readonly network: Partial<NetworkOptions>;
  readonly servers: Partial<ServerOptions>;
};

/** What is around the client of `world`, as far as it knows by now. */
export function surroundingsOf(world: World): Pick<TraceHead, "network" | "servers" | "settings"> {
  const byOrigin = new Map<string, HttpPool[]>();
  for (const pool of world.pools.all) {
    const known = byOrigin.get(pool.origin);
    if (known === undefined) byOrigin.set(pool.origin, [pool]);
    else known.push(pool);
  }
  const requestsOf = (pools: readonly HttpPool[]): number =>
    pools.reduce((sum, pool) => sum + lanesTally(pool).requests, 0);
  const busiest = [...byOrigin]
    .map(([origin, pools]) => ({ origin, pools, requests: requestsOf(pools) }))
    .toSorted((a, b) => b.requests - a.requests)
    .slice(0, mostOrigins);
  const settings = settingsOf(world, byOrigin);
  const [first] = busiest;
  if (first === undefined) return { settings };
  if (byOrigin.size === 1) return { ...aroundOf(first.pools), settings };
  const each = busiest.map(({ origin, pools }) => [origin, aroundOf(pools)] as const);
  // Of an origin that is not listed it is known that it is none of these.
  const { network, servers } = aroundOf([...byOrigin.values()].flat());
  const { hintMsecs: _, idleTimeoutMsecs: __, ...others } = servers;
  return {
    network: {
      ...network,
      origins: Object.fromEntries(each.map(([origin, own]) => [origin, own.network])),
    },
    servers: {
      ...others,
      origins: Object.fromEntries(each.map(([origin, own]) => [origin, own.servers])),
    },
    settings,
  };
}

function aroundOf(pools: readonly HttpPool[]): Around {
  const [dial, connect, tls, use] = [0, 0, 0, 0].map(() => new Histogram()) as [
    Histogram,
    Histogram,
    Histogram,
    Histogram,
  ];
  let answered = Number.POSITIVE_INFINITY;
  let hinted: Msecs | null = null;
  let learned: Msecs | null = null;
  for (const { tally, idle, lanes } of pools) {
    dial.add(tally.dial);
    connect.add(tally.connect);
    tls.add(tally.tls);
    for (const place of lanes.all) use.add(place.use);
    const { learnedMsecs } = idle.history;
    const { roundTripMsecs } = idle;
    if (roundTripMsecs > 0) answered = Math.min(answered, roundTripMsecs);
    hinted = least(hinted, idle.hintMsecs);
    learned = least(learned, learnedMsecs);
  }
  // Neither is shorter than the way there and back.
  const roundTrip = Math.min(connect.percentile(0) ?? Number.POSITIVE_INFINITY, answered);
  const roundTripMsecs = rounded(roundTrip);
  const isKnown = Number.isFinite(roundTrip) && connect.count > 0;
  const rest = dial.count === 0 ? 0 : dial.sum / dial.count - meanOf(connect) - meanOf(tls);
  const idleTimeoutMsecs = least(hinted, learned);
  return {
    network: {
      ...(isKnown ? { roundTripMsecs } : {}),
      ...(connect.count > 0 ? { connectMsecs: spread(connect, Math.max(rest, 0)) } : {}),
      ...(tls.count > 0 ? { tlsMsecs: spread(tls, 0) } : {}),
    },
    servers: {
      ...(use.count > 0 ? { serviceMsecs: spread(use, isKnown ? -roundTrip : 0) } : {}),
      ...(hinted === null ? {} : { hintMsecs: hinted }),
      ...(idleTimeoutMsecs === null ? {} : { idleTimeoutMsecs }),
    },
  };
}

/** Values as likely as each other that are spread as what was counted, each with so much more. */
function spread(histogram: Histogram, more: Msecs): Distribution {
  const msecs = shares.map((share) =>
    rounded(Math.max((histogram.percentile(share) ?? 0) + more, 0)),
  );
  return { kind: "empirical", msecs };
}

/** Options that are not as they are by default, and can be said in JSON. */
function settingsOf(
  world: World,
  byOrigin: ReadonlyMap<string, readonly HttpPool[]>,
): NonNullable<TraceHead["settings"]> {
  const { options, services } = world;
  const own = Object.keys(liveRules)
    .map((name) => [name, options[name as keyof typeof liveRules]] as const)
    .filter(([name, value]) => {
      const { default: usual } = clientRules[name as keyof typeof clientRules];
      return value !== usual && isPlain(value);
    });
  const named = [...services].flatMap(([name, { given, origins }]) => {
    const { origins: patterns = [], laneFor: _, ...rest } = given;
    if (origins === null) return Object.keys(rest).length === 0 ? [] : [[name, rest] as const];
    const texts = [patterns].flat().filter((each) => typeof each === "string");
    // What a function says of other origins nobody can write down.
    const known = [...byOrigin.keys()].filter((each) => origins.has(each)).slice(0, mostOrigins);
    const all =
      texts.length === [patterns].flat().length ? texts : [...new Set([...texts, ...known])];
    return all.length === 0 ? [] : [[name, { ...rest, origins: all } as ServiceOptions] as const];
  });
  return {
    ...Object.fromEntries(own),
    ...(named.length === 0 ? {} : { services: Object.fromEntries(named) }),
  };
}

function isPlain(value: unknown): boolean {
  return ["number", "string", "boolean"].includes(typeof value);
}

function meanOf({ sum, count }: Histogram): Msecs {
  return count === 0 ? 0 : sum / count;
}

function least(one: Msecs | null, other: Msecs | null): Msecs | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

/** To a thousandth of a ms. */
function rounded(msecs: Msecs): Msecs {
  return Math.round(msecs * 1_000) / 1_000;
}
