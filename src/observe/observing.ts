/**
 * Looks on for all who want to know what one client does: keeps what is known of each request, and passes it on.
 * Invariant: of a request that it has not seen from its beginning nobody is told; and of any other its end, once.
 */
import type { Clock, Msecs } from "../core/clock.ts";
import type { ObservedHead, ObservedLeak, Observer } from "../core/observer.ts";
import type { DialFacts } from "../core/port.ts";
import type { RetireReason } from "../core/retire.ts";
import type { Saturation } from "../core/saturation.ts";
import type { TuningChange } from "../core/tuner.ts";
import type { Http1Connection } from "../http1/connection.ts";
import type { ConnectionUser, HttpPool } from "../http1/connection-user.ts";
import { ChannelWatcher } from "./channel-watcher.ts";
import { isListenedTo } from "./channels.ts";
import { type HttpLease, Sighting } from "./sighting.ts";

/** Told of what one client does. All it does not name it is not told of. It must not call the client. */
export interface Watcher {
  created?(seen: Sighting, now: Msecs): void;
  queued?(seen: Sighting, now: Msecs): void;
  granted?(seen: Sighting, lease: HttpLease, now: Msecs): void;
  sent?(seen: Sighting, now: Msecs): void;
  responded?(seen: Sighting, head: ObservedHead | null, now: Msecs): void;
  resent?(seen: Sighting, failed: HttpLease, isWritten: boolean, now: Msecs): void;
  ended?(seen: Sighting, now: Msecs): void;
  failed?(seen: Sighting, error: unknown, now: Msecs): void;
  leaked?(seen: Sighting, leak: ObservedLeak, now: Msecs): void;
  dialing?(lease: HttpLease, now: Msecs): void;
  opened?(lease: HttpLease, facts: DialFacts, now: Msecs): void;
  rested?(lease: HttpLease, now: Msecs): void;
  retired?(lease: HttpLease, reason: RetireReason, now: Msecs): void;
  saturation?(change: "saturated" | "relieved", lane: Saturation, now: Msecs): void;
  tuned?(change: TuningChange, now: Msecs): void;
}

let lastClientId = 0;

/** Who looks at one client. */
export class Observing implements Observer<ConnectionUser, Http1Connection> {
  /** Unique in this process. */
  readonly clientId: number;
  readonly clock: Clock;
  #watchers: readonly Watcher[] = [];
  /** Those of them that want to know nothing of requests for the moment. */
  #resting: readonly Watcher[] = [];
  /** Tells the channels; null while none has a subscriber. */
  #channels: ChannelWatcher | null = null;
  #lastId = 0;

  constructor(clock: Clock) {
    this.clientId = ++lastClientId;
    this.clock = clock;
  }

