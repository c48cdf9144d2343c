/**
 * A limit on open sockets. Budgets nest (origin → service → client): a dial takes one permit from every
 * budget on its way up or none at all, and a closed connection gives all of them back.
 * Invariant: `open` never exceeds what the limit was when the permit was taken.
 */
import type { Connection } from "./connection.ts";
import type { Line } from "./line.ts";
import type { Marks } from "./marks.ts";
import type { PendingRequest } from "./pending.ts";

/** A connection's place in one idle list: in that of its origin it stands itself. */
export interface IdleLink<R extends PendingRequest, T> {
  readonly connection: Connection<R, T>;
  longer: IdleLink<R, T> | null;
  shorter: IdleLink<R, T> | null;
}

/** Idle connections in the order in which they became idle. */
export class IdleList<R extends PendingRequest, T> {
  #longest: IdleLink<R, T> | null = null;
  #shortest: IdleLink<R, T> | null = null;

  /** The connection that has been idle for the longest time. */
  get longest(): Connection<R, T> | null {
    return this.#longest === null ? null : this.#longest.connection;
  }

  /** The connection that became idle last. */
  get shortest(): Connection<R, T> | null {
    return this.#shortest === null ? null : this.#shortest.connection;
  }

  push(link: IdleLink<R, T>): void {
    link.longer = this.#shortest;
    if (this.#shortest === null) this.#longest = link;
    else this.#shortest.shorter = link;
    this.#shortest = link;
  }

  /** Puts a link in its place by when it became idle. */
  insert(link: IdleLink<R, T>): void {
    const since = idleSince(link);
    let longer = this.#shortest;
    while (longer !== null && idleSince(longer) > since) longer = longer.longer;
    if (longer === this.#shortest) {
      this.push(link);
      return;
    }
    const shorter = longer === null ? this.#longest : longer.shorter;
    link.longer = longer;
    link.shorter = shorter;
    if (longer === null) this.#longest = link;
    else longer.shorter = link;
    if (shorter !== null) shorter.longer = link;
  }

  remove(link: IdleLink<R, T>): void {
    if (link.longer === null) this.#longest = link.shorter;
    else link.longer.shorter = link.shorter;
    if (link.shorter === null) this.#shortest = link.longer;
    else link.shorter.longer = link.longer;
    link.longer = link.shorter = null;
  }
}

function idleSince<R extends PendingRequest, T>({ connection }: IdleLink<R, T>): number {
  return connection.state.kind === "idle" ? connection.state.since : Number.POSITIVE_INFINITY;
}

/** One level of limits. */
export class Budget<R extends PendingRequest, T> {
  /** What sets the limit, for messages: the option, and of whom. */
  readonly name: string;
  /** Sockets that may be open; `Infinity` means any number. */
  limit: number;
  /** Sockets that are open: dialing, idle, busy and draining ones. */
  open = 0;
  /** The most that were open at once. */
  mostOpen = 0;
  /** Of `open`: those that are being dialed. */
  dialing = 0;
  /** Requests that wait. */
  pending = 0;
  /** For those who read marks; null while nobody does. Where it is null, it is null above, too. */
  marks: Marks | null = null;
  /** Sockets reserved for lanes under this budget. */
  reserved = 0;
  /** Sockets that are claimed, or reserved for lanes that have not claimed them: see `PoolLane`. */
  committed = 0;
  /** The next wider budget. Changed by `moveTo` alone. */
  parent: Budget<R, T> | null;
  /** Of `open`: those that are idle. */
  idleCount = 0;
  /** The idle connections of an origin; above, only where there is a limit to make room under: see `listsIdle`. */
  readonly idle = new IdleList<R, T>();
  /** Above origins: `idle` is kept. In a list of many origins each connection stands between those of others, which have left the caches. */
  listsIdle: boolean;
  /** Who waits for a place here; null where one pool has all of it. */
  line: Line<R, T> | null = null;

