/**
 * How long the server keeps an idle connection. Several are left idle at once, each to be tried by a request at an
 * age of its own; and each is watched, since most servers close in sight.
 * Invariant: a connection is idle from the last byte of its response on, untouched, until it is tried.
 */
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { Msecs } from "../../core/clock.ts";
import { boundsOf, estimateOf, firstAges, isSteady, nextAges, type Trial } from "./idle-plan.ts";
import { refusalOf } from "./keeping.ts";
import type { IdleReport, IdleSample } from "./report.ts";
import { type Destination, median, type Visitor } from "./visitor.ts";

/** Connections that are left idle, in all rounds together. */
const mostIdle = 40;
/** Closes after idle times this far apart still come from one setting. */
const steadyRatio = 1.2;

/** How far the measurement is. */
export interface IdleProgress {
  readonly elapsedMsecs: Msecs;
  readonly waiting: number;
  readonly keptMsecs: Msecs;
}

interface Sample extends IdleSample {
  readonly said: string | null;
}

/** Watches idle connections for `maxMsecs` at most, in all rounds together. Null when none could be watched. */
export async function measureIdle(
  where: Destination,
  maxMsecs: Msecs,
  visitor: Visitor,
  progress: (state: IdleProgress) => void,
): Promise<IdleReport | null> {
  const startedAt = performance.now();
  const samples: Sample[] = [];
  let waiting = 0;
  const tell = (): void => {
    const { keptMsecs } = boundsOf(samples.map(trialOf));
    progress({ elapsedMsecs: performance.now() - startedAt, waiting, keptMsecs });
  };
  const ticks = setInterval(tell, 200);
  try {
    let opened = 0;
    let usedMsecs = 0;
    let ages = firstAges(maxMsecs);
    while (ages.length > 0) {
      opened += ages.length;
      waiting = ages.length;
      const round = new AbortController();
      const before = samples.length;
      await Promise.all(
        ages.map(async (ageMsecs) => {
          const sample = await leaveIdle(where, ageMsecs, visitor, round.signal);
          waiting--;
          if (sample === null) return;
          samples.push(sample);
          if (sample.seen !== "request") return;
          // Those that wait for longer would find out nothing more; but where the request has met a close that was
          // under way, they are about to be closed in sight.
          const graceMsecs = sample.outcome === "silence" ? 0 : sample.idleMsecs / 10 + 100;
          await sleep(graceMsecs, null, { signal: visitor.signal }).catch(() => {});
          round.abort();
        }),
      );
      visitor.check();
      if (samples.length === before || samples.some((each) => each.seen === "idle")) break;
      const bounds = boundsOf(samples.map(trialOf));
      // Idle time is what counts: handshakes, and waiting for answers that do not come, are on top of it.
      usedMsecs += Math.min(bounds.lostMsecs, ages.at(-1) as number);
      ages = nextAges(bounds, maxMsecs - usedMsecs, mostIdle - opened);
    }
    return samples.length === 0 ? null : reportOf(samples);
  } finally {
    clearInterval(ticks);
  }
}

/** Sleeps until `at`, as `performance.now()` has it: a timer counts from when its turn of the event loop began, and may be early by that. */
async function sleepUntil(at: Msecs, signal: AbortSignal): Promise<void> {
  do await sleep(Math.max(0, at - performance.now()), null, { signal });
  while (performance.now() < at);
}

/**
 * Opens a connection, asks once, leaves it idle for `ageMsecs`, and asks again. Null when there is nothing to learn:
 * `round` is over, the connection could not be opened or was not kept to begin with.
 */
async function leaveIdle(
  where: Destination,
  ageMsecs: Msecs,
  visitor: Visitor,
  round: AbortSignal,
): Promise<Sample | null> {
  const connection = await visitor.dial(where).catch(() => null);
  if (connection === null) return null;
  try {
    const first = await visitor.ask(connection);
    if (first.kind !== "answered" || refusalOf(first) !== null) return null;
    const isIdle = new AbortController();
    const ended = AbortSignal.any([round, isIdle.signal, visitor.signal]);
    const outcome = await Promise.race([
      connection.closing,
      sleepUntil(first.doneAt + ageMsecs, ended).then(look, () => "over" as const),
    ]);
    isIdle.abort();
    if (outcome === "over") return null;
    if (outcome !== null) {
      const { by, at, said } = outcome;
      return { idleMsecs: at - first.doneAt, outcome: by, seen: "idle", said };
    }
    const idleMsecs = performance.now() - first.doneAt;
    const second = await visitor.ask(connection, visitor.answerMsecs);
    switch (second.kind) {
      case "answered":
        return { idleMsecs, outcome: "kept", seen: null, said: null };
      case "closed":
        return { idleMsecs, outcome: second.by, seen: "request", said: null };
      case "silent":
        return { idleMsecs, outcome: "silence", seen: "request", said: null };
      case "invalid":
        return null;
      default:
        return second satisfies never;
    }
  } finally {
    visitor.leave(connection);
  }
}

/** Lets a close that has arrived be read first: where this process was held up, its timers come before its sockets. */
async function look(): Promise<null> {
  // The first turn may end without a poll.
  await turn();
  await turn();
  return null;
}

function trialOf({ idleMsecs, outcome }: IdleSample): Trial {
  return { idleMsecs, kept: outcome === "kept" };
}

/** What the samples say together. */
export function reportOf(unsorted: readonly Sample[]): IdleReport {
  const samples = unsorted.toSorted((a, b) => a.idleMsecs - b.idleMsecs);
  const trials = samples.map(trialOf);
  const { keptMsecs, lostMsecs } = boundsOf(trials);
  const closes = samples.filter((each) => each.seen === "idle");
  const shown = samples.map(({ said: _, ...sample }) => sample);
  if (closes.length > 0) {
    const times = closes.map((each) => each.idleMsecs);
    const [earliest, latest] = [Math.min(...times), Math.max(...times)];
    return {
      kind: "closes",
      timeoutMsecs: median(times),
      // The earliest is known to the millisecond, while what was kept may be far below.
      atLeastMsecs: Math.min(earliest, lostMsecs),
      atMostMsecs: latest,
      by: closes[0]?.outcome as "fin" | "rst",
      steady: latest <= earliest * steadyRatio && isSteady(trials),
      said: closes.find((each) => each.said !== null)?.said ?? null,
      samples: shown,
    };
  }
  const lost = samples.find((each) => each.idleMsecs === lostMsecs);
  const timeoutMsecs = estimateOf({ keptMsecs, lostMsecs });
  return {
    kind: lost === undefined ? "keeps" : "drops",
    timeoutMsecs,
    atLeastMsecs: keptMsecs,
    atMostMsecs: lost?.idleMsecs ?? null,
    by: lost === undefined ? null : (lost.outcome as "fin" | "rst" | "silence"),
    steady: isSteady(trials),
    said: null,
    samples: shown,
  };
}
