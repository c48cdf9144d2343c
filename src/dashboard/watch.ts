/**
 * Looks on at one client while somebody reads the dashboard: notes what happens between two updates, and reads the pools when
 * one is due. Invariant: what it holds between two updates is bounded, and nothing of it is left when it is closed.
 */
import type { World } from "../client/world.ts";
import type { Msecs } from "../core/clock.ts";
import { Histogram } from "../core/histogram.ts";
import type { ObservedLeak } from "../core/observer.ts";
import type { DialFacts } from "../core/port.ts";
import type { RetireReason } from "../core/retire.ts";
import { saturationOf } from "../core/saturation.ts";
import type { HttpPool } from "../http1/connection-user.ts";
import { summaryOf } from "../observe/channel-watcher.ts";
import type { Watcher } from "../observe/observing.ts";
import { adviceFor, describeSaturation } from "../observe/saturation-warning.ts";
import type { HttpLease, Sighting } from "../observe/sighting.ts";
import { lanesTally } from "../observe/totals.ts";
import { best, Kept, ratesOf, scoreOf, short, spreadOf, type Totals } from "./feed.ts";
import {
  type ClientUpdate,
  type ClosedLine,
  type LaneUpdate,
  type Line,
  limits,
  type Note,
  type PoolUpdate,
  type Warning,
} from "./messages.ts";
import { Sampling } from "./sampling.ts";
import { causesOf, cut, type DialSteps, storyOf } from "./story.ts";

/** What happened to a pool since the last update. */
class Tick {
  wait: Histogram | null = null;
  firstByte: Histogram | null = null;
  readonly closed = new Kept<ClosedLine & { at: Msecs }>(limits.closed);
}

interface Dialed {
  readonly at: Msecs;
  steps: DialSteps | null;
}

type TimedNote = Omit<Note, "ago"> & { readonly at: Msecs };

/** A pool that may be shown. */
interface Offer {
  readonly watch: ClientWatch;
  readonly pool: HttpPool;
  readonly score: number;
}

let lastPoolId = 0;
const poolIds = new WeakMap<HttpPool, number>();

/** Looks on at one client. */
export class ClientWatch implements Watcher {
  readonly client: string;
  readonly #world: World;
  readonly #sampling: Sampling;
  /** Failures and resends so far. */
  #failures = 0;
  #ticks = new Map<HttpPool, Tick>();
  #notes = new Kept<TimedNote>(limits.notes);
  #slowest: { readonly msecs: Msecs; readonly note: TimedNote } | null = null;
  #shown = new Map<HttpPool, Totals>();
  /** What was last told of a saturated lane. */
  readonly #told = new WeakMap<object, { readonly refused: number; readonly warning: Warning }>();
  /** Connections in the last update, of pools that have more than are drawn; and in the one that is being made. */
  #drawn = new WeakSet<HttpLease>();
  #drawnNext = new WeakSet<HttpLease>();
  readonly #dials = new WeakMap<HttpLease, Dialed>();

  /** @param mostPerSecond With more requests a second it looks at samples, since to look costs each of them some µs. */
  constructor(client: string, world: World, mostPerSecond = 2_000) {
    this.client = client;
    this.#world = world;
    this.#sampling = new Sampling(world.observing, this, mostPerSecond);
  }

  close(): void {
    this.#sampling.close();
  }

  granted({ waitsSince }: Sighting, { pool }: HttpLease, now: Msecs): void {
    this.#sampling.saw();
    const tick = this.#tickOf(pool);
    tick.wait ??= new Histogram();
    tick.wait.record(now - waitsSince);
  }

  responded({ lease, sentAt, grantedAt }: Sighting, _head: unknown, now: Msecs): void {
    if (lease === null) return;
    const tick = this.#tickOf(lease.pool);
    tick.firstByte ??= new Histogram();
    tick.firstByte.record(now - (sentAt ?? grantedAt ?? now));
  }