  constructor(name: string, limit: number, parent: Budget<R, T> | null) {
    this.name = name;
    this.limit = limit;
    this.parent = parent;
    this.listsIdle = limit !== Number.POSITIVE_INFINITY;
  }

  /** Sockets that carry a request: busy and draining ones. */
  get busy(): number {
    return this.open - this.idleCount - this.dialing;
  }

  get isFull(): boolean {
    return this.open >= this.limit;
  }

  /** The nearest budget, from here upwards, that has no permit left; null when a dial is allowed. */
  firstFull(): Budget<R, T> | null {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      if (each.isFull) return each;
    }
    return null;
  }

  /** True when here or above more is open than the limit, which was lowered meanwhile. */
  isExceeded(): boolean {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      if (each.open > each.limit) return true;
    }
    return false;
  }

  /** Takes a permit here and above. The caller has seen `firstFull()` return null. */
  take(): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      if (++each.open > each.mostOpen) each.mostOpen = each.open;
    }
  }

  /** Gives a permit back, here and above. */
  give(): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) each.open--;
  }

  /** So many more are being dialed, here and above. */
  addDialing(count: number): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      each.dialing += count;
    }
  }

  /** So many more requests wait, here and above. */
  addPending(count: number): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      each.pending += count;
    }
  }

  /** Marks what is so now, here and above. */
  note(): void {
    for (let each: Budget<R, T> | null = this; each !== null; each = each.parent) {
      each.marks?.note(each.open, each.idleCount, each.busy, each.pending);
    }
  }

  /** Counts under another budget from now on, with the idle ones of `connections`. The limits there may be exceeded then. */
  moveTo(parent: Budget<R, T>, connections: Iterable<Connection<R, T>>): void {
    const idle = [...connections].filter((each) => each.state.kind === "idle");
    for (const each of idle) this.removeIdle(each);
    for (let each = this.parent; each !== null; each = each.parent) {
      each.open -= this.open;
      each.dialing -= this.dialing;
      each.pending -= this.pending;
    }
    this.parent = parent;
    for (let each: Budget<R, T> | null = parent; each !== null; each = each.parent) {
      each.open += this.open;
      each.dialing += this.dialing;
      each.pending += this.pending;
      each.mostOpen = Math.max(each.mostOpen, each.open);
    }
    for (const connection of idle) {
      this.idleCount++;
      this.idle.insert(connection);
      let level = 0;
      for (let each: Budget<R, T> | null = parent; each !== null; each = each.parent) {
        each.idleCount++;
        if (each.listsIdle) each.idle.insert(connection.linkAbove(level));
        level++;
      }
    }
  }

  /** Above origins, after `limit` was changed: idle connections are listed where there is one. `all`: those that it may have. */
  relist(all: () => readonly Connection<R, T>[]): void {
    const listsIdle = this.limit !== Number.POSITIVE_INFINITY;
    if (this.listsIdle === listsIdle) return;
    this.listsIdle = listsIdle;
    const level = this.parent === null ? 1 : 0;
    const idle = all().filter(({ state, pool }) => {
      const { parent } = pool.budget;
      return state.kind === "idle" && (parent === this || parent?.parent === this);
    });
    for (const connection of idle.sort((one, other) => idleSince(one) - idleSince(other))) {
      if (listsIdle) this.idle.push(connection.linkAbove(level));
      else this.idle.remove(connection.linkAbove(level));
    }
  }

  /** `connection` is idle from now on. */
  addIdle(connection: Connection<R, T>): void {
    this.idleCount++;
    this.idle.push(connection);
    let level = 0;
    for (let each = this.parent; each !== null; each = each.parent) {
      each.idleCount++;
      if (each.listsIdle) each.idle.push(connection.linkAbove(level));
      level++;
    }
  }

  /** `connection` is idle no more. */
  removeIdle(connection: Connection<R, T>): void {
    this.idleCount--;
    this.idle.remove(connection);
    let level = 0;
    for (let each = this.parent; each !== null; each = each.parent) {
      each.idleCount--;
      if (each.listsIdle) each.idle.remove(connection.linkAbove(level));
      level++;
    }
  }
}
