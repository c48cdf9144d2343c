/**
 * What the page remembers of the updates: the course of each connection, counts over time, and what happened to requests.
 * Pure. Invariant: nothing is remembered for longer than `keptMsecs`, nor more than so many connections a pool.
 */
import {
  type ClosedLine,
  type Hello,
  type Line,
  type LineState,
  limits,
  type Note,
  type PoolUpdate,
  type Update,
} from "./messages.ts";

/** Five minutes. */
export const keptMsecs = 300_000;
const mostLines = 400;
const mostSegments = 400;
/** Longer than between any two updates. */
const mostGapMsecs = 3_000;
const mostNotes = 200;
const mostSlow = 8;
/** A pool that no update has shown for so long is forgotten. */
const goneMsecs = 30_000;

/** A time in which a connection did one thing. Instants in ms since 1970. */
export interface Segment {
  readonly state: LineState;
  readonly from: number;
  to: number;
}

/** The course of one connection. */
export interface Course {
  readonly id: number;
  readonly segments: Segment[];
  requests: number;
  /** Null while it is open. */
  closed: { readonly at: number; readonly reason: string } | null;
  /** The last update that showed it. */
  seenAt: number;
}

/** One instant of a pool. Null where nothing was measured. */
export interface Point {
  readonly at: number;
  readonly busy: number;
  readonly idle: number;
  readonly dialing: number;
  readonly pending: number;
  readonly requestsPerSecond: number | null;
  readonly openedPerSecond: number | null;
  readonly waitP50: number | null;
  readonly waitP99: number | null;
  readonly firstByteP50: number | null;
  readonly firstByteP99: number | null;
  /** Requests that wait, by lane. */
  readonly lanes: Readonly<Record<string, number>>;
}

/** A pool as the page knows it. */
export interface PoolHistory {
  readonly id: number;
  last: PoolUpdate;
  readonly points: Point[];
  readonly courses: Map<number, Course>;
  /** Ends by reason, since the page was opened. */
  readonly closedFor: Map<string, number>;
  seenAt: number;
}

/** A note with when it was. */
export interface TimedNote extends Note {
  readonly at: number;
  /** Unique in the page. */
  readonly key: number;
}

/** All that the page knows. */
export class History {
  hello: Hello | null = null;
  update: Update | null = null;
  /** When the first update came, in ms since 1970; 0 before. */
  since = 0;
  readonly pools = new Map<number, PoolHistory>();
  /** The newest first. */
  notes: TimedNote[] = [];
  /** The slowest of the last minute, slowest first. */
  slow: TimedNote[] = [];
  leftOutNotes = 0;
  #nextKey = 1;

  /**
   * The pools to show: those of the last update, and where there is room those that it does not show any more, the last seen
   * first. Others are remembered for a while, since an update may show them again.
   */
  get listed(): PoolHistory[] {
    return [...this.pools.values()].toSorted((a, b) => b.seenAt - a.seenAt).slice(0, limits.pools);
  }

  /** Another process, or the same one after a pause of the feed: what was known stays only where it is the same one. */
  begin(hello: Hello): void {
    const isSame = this.hello?.pid === hello.pid && this.hello.program === hello.program;
    this.hello = hello;
    if (isSame) return;
    this.pools.clear();
    this.since = 0;
    this.notes = [];
    this.slow = [];
    this.leftOutNotes = 0;
  }

  add(update: Update): void {
    const { at } = update;
    this.update = update;
    if (this.since === 0) this.since = at;
    for (const pool of update.pools) this.#pool(pool, at);
    for (const [id, { seenAt }] of this.pools) if (at - seenAt > goneMsecs) this.pools.delete(id);
    const told = update.notes.map((note) => ({
      ...note,
      at: at - note.ago,
      key: this.#nextKey++,
    }));
    const slow = told.filter(({ kind }) => kind === "slow");
    const events = told.filter(({ kind }) => kind !== "slow").reverse();
    if (events.length > 0) this.notes = [...events, ...this.notes].slice(0, mostNotes);
    if (slow.length > 0 || this.slow.length > 0) {
      this.slow = [...slow, ...this.slow]
        .filter((note) => at - note.at < 60_000)
        .toSorted((a, b) => b.totalMsecs - a.totalMsecs)
        .slice(0, mostSlow);
    }
    this.leftOutNotes += update.moreNotes;
  }

