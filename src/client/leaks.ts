/**
 * Response bodies that nobody reads: when one is reported, with the line that made its request, and how one
 * that the program has dropped gives its connection back.
 * Invariant: nothing here is made or set for a body that arrived with its head, but the `CallSite` of an
 * origin that may send others.
 */
import type { Msecs } from "../core/clock.ts";
import { Deadline, type Timers } from "../core/timers.ts";
import type { HttpPool } from "../http1/connection-user.ts";
import { ClientBody } from "./body.ts";
import type { IncomingBody } from "./incoming-body.ts";

/**
 * After a body that nobody read for a second, so many further requests to its origin note where they are made;
 * after one that just did not arrive with its head, one in eight of them. To note it costs 3 to 5 µs, a
 * request 11 to 14: where bodies are read nobody should pay for it.
 */
const tracedRequests = 1_000;
const sampledEvery = 8;
const suspiciousMsecs: Msecs = 1_000;

/**
 * Where a request was made. The text is written when it is asked for. Until then it holds the functions on
 * the stack, and so whatever they can reach, which may be the response itself: hence it is the program's side
 * of the body that keeps it, or a response that was dropped would never be collected.
 */
export class CallSite {
  /** Set by `captureStackTrace`: a string, unless the program formats stacks in another way. */
  declare readonly stack: unknown;

  /** The stack above the call of `callee`, whose caller comes first. */
  constructor(callee: (...args: never) => unknown) {
    Error.captureStackTrace(this, callee);
  }

  /** A line for each frame, as in an error's stack; null when there is none. */
  get frames(): string | null {
    const { stack } = this;
    const end = typeof stack === "string" ? stack.indexOf("\n") : -1;
    // The first line is the name of an error, and there is no error.
    return typeof stack !== "string" || end === -1 ? null : stack.slice(end + 1);
  }
}

/** Whether the request that is about to ask `pool` for a connection must note where it is made. */
export function isTraced(pool: HttpPool, leakTimeoutMsecs: Msecs): boolean {
  const { toTrace, toSample } = pool;
  if (toTrace > 0) pool.toTrace--;
  if (toSample > 0) pool.toSample--;
  const isSampled = toSample > 0 && toSample % sampledEvery === 0;
  return (toTrace > 0 || isSampled) && leakTimeoutMsecs !== Number.POSITIVE_INFINITY;
}

/** Notes that a body did not arrive with its head: further ones may be left unread. */
export function sawOpenBody(pool: HttpPool): void {
  // Each further one begins anew, but not with a request that is noted.
  pool.toSample = tracedRequests + (pool.toSample % sampledEvery);
}

/** Notes that nobody read a body for a while: further ones may stay unread. */
export function sawNeglectedBody(pool: HttpPool): void {
  pool.toTrace = tracedRequests;
}

/** A request whose body was left open, as those see it who watch over the body. */
export interface Suspect {
  /** Nobody has read for a while, which may be a leak. */
  neglected(): void;
  /** Nobody has read for `msecs`. `frames` null: where the request was made was not noted. */
  leaked(msecs: Msecs, frames: string | null): void;
  /** The program can read no more: its side of the body was garbage-collected. */
  collected(): void;
}

/** A body that may be collected while its request is under way. */
interface Collectable {
  /** Null once the request is over. */
  suspect: Suspect | null;
}

/**
 * A registry holds what it will call with for as long as the body lives. That must not be the request itself:
 * it may lead to the body, by its reader or the listeners of its signal, and then neither would ever go.
 * Nothing is unregistered: that costs more than a call in vain.
 */
const collections = new FinalizationRegistry<Collectable>(({ suspect }) => suspect?.collected());

/** Has `suspect` told when `body` is collected, until it is taken out of what this returns. */
function tellWhenCollected(body: ClientBody, suspect: Suspect): Collectable {
  const collectable = { suspect };
  collections.register(body, collectable);
  return collectable;
}

