/**
 * What keepline tells Prometheus: metric families, as a registry of prom-client has them, made anew with each scrape.
 * Invariant: all families of one scrape are of one instant, and `sum by (service)` of any counter only grows, whether it is told
 * by origin or not.
 */
import type { World } from "../client/world.ts";
import type { Msecs } from "../core/clock.ts";
import type { Histogram } from "../core/histogram.ts";
import type { Extent, MarkedCounts } from "../core/marks.ts";
import { retireReasons } from "../core/retire.ts";
import type { LaneTally, Tally } from "../core/tally.ts";
import { type OpenSockets, originParts, serviceTally, sumOf } from "../observe/totals.ts";

/** Labels of a sample by name. */
export type Labels = Readonly<Record<string, string>>;

/** One line of a scrape. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** Where it is not the name of the family: `_bucket`, `_sum` and `_count` of a histogram. */
  readonly metricName?: string;
}

/** A metric with all its samples. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly values: Sample[];
}

/** A client to be scraped, with what tells it from others. */
export interface Scraped {
  readonly world: World;
  /** Who reads its marks. */
  readonly reader: object;
  readonly labels: Labels;
}

/** The families by name, with what they mean. Durations are in seconds. */
export const familyTable = {
  keepline_requests_total: ["counter", "Requests that asked for a connection"],
  keepline_requests_reused_total: [
    "counter",
    "Requests on a connection that had carried one before",
  ],
  keepline_requests_resent_total: [
    "counter",
    "Times that a request was sent again because its connection failed",
  ],
  keepline_requests_failed_total: [
    "counter",
    "Requests that failed; aborted and refused ones are not counted",
  ],
  keepline_lane_requests_total: [
    "counter",
    "Requests by what became of them in their lane: served, timed-out, refused or shed",
  ],
  keepline_requests_active: ["gauge", "Requests that hold a connection"],
  keepline_requests_pending: ["gauge", "Requests that wait for a connection"],
  keepline_requests_pending_high: [
    "gauge",
    "The most requests that waited at once since the last scrape",
  ],
  keepline_lane_saturated: ["gauge", "Origins at which the lane is saturated"],
  keepline_bodies_leaked_total: [
    "counter",
    "Response bodies that were left unread: reported, or collected with their connection",
  ],
  keepline_connections: ["gauge", "Sockets by state: idle, busy or dialing"],
  keepline_connections_low: [
    "gauge",
    "The fewest sockets since the last scrape: open, idle or busy",
  ],
  keepline_connections_high: [
    "gauge",
    "The most sockets since the last scrape: open, idle or busy",
  ],
  keepline_connections_limit: [
    "gauge",
    "maxTotalSockets of the service; absent where there is none",
  ],
  keepline_client_connections_limit: [
    "gauge",
    "maxTotalSockets of the client; absent where there is none",
  ],
  keepline_pools: ["gauge", "Origins that have a pool"],
  keepline_connections_opened_total: ["counter", "Connections that were open once"],
  keepline_connections_resumed_tls_total: ["counter", "Of these, with a resumed TLS session"],
  keepline_connections_closed_total: ["counter", "Closed connections by reason"],
  keepline_queue_seconds: [
    "histogram",
    "Waits for a connection, zero ones included, of requests that had one in the end",
  ],
  keepline_first_byte_seconds: [
    "histogram",
    "From the request sent to the first byte of the response",
  ],
  keepline_use_seconds: ["histogram", "How long requests held their connection"],
  keepline_dial_seconds: ["histogram", "Dials that succeeded: name lookup, TCP and TLS together"],
  keepline_connect_seconds: ["histogram", "TCP handshakes"],
  keepline_tls_seconds: ["histogram", "TLS handshakes"],
  keepline_idle_seconds: [
    "histogram",
    "How long connections had been idle when they were used again",
  ],
  keepline_life_seconds: ["histogram", "How long connections had been open when they were closed"],
} as const satisfies Record<string, readonly [Family["type"], string]>;

type FamilyName = keyof typeof familyTable;

/** Buckets end at so many doublings of a microsecond: 0.5 ms to 33.6 s. Our own buckets end there, so that counts are exact. */
const bucketDoublings = Array.from({ length: 17 }, (_, index) => index + 9);

/** The families of `clients`. `byOrigin`: pools are told one by one, and not summed up by service. */
export function familiesOf(clients: readonly Scraped[], byOrigin: boolean): Map<string, Family> {
  const families = new Families();
  for (const client of clients) addClient(families, client, byOrigin);
  return families.all;
}

class Families {
  readonly all = new Map<string, Family>(
    Object.entries(familyTable).map(([name, [type, help]]) => [
      name,
      { name, help, type, values: [] },
    ]),
  );

  add(name: FamilyName, labels: Labels, value: number): void {
    this.#of(name).push({ labels, value });
  }

  /** Durations of `histogram`, in ms, and `zeros` of 0. */
  addDurations(name: FamilyName, labels: Labels, histogram: Histogram, zeros = 0): void {
    const values = this.#of(name);
    const count = histogram.count + zeros;
    for (const doubling of bucketDoublings) {
      const le = String(2 ** doubling / 1e6);
      const value = histogram.countBelow(doubling) + zeros;
      values.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value });
    }
    values.push({ metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: count });
    values.push({ metricName: `${name}_sum`, labels, value: seconds(histogram.sum) });
    values.push({ metricName: `${name}_count`, labels, value: count });
  }

  #of(name: FamilyName): Sample[] {
    return (this.all.get(name) as Family).values;
  }
}