  /** Itself while somebody looks, else null. Asked with every request. */
  get current(): this | null {
    const isTold = isListenedTo();
    if (isTold !== (this.#channels !== null)) this.#turnChannels(isTold);
    return this.#watchers.length > this.#resting.length ? this : null;
  }

  /** Itself while somebody looks, be it at connections alone. Asked when one is dialed or ends, after `current`. */
  get forConnections(): this | null {
    return this.#watchers.length > 0 ? this : null;
  }

  /** `watcher` is told from now on. Returns what ends it. */
  add(watcher: Watcher): () => void {
    this.#watchers = [...this.#watchers, watcher];
    return () => {
      this.#watchers = this.#watchers.filter((each) => each !== watcher);
      this.wake(watcher);
    };
  }

  /**
   * `watcher`, which was added, looks at no requests until it wakes: where nobody else does they cost nothing. It is still told of
   * dials, of the ends of connections and of saturation, and of the end of no request that has begun before.
   */
  rest(watcher: Watcher): void {
    if (!this.#resting.includes(watcher)) this.#resting = [...this.#resting, watcher];
  }

  wake(watcher: Watcher): void {
    this.#resting = this.#resting.filter((each) => each !== watcher);
  }

  created(request: ConnectionUser, pool: HttpPool, now: Msecs): void {
    const seen = new Sighting(++this.#lastId, request, pool, now);
    request.observation = seen;
    for (const each of this.#watchers) each.created?.(seen, now);
  }

  queued(request: ConnectionUser, now: Msecs): void {
    const seen = sightingOf(request);
    if (seen === null) return;
    seen.behind = Math.max((request.place?.queue.count ?? 0) - 1, 0);
    for (const each of this.#watchers) each.queued?.(seen, now);
  }

  granted(request: ConnectionUser, lease: HttpLease, now: Msecs): void {
    const seen = sightingOf(request);
    if (seen === null) return;
    seen.granted(lease, now);
    for (const each of this.#watchers) each.granted?.(seen, lease, now);
  }

  sent(request: ConnectionUser, now: Msecs): void {
    const seen = sightingOf(request);
    if (seen === null || seen.firstByteAt !== null) return;
    seen.sentAt = now;
    for (const each of this.#watchers) each.sent?.(seen, now);
  }

  responded(request: ConnectionUser, head: ObservedHead | null, now: Msecs): void {
    const seen = sightingOf(request);
    if (seen === null) return;
    seen.firstByteAt = now;
    seen.statusCode = head?.statusCode ?? null;
    for (const each of this.#watchers) each.responded?.(seen, head, now);
  }

  resent(request: ConnectionUser, failed: HttpLease, isWritten: boolean, now: Msecs): void {
    const seen = sightingOf(request);
    if (seen === null) return;
    seen.resends++;
    for (const each of this.#watchers) each.resent?.(seen, failed, isWritten, now);
    seen.waits(now);
  }

  ended(request: ConnectionUser, now: Msecs): void {
    const seen = sightingOf(request);
    if (seen === null) return;
    seen.isOver = true;
    seen.statusCode ??= request.statusCode;
    for (const each of this.#watchers) each.ended?.(seen, now);
  }

  failed(request: ConnectionUser, error: unknown, now: Msecs): void {
    const seen = sightingOf(request);
    if (seen === null) return;
    seen.isOver = true;
    for (const each of this.#watchers) each.failed?.(seen, error, now);
  }

  leaked(request: ConnectionUser, leak: ObservedLeak, now: Msecs): void {
    const seen = sightingOf(request);
    if (seen === null) return;
    for (const each of this.#watchers) each.leaked?.(seen, leak, now);
  }

  dialing(lease: HttpLease, now: Msecs): void {
    for (const each of this.#watchers) each.dialing?.(lease, now);
  }

  opened(lease: HttpLease, facts: DialFacts, now: Msecs): void {
    for (const each of this.#watchers) each.opened?.(lease, facts, now);
  }

  rested(lease: HttpLease, now: Msecs): void {
    for (const each of this.#watchers) each.rested?.(lease, now);
  }

  retired(lease: HttpLease, reason: RetireReason, now: Msecs): void {
    for (const each of this.#watchers) each.retired?.(lease, reason, now);
  }

  saturation(change: "saturated" | "relieved", lane: Saturation, now: Msecs): void {
    for (const each of this.#watchers) each.saturation?.(change, lane, now);
  }

  tuned(change: TuningChange, now: Msecs): void {
    for (const each of this.#watchers) each.tuned?.(change, now);
  }

  #turnChannels(isOn: boolean): void {
    const before = this.#channels;
    this.#channels = isOn ? new ChannelWatcher(this.clientId) : null;
    const others = this.#watchers.filter((each) => each !== before);
    this.#watchers = this.#channels === null ? others : [...others, this.#channels];
  }
}

/** What is known of `request`; null when it was not seen from its beginning, or is over. */
function sightingOf({ observation }: ConnectionUser): Sighting | null {
  const seen = observation as Sighting | null;
  return seen === null || seen.isOver ? null : seen;
}