/**
 * Watches one body that did not arrive with its head. For a first while it does nothing, as most of them end
 * in it; then it has it told when the body is collected, and reports it once when the program could have read
 * on for `leakTimeoutMsecs` and did not.
 */
export class LeakWatch extends Deadline {
  /** When the program's turn to read began. Means nothing while it is not its turn. */
  turnAt: Msecs;
  readonly #suspect: Suspect;
  readonly #incoming: IncomingBody;
  /** Held only for the first while: a reference that lets it go costs as much as a tenth of a request. */
  #body: ClientBody | WeakRef<ClientBody>;
  #collectable: Collectable | null = null;
  readonly #timers: Timers;
  readonly #timeoutMsecs: Msecs;

  /** Watches from `now` on, until it is taken out of `timers`. */
  constructor(
    suspect: Suspect,
    incoming: IncomingBody,
    body: ClientBody,
    timers: Timers,
    timeoutMsecs: Msecs,
    now: Msecs,
  ) {
    super();
    this.turnAt = now;
    this.#suspect = suspect;
    this.#incoming = incoming;
    this.#body = body;
    this.#timers = timers;
    this.#timeoutMsecs = timeoutMsecs;
    this.#lookAgain(now, now);
  }

  /** The request is over. */
  end(): void {
    this.#timers.clear(this);
    if (this.#collectable !== null) this.#collectable.suspect = null;
  }

  /**
   * Not set anew with every piece that is read: it looks when the program could be suspicious, or late, at the
   * earliest, and from then on when it can be next.
   */
  override expire(now: Msecs): void {
    if (this.#body instanceof ClientBody) {
      this.#collectable = tellWhenCollected(this.#body, this.#suspect);
      this.#body = new WeakRef(this.#body);
    }
    if (this.#timeoutMsecs === Number.POSITIVE_INFINITY) return;
    const since = this.#incoming.isNeglected ? this.turnAt : now;
    if (now - since >= this.#earlyMsecs) this.#suspect.neglected();
    if (now - since < this.#timeoutMsecs) {
      this.#lookAgain(since, now);
      return;
    }
    const body = this.#body.deref();
    if (body === undefined) return; // its collection is about to be told
    this.#suspect.leaked(now - since, ClientBody.callSiteOf(body)?.frames ?? null);
  }

  get #earlyMsecs(): Msecs {
    return Math.min(suspiciousMsecs, this.#timeoutMsecs / 10);
  }

  #lookAgain(since: Msecs, now: Msecs): void {
    const isSuspicious = now - since >= this.#earlyMsecs;
    this.#timers.set(this, since + (isSuspicious ? this.#timeoutMsecs : this.#earlyMsecs), now);
  }
}

/** What a report says of a body, beside where its request was made. */
export interface Leak {
  readonly method: string;
  readonly origin: string;
  readonly service: string;
  readonly lane: string;
  readonly connectionId: number;
  readonly msecs: Msecs;
  readonly heldBytes: number;
  readonly frames: string | null;
  /** Further requests do not note where they are made either. */
  readonly isNeverNoted?: boolean;
}

/** Emits the warning `KEEPLINE_LEAK`. */
export function warnOfLeak(leak: Leak): void {
  const { method, origin, service, lane, connectionId, msecs, heldBytes, frames } = leak;
  process.emitWarning(
    `the body of a response to ${method} ${origin} (service ${service}, lane ${lane}) has not been read for ` +
      `${Math.round(msecs)} ms; ${heldBytes} bytes of it wait, and connection ${connectionId} cannot ` +
      `be used by others: read it, or call body.dump()`,
    {
      type: "KeeplineWarning",
      code: "KEEPLINE_LEAK",
      detail:
        frames !== null
          ? `The request was made here:\n${frames}`
          : leak.isNeverNoted === true
            ? "Where a request of a dispatcher was made is not noted."
            : "Where the request was made was not noted. Further requests to this origin note it.",
    },
  );
}
