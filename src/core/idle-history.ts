/**
 * What the ends of idle times teach about one origin: at which idle time its server closes, if at a steady
 * one; and the longest it was seen to keep a connection.
 *
 * A close counts for a band of idle times, since servers' timers are not exact. An idle time that outlives
 * the band contradicts it. The learned limit is the lowest band with a fair share of all closes that a fair
 * share of the idle times that reach it do not outlive: so one odd server among several behind a load
 * balancer is heeded, and a restart is not. Where many closes lie below any such band the server closes at
 * random, and there is nothing to learn. A limit that is contradicted throughout is forgotten: the server changed.
 * Invariant: without closes nothing is kept and nothing is learned.
 */
import type { Msecs } from "./clock.ts";

/** How a server ends idle connections: it was not seen to; after a steady time; at any time. */
export type IdleClosing = "unseen" | "steady" | "erratic";

/** A close so soon after a response has another cause: the server has had enough requests, or ends. */
const shortestMsecs: Msecs = 25;
/** Closes remembered, the latest ones. */
const mostCloses = 32;
/** Of all closes, and of the idle times that reach it: what of them a band needs to be a limit. */
const fewestOfCloses = 0.15;
const fewestOfIdleTimes = 0.1;
/** Closes whose contradictions are looked at, the latest ones of a band; and how often in a row they may occur. */
const mostRecent = 4;
const mostInRow = 24;
/** A single close is a limit while there are fewer closes than this, and nothing contradicts it. */
const fewestForShares = 4;
/** For requests that must not be sent twice a close is a limit until it was contradicted so often. */
const mostContradictionsStrict = 32;
/** Closes that are needed, and the share of them below any limit, to call a server erratic. */
const fewestErratic = 8;
const erraticShare = 0.25;
/** Closes within this time, after different idle times, have a common cause: a restart. */
const restartMsecs: Msecs = 25;

/** Idle connections given up for fresh ones, in a row without a close, until one that was idle for longer is tried. */
const mostGivenUp = 4;

interface Close {
  idleMsecs: Msecs;
  readonly at: Msecs;
  /** Idle times that outlived its band since it happened. */
  contradictions: number;
}

/** The idle times of one origin. */
export class IdleHistory {
  /** The idle time at which the server closes; null when it was not seen to, or at any time. */
  learnedMsecs: Msecs | null = null;
  /** As `learnedMsecs`, believing also what was seen only once. */
  strictMsecs: Msecs | null = null;
  closing: IdleClosing = "unseen";
  /** An idle time beyond this contradicts what was learned; `Infinity` when nothing was. */
  contradictedAfterMsecs: Msecs = Number.POSITIVE_INFINITY;
  /** The longest idle time after which a connection was seen open, unless one was closed earlier since. */
  provenMsecs: Msecs = 0;
  #closes: Close[] = [];
  /** No close says anything about a shorter idle time. */
  #lowestBandEnd = Number.POSITIVE_INFINITY;
  #restartAt = Number.NEGATIVE_INFINITY;
  #givenUpCount = 0;

  /** A connection was seen open after so long an idle time, which may go on. */
  seen(idleMsecs: Msecs): void {
    if (idleMsecs > this.provenMsecs) this.provenMsecs = idleMsecs;
  }