  ended(seen: Sighting, now: Msecs): void {
    const msecs = now - seen.createdAt;
    if (this.#slowest !== null && msecs <= this.#slowest.msecs) return;
    // Once in a while, so that the words of it may be found at once: what they are made of changes.
    this.#slowest = { msecs, note: this.#noteOf("slow", seen, null, now) };
  }

  failed(seen: Sighting, error: unknown, now: Msecs): void {
    // Null: the program wanted no more of the response.
    if (error === null) return;
    this.#notes.add(() => this.#noteOf("failed", seen, error, now));
  }

  resent(seen: Sighting, failed: HttpLease, isWritten: boolean, now: Msecs): void {
    this.#notes.add(() => {
      const { state } = failed;
      const reason = state.kind === "closed" ? state.reason : "socket-error";
      const written = isWritten ? "a part of it was written" : "nothing of it was written";
      const note = this.#noteOf("resent", seen, null, now);
      const why = `connection ${failed.id} ended: ${reason}; ${written}, so it goes to another one`;
      return { ...note, story: [...note.story, why] };
    });
  }

  leaked(seen: Sighting, { msecs, heldBytes, frames }: ObservedLeak, now: Msecs): void {
    this.#notes.add(() => {
      const note = this.#noteOf("leaked", seen, null, now);
      const words = `its body is unread for ${Math.round(msecs)} ms, with ${heldBytes} bytes waiting`;
      const from = /^\s*at .*$/m.exec(frames ?? "")?.[0].trim();
      const made = from === undefined ? [] : [`the request was made ${cut(from, 200)}`];
      return { ...note, story: [...note.story, words, ...made] };
    });
  }

  dialing(lease: HttpLease, now: Msecs): void {
    this.#dials.set(lease, { at: now, steps: null });
  }

  opened(lease: HttpLease, { connectMsecs, tlsMsecs, tlsResumed }: DialFacts, now: Msecs): void {
    const dialed = this.#dials.get(lease);
    if (dialed === undefined) return;
    const dnsMsecs = lease.transport?.dialTimings?.dns ?? null;
    dialed.steps = { dialMsecs: now - dialed.at, dnsMsecs, connectMsecs, tlsMsecs, tlsResumed };
  }

  retired(lease: HttpLease, reason: RetireReason, now: Msecs): void {
    const { state } = lease;
    if (state.kind !== "closed") return;
    const { before } = state;
    if (before.kind === "closed") return;
    this.#tickOf(lease.pool).closed.add(() => {
      const line = this.#lineOf(lease, before.kind, now);
      const idle = before.kind === "idle" ? Math.round(now - before.since) : null;
      return { ...line, idle, reason, at: now, ago: 0 };
    });
  }

  /** The client as a whole. */
  summary(): ClientUpdate {
    const { budget, options } = this.#world.pools;
    const { open, idleCount: idle, busy, dialing, pending } = budget;
    const { maxTotalSockets } = options;
    return {
      client: this.client,
      sockets: { open, idle, busy, dialing },
      pending,
      maxTotalSockets: finite(maxTotalSockets),
    };
  }

  /** The pools that have most to show, with how much, and how many there are. All are looked at, of which there may be ten thousand. */
  pools(): { readonly offers: readonly Offer[]; readonly total: number } {
    let failures = 0;
    const { ranked, total } = best(this.#world.pools.all, limits.pools, (pool) => {
      failures += pool.tally.failed + pool.tally.resent;
      const { pending, busy, dialing, open } = pool.budget;
      const isActive = this.#ticks.has(pool);
      const wasShown = this.#shown.has(pool);
      return scoreOf({ pending, busy, dialing, open, isActive, wasShown });
    });
    this.#failures = failures;
    return { offers: ranked.map(({ item: pool, score }) => ({ watch: this, pool, score })), total };
  }

  /** What an update says of one pool, with so many of its connections. */
  describe(pool: HttpPool, lineCount: number, sinceMsecs: Msecs): PoolUpdate {
    const now = this.#world.clock();
    const { budget, tally, idle, lanes } = pool;
    const tick = this.#ticks.get(pool) ?? null;
    const places = [...lanes.all];
    const { opened } = tally;
    const { requests, served, reused } = lanesTally(pool);
    const lines = this.#chosen(pool, lineCount, now).map((each) =>
      this.#lineOf(each, each.state.kind as Line["state"], now),
    );
    const closed = tick?.closed.items ?? [];
    return {
      id: idOf(pool),
      client: this.client,
      service: pool.service.name,
      origin: pool.origin,
      sockets: {
        open: budget.open,
        idle: budget.idleCount,
        busy: budget.busy,
        dialing: budget.dialing,
      },
      maxSockets: finite(budget.limit),
      pending: budget.pending,
      requests,
      opened,
      failed: tally.failed,
      resent: tally.resent,
      reuseRatio: served === 0 ? null : reused / served,
      ...ratesOf({ requests, opened }, this.#shown.get(pool) ?? null, sinceMsecs),
      wait: spreadOf(tick?.wait ?? null),
      firstByte: spreadOf(tick?.firstByte ?? null),
      idleWindow: {
        hinted: idle.hintMsecs,
        learned: rounded(idle.history.learnedMsecs),
        used: rounded(idle.windowMsecs),
        closing: idle.history.closing,
      },
      lanes: places
        .toSorted((a, b) => b.queue.count + b.held - a.queue.count - a.held)
        .slice(0, limits.lanes)
        .map((place): LaneUpdate => {
          const { lane, held, queue, longest, saturatedAt } = place;
          const { served, refused, shed, timedOut } = place;
          return {
            name: lane.name,
            busy: held,
            pending: queue.count,
            waitedMsecs: longest === null ? 0 : Math.round(now - longest.enqueuedAt),
            served,
            refused: refused + shed + timedOut,
            isSaturated: saturatedAt !== null,
            maxSockets: finite(lane.options.maxSockets),
          };
        })
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      moreLanes: Math.max(places.length - limits.lanes, 0),
      lines,
      moreLines: budget.open - lines.length,
      closed: closed.map(({ at, ...line }) => ({ ...line, ago: Math.round(now - at) })),
      closedCount: tick?.closed.count ?? 0,
    };
  }

  /** The connections that are drawn: all where there is room, else those in use, and no others from one update to the next without need. */
  #chosen(pool: HttpPool, count: number, now: Msecs): readonly HttpLease[] {
    const { connections } = pool.roster;
    if (connections.size <= count) return [...connections];
    const { chosen } = best(connections, count, (each) => {
      const recent = 1 / (1 + Math.max(now - each.leasedAt, 0) / 1_000);
      return recent + (each.state.kind === "idle" ? 0 : 1) + (this.#drawn.has(each) ? 1.5 : 0);
    });
    for (const each of chosen) this.#drawnNext.add(each);
    return chosen;
  }

  /** Lanes of `pool` that are saturated. One that rests until it is relieved is told as it last was. */
  *warnings(pool: HttpPool): Iterable<Warning> {
    const now = this.#world.clock();
    for (const place of pool.lanes.all) {
      if (place.saturatedAt === null) continue;
      const saturation = saturationOf(place, now);
      const { origin, service, lane, pending, refused } = saturation;
      let told = this.#told.get(place);
      if (told === undefined || pending > 0 || refused > told.refused) {
        const words = describeSaturation(saturation);
        const advice = adviceFor(saturation);
        const warning = { client: this.client, service, origin, lane, words, advice };
        told = { refused, warning };
        this.#told.set(place, told);
      }
      yield told.warning;
    }
  }

  /** What happened to single requests, and how many of it is left out. */
  notes(): { readonly notes: Note[]; readonly leftOut: number } {
    const now = this.#world.clock();
    const { items, leftOut } = this.#notes;
    const all = this.#slowest === null ? items : [...items, this.#slowest.note];
    const notes = all.map(({ at, ...note }) => ({ ...note, ago: Math.round(now - at) }));
    return { notes, leftOut };
  }

  /** An update was made, in which `shown` were: what comes belongs to the next one. */
  next(shown: Iterable<HttpPool>): void {
    this.#sampling.tick(this.#failures);
    this.#drawn = this.#drawnNext;
    this.#drawnNext = new WeakSet();
    this.#ticks = new Map();
    this.#notes = new Kept(limits.notes);
    this.#slowest = null;
    this.#shown = new Map(
      [...shown].map((pool) => {
        const { requests } = lanesTally(pool);
        return [pool, { requests, opened: pool.tally.opened }];
      }),
    );
  }

  #tickOf(pool: HttpPool): Tick {
    let tick = this.#ticks.get(pool);
    if (tick === undefined) {
      tick = new Tick();
      this.#ticks.set(pool, tick);
    }
    return tick;
  }

  #lineOf(lease: HttpLease, state: Line["state"], now: Msecs): Line {
    const { id, openedAt, leasedAt, requestCount, lastIdleMsecs } = lease;
    const dialed = this.#dials.get(lease);
    return {
      id,
      state,
      dialed: dialed === undefined ? null : Math.round(now - dialed.at),
      opened: state === "dialing" ? null : Math.round(now - openedAt),
      leased: requestCount === 0 ? null : Math.round(now - leasedAt),
      idle: lease.state.kind === "idle" ? Math.round(now - lease.state.since) : null,
      rested: Math.round(lastIdleMsecs),
      requests: requestCount,
    };
  }

  #noteOf(kind: Note["kind"], seen: Sighting, error: unknown, now: Msecs): TimedNote {
    const { origin, service, lane, method, path, createdAt, waitsSince, lease } = seen;
    const { requestCount, idleMsecs, grantedAt, sentAt, firstByteAt, resends, behind } = seen;
    return {
      kind,
      at: now,
      client: this.client,
      service,
      origin,
      lane,
      method,
      path: cut(path, limits.pathLength),
      totalMsecs: short(now - createdAt),
      story: storyOf({
        lane,
        waitedMsecs: (grantedAt ?? now) - waitsSince,
        behind,
        resends: kind === "resent" ? resends - 1 : resends,
        connection:
          lease === null
            ? null
            : {
                id: lease.id,
                requestCount,
                idleMsecs,
                dial: this.#dials.get(lease)?.steps ?? null,
              },
        firstByteMsecs: firstByteAt === null ? null : firstByteAt - (sentAt ?? grantedAt ?? now),
        sinceMsecs: now - (sentAt ?? grantedAt ?? now),
      }),
      causes: error === null ? [] : causesOf(summaryOf(error)),
    };
  }
}

function idOf(pool: HttpPool): number {
  const known = poolIds.get(pool);
  if (known !== undefined) return known;
  poolIds.set(pool, ++lastPoolId);
  return lastPoolId;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function rounded(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : Math.round(value);
}
