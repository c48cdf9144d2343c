/**
 * Those who read the feed, and the clients that they look at: watched only while there is a reader.
 */
import type { ServerResponse } from "node:http";
import path from "node:path";
import type { World } from "../client/world.ts";
import type { Msecs } from "../core/clock.ts";
import type { HttpPool } from "../http1/connection-user.ts";
import { version } from "../version.ts";
import { best, eventText, shareLines } from "./feed.ts";
import { feedVersion, type Hello, limits, type Note, type Update } from "./messages.ts";
import { Traces } from "./traces.ts";
import { ClientWatch } from "./watch.ts";

/** Who reads more slowly than this misses updates, each of which says all there is. */
const mostBufferedBytes = 1_048_576;

/** After this a page asks again for a feed that has ended. */
const retryMsecs = 1_000;

/** The readers of one dashboard. */
export class Viewers {
  readonly #worlds = new Map<World, string>();
  /** Traces of these clients. */
  readonly traces = new Traces(this.#worlds);
  readonly #responses = new Set<ServerResponse>();
  #watches = new Map<World, ClientWatch>();
  #timer: NodeJS.Timeout | null = null;
  #madeAt: Msecs = 0;
  /** Of clients that are gone since the last update. */
  #lastNotes: { notes: Note[]; leftOut: number } = { notes: [], leftOut: 0 };

  get count(): number {
    return this.#responses.size;
  }

  /** A client to look at. Returns what ends it. */
  add(name: string, world: World): () => void {
    this.#worlds.set(world, name);
    if (this.#timer !== null) this.#watches.set(world, new ClientWatch(name, world));
    return () => {
      this.#worlds.delete(world);
      this.traces.leave(world);
      const watch = this.#watches.get(world);
      if (watch === undefined) return;
      const { notes, leftOut } = watch.notes();
      this.#lastNotes.notes.push(...notes.slice(0, limits.notes - this.#lastNotes.notes.length));
      this.#lastNotes.leftOut += leftOut;
      watch.close();
      this.#watches.delete(world);
    };
  }

  /** `response` gets the feed until it closes. */
  join(response: ServerResponse): void {
    response.write(`retry: ${retryMsecs}\n${eventText("hello", hello())}`);
    this.#responses.add(response);
    response.on("close", () => this.#leave(response));
    if (this.#timer !== null) return;
    for (const [world, name] of this.#worlds)
      this.#watches.set(world, new ClientWatch(name, world));
    this.#madeAt = 0;
    this.#tell();
    this.#timer = setInterval(() => this.#tell(), limits.tickMsecs);
    this.#timer.unref();
  }

  /** Nobody reads any more. */
  close(): void {
    for (const response of this.#responses) response.destroy();
    this.#rest();
  }

  #leave(response: ServerResponse): void {
    this.#responses.delete(response);
    if (this.#responses.size === 0) this.#rest();
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    for (const watch of this.#watches.values()) watch.close();
    this.#watches = new Map();
  }

  #tell(): void {
    const text = eventText("update", this.#update());
    for (const response of this.#responses) {
      if (response.writableLength < mostBufferedBytes) response.write(text);
    }
  }

  #update(): Update {
    const now = performance.now();
    const sinceMsecs = this.#madeAt === 0 ? 0 : now - this.#madeAt;
    this.#madeAt = now;
    const watches = [...this.#watches.values()];
    const found = watches.map((each) => each.pools());
    const offers = found.flatMap((each) => each.offers);
    const { chosen } = best(offers, limits.pools, ({ score }) => score);
    const total = found.reduce((sum, each) => sum + each.total, 0);
    const shares = shareLines(chosen.map(({ pool }) => pool.budget.open));
    const pools = chosen.map(({ watch, pool }, index) =>
      watch.describe(pool, shares[index] ?? 0, sinceMsecs),
    );
    const warnings = chosen.flatMap(({ watch, pool }) => [...watch.warnings(pool)]);
    const { notes, leftOut } = this.#notes(watches);
    const shown = new Map<ClientWatch, HttpPool[]>(watches.map((watch) => [watch, []]));
    for (const { watch, pool } of chosen) shown.get(watch)?.push(pool);
    for (const [watch, its] of shown) watch.next(its);
    return {
      at: Date.now(),
      sinceMsecs: Math.round(sinceMsecs),
      clients: watches.slice(0, limits.clients).map((each) => each.summary()),
      moreClients: Math.max(watches.length - limits.clients, 0),
      pools,
      morePools: total - pools.length,
      warnings: warnings.slice(0, limits.warnings),
      notes: notes.slice(0, limits.notes),
      moreNotes: leftOut + Math.max(notes.length - limits.notes, 0),
    };
  }

  #notes(watches: readonly ClientWatch[]): { notes: Note[]; leftOut: number } {
    const all = [this.#lastNotes, ...watches.map((each) => each.notes())];
    this.#lastNotes = { notes: [], leftOut: 0 };
    return {
      notes: all.flatMap((each) => each.notes).toSorted((a, b) => b.ago - a.ago),
      leftOut: all.reduce((sum, each) => sum + each.leftOut, 0),
    };
  }
}

function hello(): Hello {
  return {
    format: "keepline-dashboard",
    formatVersion: feedVersion,
    keepline: version,
    node: process.versions.node,
    pid: process.pid,
    program: path.basename(process.argv[1] ?? "node"),
    tickMsecs: limits.tickMsecs,
  };
}
