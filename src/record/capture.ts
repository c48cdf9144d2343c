/**
 * Writes down the requests of one client as a trace while it works: a line when a request is over, and when the recording ends
 * one for each that is not. Paths, headers and bodies are not looked at.
 * Invariant: there are no more requests and bytes than allowed, beside the heads; and whatever ends it ends it once.
 */
import type { World } from "../client/world.ts";
import type { Msecs } from "../core/clock.ts";
import type { Watcher } from "../observe/observing.ts";
import type { Sighting } from "../observe/sighting.ts";
import type { RecordingEnd, TraceHead } from "../simulate/traces/format.ts";
import { surroundingsOf } from "./surroundings.ts";

/** Who takes what is written. */
export interface Sink {
  /** Takes a piece of the trace, or returns false: it has no room, and the piece is left out. */
  write(text: string): boolean;
  /** No more comes. `ended`: why. */
  end(ended: RecordingEnd): void;
}

/** How much is recorded, at most. `Infinity` means no limit. */
export interface CaptureLimits {
  readonly maxRequests: number;
  readonly maxBytes: number;
  readonly maxMsecs: Msecs;
}

/** Lines wait so long for others, in ms; or until they are so many characters. */
const flushMsecs = 200;
const flushLength = 65_536;
/** Groups of requests with a beginning in common, at most: each is a string. */
const mostGroups = 4_096;
/** Surroundings are written so long after the beginning, and when the recording has become twice as long: a process may end without a word. */
const firstHeadMsecs = 1_000;

/** Records one client. */
export class Capture implements Watcher {
  requestCount = 0;
  byteCount = 0;
  leftOutCount = 0;
  /** Why it is over; null while it records. */
  endedFor: RecordingEnd | null = null;
  readonly #world: World;
  readonly #limits: CaptureLimits;
  readonly #sink: Sink;
  readonly #unwatch: () => void;
  /** Requests that are under way, all of them made since the beginning. */
  readonly #open = new Set<Sighting>();
  readonly #groups = new Map<string, { readonly text: string; readonly bytes: number }>();
  readonly #beganAt: Msecs;
  /** From the client's clock to ms since 1970. */
  readonly #offset: Msecs;
  #nextHeadMsecs = firstHeadMsecs;
  #text = "";
  #textCount = 0;
  #timer: NodeJS.Timeout | null = null;
  readonly #limitTimer: NodeJS.Timeout | null;

  constructor(world: World, limits: CaptureLimits, sink: Sink) {
    this.#world = world;
    this.#limits = limits;
    this.#sink = sink;
    this.#beganAt = world.clock();
    this.#offset = Date.now() - this.#beganAt;
    this.#sink.write(this.#head());
    this.#unwatch = world.observing.add(this);
    const { maxMsecs } = limits;
    // A longer one than a timer can be outlasts any recording.
    const hasEnd = maxMsecs < 2 ** 31;
    this.#limitTimer = hasEnd ? setTimeout(() => this.end("time"), maxMsecs).unref() : null;
  }