function addClient(
  families: Families,
  { world, reader, labels }: Scraped,
  byOrigin: boolean,
): void {
  const { pools } = world;
  const marking = pools.marking ?? pools.beginMarks(reader);
  addLimit(families, "keepline_client_connections_limit", labels, pools.budget.limit);
  for (const service of pools.services) {
    const own = { ...labels, service: service.name };
    const counted = serviceTally(pools, service);
    const saturated = new Map<string, number>();
    for (const pool of pools.all) {
      if (pool.service !== service) continue;
      for (const { lane, saturatedAt } of pool.lanes.all) {
        if (saturatedAt !== null) saturated.set(lane.name, (saturated.get(lane.name) ?? 0) + 1);
      }
    }
    families.add("keepline_pools", own, counted.origins);
    addLimit(families, "keepline_connections_limit", own, service.budget.limit);
    addMarks(families, own, marking.ofBudget(service.budget, reader));
    for (const lane of service.lanes.values()) {
      const ofLane = { ...own, lane: lane.name };
      families.add("keepline_requests_active", ofLane, lane.held);
      families.add("keepline_requests_pending", ofLane, lane.pending);
      families.add("keepline_lane_saturated", ofLane, saturated.get(lane.name) ?? 0);
    }
    if (byOrigin) {
      for (const { origin, sockets, tally, lanes } of originParts(pools, service)) {
        const ofOrigin = { ...own, origin };
        addSockets(families, ofOrigin, sockets);
        addTally(families, ofOrigin, tally, sumOf(lanes.values()));
        for (const [lane, each] of lanes) addLane(families, { ...ofOrigin, lane }, each);
      }
    } else {
      const { idleCount, busy, dialing } = service.budget;
      addSockets(families, own, { idle: idleCount, busy, dialing });
      addTally(families, own, counted.tally, counted.allLanes);
      for (const [lane, each] of counted.lanes) addLane(families, { ...own, lane }, each);
      const former = counted.tally.formerLanes;
      if (former !== null) addLane(families, { ...own, lane: formerLane }, former);
    }
  }
}

/** Stands for all lanes that a service has no more. */
const formerLane = "*";

function addSockets(families: Families, labels: Labels, sockets: OpenSockets): void {
  for (const state of ["idle", "busy", "dialing"] as const) {
    families.add("keepline_connections", { ...labels, state }, sockets[state]);
  }
}

function addMarks(families: Families, labels: Labels, { open, idle, busy, pending }: MarkedCounts) {
  for (const [state, { low, high }] of Object.entries({ open, idle, busy }) as [string, Extent][]) {
    families.add("keepline_connections_low", { ...labels, state }, low);
    families.add("keepline_connections_high", { ...labels, state }, high);
  }
  families.add("keepline_requests_pending_high", labels, pending.high);
}

function addTally(families: Families, labels: Labels, tally: Tally, lanes: LaneTally): void {
  families.add("keepline_requests_total", labels, lanes.requests);
  families.add("keepline_requests_reused_total", labels, lanes.reused);
  families.add("keepline_requests_resent_total", labels, tally.resent);
  families.add("keepline_requests_failed_total", labels, tally.failed);
  families.add("keepline_connections_opened_total", labels, tally.opened);
  families.add("keepline_connections_resumed_tls_total", labels, tally.resumedTls);
  for (const how of ["reported", "collected"] as const) {
    families.add("keepline_bodies_leaked_total", { ...labels, how }, tally.leaked[how]);
  }
  for (const reason of Object.keys(retireReasons) as (keyof typeof retireReasons)[]) {
    const count = tally.closed[reason] ?? 0;
    families.add("keepline_connections_closed_total", { ...labels, reason }, count);
  }
  families.addDurations("keepline_dial_seconds", labels, tally.dial);
  families.addDurations("keepline_connect_seconds", labels, tally.connect);
  families.addDurations("keepline_tls_seconds", labels, tally.tls);
  families.addDurations("keepline_idle_seconds", labels, lanes.idle);
  families.addDurations("keepline_life_seconds", labels, tally.life);
}

function addLane(families: Families, labels: Labels, tally: LaneTally): void {
  const { served, timedOut, refused, shed } = tally;
  const outcomes = { served, "timed-out": timedOut, refused, shed };
  for (const [outcome, count] of Object.entries(outcomes)) {
    families.add("keepline_lane_requests_total", { ...labels, outcome }, count);
  }
  families.addDurations("keepline_queue_seconds", labels, tally.waits, tally.unqueued);
  families.addDurations("keepline_first_byte_seconds", labels, tally.firstByte);
  families.addDurations("keepline_use_seconds", labels, tally.use);
}

function addLimit(families: Families, name: FamilyName, labels: Labels, limit: number): void {
  if (limit !== Number.POSITIVE_INFINITY) families.add(name, labels, limit);
}

function seconds(msecs: Msecs): number {
  return msecs / 1_000;
}
