/**
 * Idle connections in the order in which they became idle.
 */
import type { Connection } from "./connection.ts";
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
  get longestIdle(): Connection<R, T> | null {
    return this.#longest === null ? null : this.#longest.connection;
  }

  /** The connection that became idle last. */
  get shortestIdle(): Connection<R, T> | null {
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

/** When the connection of a link became idle; `Infinity` when it is not. */
export function idleSince<R extends PendingRequest, T>({ connection }: IdleLink<R, T>): number {
  return connection.state.kind === "idle" ? connection.state.since : Number.POSITIVE_INFINITY;
}