  #pool(pool: PoolUpdate, at: number): void {
    let known = this.pools.get(pool.id);
    if (known === undefined) {
      const { id } = pool;
      known = { id, last: pool, points: [], courses: new Map(), closedFor: new Map(), seenAt: at };
      this.pools.set(id, known);
    }
    known.last = pool;
    known.seenAt = at;
    known.points.push(pointOf(pool, at));
    while ((known.points[0]?.at ?? at) < at - keptMsecs) known.points.shift();
    for (const line of pool.closed) {
      close(known.courses, line, at);
      known.closedFor.set(line.reason, (known.closedFor.get(line.reason) ?? 0) + 1);
    }
    for (const line of pool.lines) {
      const course = courseOf(known.courses, line.id);
      // What it did while it was not shown is not known.
      if (at - course.seenAt > mostGapMsecs) course.segments.length = 0;
      extend(course, line, at);
    }
    forget(known.courses, at);
  }
}

function pointOf(pool: PoolUpdate, at: number): Point {
  const { sockets, pending, requestsPerSecond, openedPerSecond, wait, firstByte, lanes } = pool;
  const { busy, idle, dialing } = sockets;
  return {
    at,
    busy,
    idle,
    dialing,
    pending,
    requestsPerSecond,
    openedPerSecond,
    waitP50: wait.p50,
    waitP99: wait.p99,
    firstByteP50: firstByte.p50,
    firstByteP99: firstByte.p99,
    lanes: Object.fromEntries(lanes.map((lane) => [lane.name, lane.pending])),
  };
}

function courseOf(courses: Map<number, Course>, id: number): Course {
  let course = courses.get(id);
  if (course === undefined) {
    course = { id, segments: [], requests: 0, closed: null, seenAt: 0 };
    courses.set(id, course);
  }
  return course;
}

/**
 * Carries the course of a connection on to `at`, by what an update says of it. Of several requests since the update before
 * only the last is known to the millisecond; what was before it is one busy time.
 */
export function extend(course: Course, line: Line, at: number): void {
  const { segments } = course;
  const instant = (age: number | null): number | null => (age === null ? null : at - age);
  const dialed = instant(line.dialed);
  const opened = instant(line.opened);
  const leased = instant(line.leased);
  const idle = instant(line.idle);
  const last = segments.at(-1);
  if (last === undefined) {
    // One that was open before anybody looked is shown from what is known of it.
    if (dialed !== null) put(segments, "dialing", dialed, opened ?? at);
  } else if (last.state === "dialing") {
    last.to = Math.max(opened ?? at, last.from);
  }
  const before = segments.at(-1)?.to ?? null;
  if (leased !== null && line.requests > course.requests) {
    const idleFrom = leased - line.rested;
    if (before !== null) {
      if (segments.at(-1)?.state !== "dialing") put(segments, "busy", before, idleFrom);
      put(segments, "idle", Math.max(idleFrom, before), leased);
    }
    put(segments, "busy", Math.max(leased, before ?? leased), idle ?? at);
  } else if (idle !== null && segments.at(-1)?.state === "busy") {
    put(segments, "busy", before ?? idle, idle);
  }
  if (line.state !== "dialing") {
    put(segments, line.state, segments.at(-1)?.to ?? idle ?? leased ?? opened ?? at, at);
  }
  course.requests = line.requests;
  course.seenAt = at;
}

/** Adds a time to the course, or makes the last one longer. */
function put(segments: Segment[], state: LineState, from: number, to: number): void {
  if (to <= from) return;
  const last = segments.at(-1);
  if (last !== undefined && last.state === state && from - last.to < 1) {
    last.to = Math.max(last.to, to);
    return;
  }
  segments.push({ state, from: Math.max(from, last?.to ?? from), to });
  if (segments.length > mostSegments) segments.shift();
}

function close(courses: Map<number, Course>, line: ClosedLine, at: number): void {
  const course = courseOf(courses, line.id);
  const endedAt = at - line.ago;
  extend(course, line, endedAt);
  course.closed = { at: endedAt, reason: line.reason };
  course.seenAt = at;
}

function forget(courses: Map<number, Course>, at: number): void {
  for (const [id, course] of courses) {
    const end = course.closed?.at ?? course.seenAt;
    if (end < at - keptMsecs) courses.delete(id);
    else while ((course.segments[0]?.to ?? at) < at - keptMsecs) course.segments.shift();
  }
  for (const [id, course] of courses) {
    if (courses.size <= mostLines) return;
    if (course.closed !== null || course.seenAt < at) courses.delete(id);
  }
}