  created(seen: Sighting): void {
    if (this.endedFor !== null) return;
    if (this.requestCount + this.#open.size >= this.#limits.maxRequests) this.end("requests");
    else this.#open.add(seen);
  }

  ended(seen: Sighting, now: Msecs): void {
    this.#over(seen, null, now);
  }

  failed(seen: Sighting, error: unknown, now: Msecs): void {
    this.#over(seen, error, now);
  }

  /** No more is recorded. What is under way is written down as such. */
  end(ended: RecordingEnd): void {
    if (this.endedFor !== null) return;
    this.endedFor = ended;
    this.#unwatch();
    if (this.#limitTimer !== null) clearTimeout(this.#limitTimer);
    const now = this.#world.clock();
    for (const seen of this.#open) this.#write(seen, null, false, now);
    this.#open.clear();
    this.#groups.clear();
    this.#flush();
    this.#sink.write(
      this.#head({ ended, requests: this.requestCount, leftOut: this.leftOutCount }),
    );
    this.#sink.end(ended);
  }

  #over(seen: Sighting, error: unknown, now: Msecs): void {
    if (!this.#open.delete(seen)) return;
    this.#write(seen, error, true, now);
    if (this.byteCount >= this.#limits.maxBytes) this.end("bytes");
    else if (this.#text.length >= flushLength) this.#flush();
    else if (this.#timer === null)
      this.#timer = setTimeout(() => this.#flush(), flushMsecs).unref();
  }

  #write(seen: Sighting, error: unknown, isOver: boolean, now: Msecs): void {
    const group = this.#groupOf(seen);
    const { grantedAt, createdAt } = seen;
    const held = grantedAt === null ? "" : `,"heldMsecs":${digitsOf(now - grantedAt)}`;
    const open = isOver ? "" : ',"isOver":false';
    const failure = error === null ? "" : `,"failure":${JSON.stringify(failureOf(error))}`;
    const line = `{"at":${digitsOf(createdAt + this.#offset)}${held}${open}${failure}${group.text}`;
    const bytes = this.byteCount + line.length - group.text.length + group.bytes;
    if (bytes > this.#limits.maxBytes) {
      this.leftOutCount++;
      this.byteCount = this.#limits.maxBytes;
      return;
    }
    this.byteCount = bytes;
    this.requestCount++;
    this.#text += line;
    this.#textCount++;
  }

  /** What a line has in common with many others: its end. */
  #groupOf(seen: Sighting): { readonly text: string; readonly bytes: number } {
    const { origin, service, lane } = seen;
    const { isReplayable } = seen.request;
    const key = `${origin}\n${lane}\n${service}\n${isReplayable}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      const own = {
        origin,
        ...(service === "default" ? {} : { service }),
        ...(lane === "default" ? {} : { lane }),
        ...(isReplayable ? {} : { isReplayable }),
      };
      const text = `,${JSON.stringify(own).slice(1)}\n`;
      group = { text, bytes: Buffer.byteLength(text) };
      if (this.#groups.size === mostGroups) this.#groups.clear();
      this.#groups.set(key, group);
    }
    return group;
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const text = this.#text;
    const count = this.#textCount;
    this.#text = "";
    this.#textCount = 0;
    if (count === 0) return;
    if (!this.#sink.write(text)) {
      this.requestCount -= count;
      this.leftOutCount += count;
    }
    const msecs = this.#world.clock() - this.#beganAt;
    if (msecs < this.#nextHeadMsecs || this.endedFor !== null) return;
    this.#nextHeadMsecs = 2 * msecs;
    this.#sink.write(this.#head());
  }

  #head(end: Pick<TraceHead, "ended" | "requests" | "leftOut"> = {}): string {
    const head: TraceHead = {
      format: "keepline-trace",
      formatVersion: 1,
      isRecording: true,
      ...surroundingsOf(this.#world),
      ...end,
    };
    const endless = (_: string, value: unknown): unknown =>
      value === Number.POSITIVE_INFINITY ? "Infinity" : value;
    return `${JSON.stringify(head, endless)}\n`;
  }
}

function failureOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "Error";
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown };
  const word = typeof code === "string" ? code : typeof name === "string" ? name : "Error";
  return word.slice(0, 64);
}

const twoDigits = Array.from({ length: 100 }, (_, index) => String(index).padStart(2, "0"));
const threeDigits = Array.from({ length: 1_000 }, (_, index) => String(index).padStart(3, "0"));

/**
 * `msecs` with two decimals. By parts, since a number that is no small integer takes V8 a µs: a line took 2.3 µs, and takes
 * 1 so.
 */
function digitsOf(msecs: Msecs): string {
  const hundredths = Math.round(msecs * 100);
  const seconds = Math.floor(hundredths / 100_000);
  const rest = hundredths - seconds * 100_000;
  const whole = Math.floor(rest / 100);
  const decimals = twoDigits[rest - whole * 100] as string;
  return seconds === 0 ? `${whole}.${decimals}` : `${seconds}${threeDigits[whole]}.${decimals}`;
}