  /**
   * An open connection made room for a fresh one, as it was not proven. Where that goes on nothing would ever be
   * proven, and each request would pay a handshake: so what is proven grows by a step.
   */
  gaveUp(idleMsecs: Msecs): void {
    if (++this.#givenUpCount <= mostGivenUp) return;
    this.#givenUpCount = 0;
    this.seen(idleMsecs * 1.25);
  }

  /** An idle time ended, and not because of the server. Returns true when what is learned has changed. */
  survived(idleMsecs: Msecs): boolean {
    this.seen(idleMsecs);
    if (idleMsecs <= this.#lowestBandEnd) return false;
    this.#contradict(idleMsecs);
    return this.#learn();
  }

  /** Whole ms up to which an idle time that is `survived` changes nothing, until the next close. */
  get uneventfulMsecs(): Msecs {
    return Math.floor(Math.min(this.provenMsecs, this.#lowestBandEnd));
  }

  /** The server closed a connection after so long an idle time. Returns true when what is learned has changed. */
  closed(idleMsecs: Msecs, now: Msecs): boolean {
    this.provenMsecs = Math.min(this.provenMsecs, idleMsecs);
    this.#givenUpCount = 0;
    if (idleMsecs < shortestMsecs) return false;
    if (this.#isRestart(idleMsecs, now)) return this.#learn();
    const last = this.#closes.at(-1);
    if (last !== undefined && now - last.at <= restartMsecs && isAlike(last.idleMsecs, idleMsecs)) {
      last.idleMsecs = Math.min(last.idleMsecs, idleMsecs);
      return this.#learn();
    }
    this.#contradict(idleMsecs);
    this.#closes.push({ idleMsecs, at: now, contradictions: 0 });
    if (this.#closes.length > mostCloses) this.#closes.shift();
    return this.#learn();
  }

  #contradict(idleMsecs: Msecs): void {
    for (const close of this.#closes)
      if (bandEnd(close.idleMsecs) < idleMsecs) close.contradictions++;
  }

  /** Connections that were idle for different times, and closed together, teach nothing. */
  #isRestart(idleMsecs: Msecs, now: Msecs): boolean {
    if (now - this.#restartAt <= restartMsecs) {
      this.#restartAt = now;
      return true;
    }
    const last = this.#closes.at(-1);
    if (last === undefined || now - last.at > restartMsecs) return false;
    const [short, long] = [
      Math.min(last.idleMsecs, idleMsecs),
      Math.max(last.idleMsecs, idleMsecs),
    ];
    if (long <= bandEnd(short)) return false;
    this.#restartAt = now;
    while (this.#closes.length > 0 && now - (this.#closes.at(-1)?.at ?? 0) <= restartMsecs) {
      this.#closes.pop();
    }
    return true;
  }

  #learn(): boolean {
    const before = [this.learnedMsecs, this.strictMsecs];
    if (this.#hasChanged()) this.#closes = [];
    const closes = [...this.#closes].sort((one, other) => one.idleMsecs - other.idleMsecs);
    this.#lowestBandEnd = bandEnd(closes[0]?.idleMsecs ?? Number.POSITIVE_INFINITY);
    const limit = closes.find((each) => this.#isLimit(each));
    const strict = closes.find((each) => each.contradictions < mostContradictionsStrict);
    const below = limit === undefined ? closes.length : closes.indexOf(limit);
    const isErratic = closes.length >= fewestErratic && below >= closes.length * erraticShare;
    this.closing = isErratic ? "erratic" : limit === undefined ? "unseen" : "steady";
    this.learnedMsecs = isErratic || limit === undefined ? null : limit.idleMsecs;
    this.strictMsecs = isErratic || strict === undefined ? null : strict.idleMsecs;
    const latest = this.learnedMsecs === null ? [] : this.#band(this.learnedMsecs);
    const longest = Math.max(...latest.map((each) => each.idleMsecs));
    this.contradictedAfterMsecs = latest.length === 0 ? Number.POSITIVE_INFINITY : bandEnd(longest);
    return before[0] !== this.learnedMsecs || before[1] !== this.strictMsecs;
  }

  /** Closes that may have the same cause as one after `idleMsecs`, in order of time. */
  #band(idleMsecs: Msecs): Close[] {
    const end = bandEnd(idleMsecs);
    return this.#closes.filter((each) => each.idleMsecs >= idleMsecs && each.idleMsecs <= end);
  }

  #isLimit(close: Close): boolean {
    const band = this.#band(close.idleMsecs);
    if (band.length === 1) {
      return this.#closes.length < fewestForShares && close.contradictions === 0;
    }
    return band.length >= this.#closes.length * fewestOfCloses && !isContradicted(band);
  }

  /** What was the limit, and the cause of most closes, is outlived by now. */
  #hasChanged(): boolean {
    if (this.learnedMsecs === null) return false;
    const band = this.#band(this.learnedMsecs);
    return band.length > 1 && band.length >= this.#closes.length / 2 && isContradicted(band);
  }
}

function isContradicted(band: readonly Close[]): boolean {
  const recent = band.slice(-mostRecent);
  const outlived = recent[0]?.contradictions ?? 0;
  const inRow = recent.at(-1)?.contradictions ?? 0;
  return inRow >= mostInRow || recent.length < (recent.length + outlived) * fewestOfIdleTimes;
}

/** Whether one cause may have ended both idle times. */
function isAlike(one: Msecs, other: Msecs): boolean {
  return Math.max(one, other) <= bandEnd(Math.min(one, other));
}

/** How late a server that closes after `idleMsecs` may close at times: a quarter, and 10 ms. */
function bandEnd(idleMsecs: Msecs): Msecs {
  return idleMsecs * 1.25 + 10;
}
