/**
 * One request of Node's `ClientRequest` through an agent: it waits for a connection, borrows its socket, and gives it
 * back. What happens on the socket meanwhile is between Node and the server.
 *
 * A request is sent again only while `ClientRequest` has no socket: what it has written cannot be taken back, so a
 * connection that dies under it is an error of the request, as with Node's own agent.
 *
 * Invariant: a request is started and finished once for its world, and the `ClientRequest` is told once.
 */
import { AsyncResource } from "node:async_hooks";
import type http from "node:http";
import type { Socket } from "node:net";
import type { Msecs } from "../../core/clock.ts";
import { ConnectError, type KeeplineError } from "../../core/errors.ts";
import type { RetireReason } from "../../core/retire.ts";
import { Deadline } from "../../core/timers.ts";
import type { Http1World } from "../../http1/connection.ts";
import { type HttpPool, SocketBorrower } from "../../http1/connection-user.ts";
import { parseKeepAlive } from "../../http1/keep-alive.ts";
import type { SocketLoan } from "../../http1/loan.ts";
import { type SocketWatch, watchOf } from "./watch.ts";

/** What a request needs of the world that its agent is in. */
export interface RequestWorld extends Http1World {
  started(): void;
  finished(): void;
  paused(): void;
  resumed(): void;
}

/** What a request needs of its agent. */
export interface RequestOwner {
  readonly world: RequestWorld;
  /** Taken off the hints of servers. */
  readonly bufferMsecs: Msecs;
  readonly tcpKeepAliveMsecs: Msecs;
  /** `timeout` of the agent; 0 for none. */
  readonly timeoutMsecs: Msecs;
  /** True when sockets may be used by others than the requests of one agent. */
  readonly isShared: boolean;
  /** The hook `reuseSocket`. */
  reuse(socket: Socket, request: http.ClientRequest): void;
  /** The hook `keepSocketAlive`; null when nobody has overridden it. */
  readonly keepHook: ((socket: Socket) => unknown) | null;
  /** A request has had its response. */
  answered(): void;
  /** The socket is free, or another request's. */
  freed(socket: Socket, pool: HttpPool): void;
}

/** Methods that may be sent twice (RFC 9110, section 9.2.2). */
const idempotentMethods = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** What Node's `ClientRequest` has and does not document. */
type NodeRequest = http.ClientRequest & {
  /** The option `timeout`. */
  readonly timeout?: Msecs;
  readonly res: (http.IncomingMessage & { readonly upgrade?: boolean }) | null;
  /** The request itself closes its connection. */
  readonly _last: boolean;
};

type Stage = "waiting" | "lent" | "over";

/** A request under way. */
export class AgentRequest extends SocketBorrower {
  readonly req: NodeRequest;
  readonly lane: string;
  readonly queueTimeoutMsecs = null;
  readonly isReplayable: boolean;
  readonly #owner: RequestOwner;
  #stage: Stage = "waiting";
  #loan: SocketLoan | null = null;
  #lentAt: Msecs = 0;
  #isAnswered = false;
  /** Set where the request was not lent a socket at once. */
  #wait: Wait | null = null;

  constructor(owner: RequestOwner, req: http.ClientRequest, lane: string) {
    super();
    this.#owner = owner;
    this.req = req as NodeRequest;
    this.lane = lane;
    this.isReplayable = idempotentMethods.has(req.method);
  }

  get method(): string {
    return this.req.method;
  }

  get target(): string {
    return this.req.path;
  }

  override get statusCode(): number | null {
    return this.req.res?.statusCode ?? null;
  }

  /** Asks `pool` for a connection. */
  start(pool: HttpPool, now: Msecs): void {
    const { world } = this.#owner;
    world.started();
    if (isAboutToFree(pool)) process.nextTick(() => this.#startLate(pool));
    else world.pools.acquire(pool, this, now);
    if (this.#stage === "waiting") this.#wait = new Wait(this, this.#owner, now);
  }

  #startLate(pool: HttpPool): void {
    const { pools, clock } = this.#owner.world;
    if (this.#stage === "waiting") pools.acquire(pool, this, clock());
  }

  override lent(loan: SocketLoan, socket: Socket, now: Msecs): void {
    // Given up in the moment in which its socket was looked at, which is as good as new.
    if (this.#stage !== "waiting") {
      loan.giveBack(this);
      return;
    }
    const { req } = this;
    const owner = this.#owner;
    this.#stage = "lent";
    this.#loan = loan;
    this.#lentAt = now;
    const wait = this.#wait;
    this.#wait = null;
    wait?.end();
    // The socket keeps the process alive, or does not while the program leaves its response unread: as with Node's agents.
    owner.world.paused();
    const watch = watchOf(loan, owner);
    watch.request = this;
    try {
      if (loan.lease.requestCount > 1) owner.reuse(socket, req);
      const timeoutMsecs = req.timeout ?? owner.timeoutMsecs;
      setTimeoutOf(socket, timeoutMsecs);
    } catch (error) {
      this.#end(error);
      loan.giveUp(this, "aborted");
      tell(req, error);
      return;
    }
    if (wait === null) req.onSocket(socket);
    else wait.run(() => req.onSocket(socket));
  }

  override answered(now: Msecs): void {
    this.#isAnswered = true;
    this.#owner.world.pools.observer?.responded(this, null, now);
    // What has a body is written in the program's own time.
    const { req } = this;
    if (!req.useChunkedEncodingByDefault) this.place?.responded(now - this.#lentAt);
  }

  /** `ClientRequest` has written the request and read the response, or was given up before it wrote anything. */
  freed(watch: SocketWatch): void {
    const loan = this.#loan;
    if (this.#stage !== "lent" || loan === null) return;
    const { socket, lease } = loan;
    const { pool } = lease;
    const owner = this.#owner;
    const reason = this.#retireReason(socket);
    if (this.req.res !== null) owner.answered();
    this.#end();
    watch.request = null;
    (socket as { _httpMessage?: unknown })._httpMessage = null;
    if (reason === null) loan.giveBack(this);
    else loan.giveUp(this, reason);
    owner.freed(socket, pool);
  }

  /** The socket is the program's from now on: an upgrade or a tunnel. */
  removed(watch: SocketWatch): void {
    this.#end();
    watch.request = null;
  }

  override socketClosed(): RetireReason {
    const { req } = this;
    const loan = this.#loan;
    this.#end();
    const { res } = req;
    if (res?.complete !== true && (req.destroyed || res?.destroyed === true)) return "aborted";
    if (res?.complete === true) {
      this.#owner.answered();
      return this.#closeReason();
    }
    if (loan !== null) {
      const { pool } = loan.lease;
      pool.tally.failed++;
      if (!this.#isAnswered) pool.idle.failed(loan.lease, this.#owner.world.clock());
    }
    return "socket-error";
  }

  /** The socket has closed, and whoever closed it has told nobody. */
  closed(): void {
    this.#end();
  }

  override refused(error: KeeplineError): void {
    if (this.#stage !== "waiting") return;
    const wait = this.#wait;
    this.#wait = null;
    this.#end(error);
    wait?.end();
    // Programs look for the codes of the system, as in ECONNREFUSED.
    const cause = error instanceof ConnectError ? error.cause : undefined;
    const shown = cause instanceof Error ? cause : error;
    if (wait === null) tell(this.req, shown);
    else wait.run(() => tell(this.req, shown));
  }

  override interrupted(): void {
    this.#loan = null;
  }

  override expireGranted(): void {}

  /** The program has given the request up while it waited. */
  givenUp(): void {
    if (this.#stage !== "waiting") return;
    const wait = this.#wait;
    this.#wait = null;
    this.#end();
    wait?.end();
    const { world } = this.#owner;
    if (this.phase === "granted") this.phase = "settled";
    else world.pools.cancel(this, world.clock());
    tell(this.req, undefined);
  }

  /** True when it was made by the agent with these pools. */
  isOf(owner: RequestOwner): boolean {
    return owner === this.#owner;
  }

  /** True when its response is complete, and its socket will be free. */
  get isEnding(): boolean {
    return this.req.shouldKeepAlive && this.req.res?.complete === true;
  }

  /** True while the request has no socket. */
  get isWaiting(): boolean {
    return this.#stage === "waiting";
  }

  /** Why the socket cannot be used again; null when it can. */
  #retireReason(socket: Socket): RetireReason | null {
    const { req } = this;
    if (!req.shouldKeepAlive) return this.#closeReason();
    const owner = this.#owner;
    const loan = this.#loan as SocketLoan;
    const { pool } = loan.lease;
    const hint = keepAliveField(req.res);
    let hintMsecs: Msecs | null = null;
    if (hint !== null) {
      const { timeoutMsecs, furtherRequests } = parseKeepAlive(hint);
      pool.hinted(loan.lease, timeoutMsecs, furtherRequests);
      hintMsecs = timeoutMsecs;
    }
    if (owner.isShared) {
      setTimeoutOf(socket, 0); // it may be the client's own next
    } else if (pool.budget.pending === 0) {
      const idleMsecs = this.#idleMsecs(hintMsecs);
      if (idleMsecs === null) return "idle-window";
      setTimeoutOf(socket, idleMsecs);
    }
    if (pool.budget.pending > 0 || owner.keepHook === null) return null;
    return owner.keepHook(socket) === false ? "keep-alive-off" : null;
  }

  /** The timeout of a socket that becomes idle, beside what the core knows of idle windows; 0 for none. Null: it is not to become idle. */
  #idleMsecs(hintMsecs: Msecs | null): Msecs | null {
    const { timeoutMsecs, bufferMsecs } = this.#owner;
    if (hintMsecs === null) return timeoutMsecs;
    const allowedMsecs = hintMsecs - bufferMsecs;
    if (allowedMsecs <= 0) return null;
    // The core keeps a second's distance from long hints by itself.
    if (hintMsecs >= 5_000 && bufferMsecs <= 1_000) return timeoutMsecs;
    return timeoutMsecs === 0 ? allowedMsecs : Math.min(allowedMsecs, timeoutMsecs);
  }

  #closeReason(): RetireReason {
    return this.req._last ? "keep-alive-off" : "connection-close";
  }

  /** `error`: what the program is told, where it is not told by Node. */
  #end(error: unknown = null): void {
    const { world } = this.#owner;
    if (this.#stage === "over") return;
    const { observer } = world.pools;
    if (observer !== null) {
      const { res, errored } = this.req;
      // The response to an upgrade has no end.
      if (res?.complete === true || res?.upgrade === true) observer.ended(this, world.clock());
      else observer.failed(this, error ?? errored ?? null, world.clock());
    }
    if (this.#stage === "lent") world.resumed();
    this.#stage = "over";
    this.#loan = null;
    world.finished();
  }
}

/**
 * Whether a connection of `pool` is free but for Node, which gives the socket back a moment after the program was told of
 * the end of its response. A program that asks again right there would have a dial made for nothing.
 */
function isAboutToFree({ roster, budget }: HttpPool): boolean {
  if (budget.isFull || roster.idleCount > 0 || roster.busy === 0) return false;
  for (const { holders } of roster.connections) {
    const [holder] = holders;
    if (holder instanceof AgentRequest && holder.isEnding) return true;
  }
  return false;
}

/** What a request has while it waits, and not when it is served at once. */
class Wait extends Deadline {
  readonly #request: AgentRequest;
  readonly #owner: RequestOwner;
  /** What the program was at when it made the request: `AsyncLocalStorage` and its like go by that. */
  readonly #resource = new AsyncResource("KEEPLINEREQUEST");
  readonly #destroy: unknown;

  constructor(request: AgentRequest, owner: RequestOwner, now: Msecs) {
    super();
    this.#request = request;
    this.#owner = owner;
    const req: http.ClientRequest = request.req;
    // ClientRequest tells nobody when it is given up without a socket: so it is seen here, and only now.
    this.#destroy = Object.getOwnPropertyDescriptor(req, "destroy")?.value;
    const { destroy } = req;
    this.#seen = (error?: Error) => {
      const result = destroy.call(req, error);
      request.givenUp();
      return result;
    };
    req.destroy = this.#seen;
    const timeoutMsecs = request.req.timeout ?? owner.timeoutMsecs;
    // A socket that is being connected would have it: here the request stands for the socket.
    if (timeoutMsecs > 0) owner.world.pools.timers.set(this, now + timeoutMsecs, now);
  }

  readonly #seen: (error?: Error) => http.ClientRequest;

  /** Runs `callback` in the context of the request. */
  run(callback: () => void): void {
    this.#resource.runInAsyncScope(callback);
  }

  /** The request waits no more. */
  end(): void {
    this.#owner.world.pools.timers.clear(this);
    const req: http.ClientRequest = this.#request.req;
    if (req.destroy !== this.#seen) return; // wrapped by somebody else meanwhile
    if (this.#destroy === undefined) delete (req as { destroy?: unknown }).destroy;
    else req.destroy = this.#destroy as typeof req.destroy;
  }

  /** The timeout of the request has come before it had a socket. */
  override expire(): void {
    // Not within the core, which has other deadlines to look at: a listener may throw.
    process.nextTick(() => {
      if (this.#request.isWaiting) this.run(() => this.#request.req.emit("timeout"));
    });
  }
}

function setTimeoutOf(socket: Socket, msecs: Msecs): void {
  if ((socket.timeout ?? 0) !== msecs) socket.setTimeout(msecs);
}

/** Ends `req`, which has no socket, as Node does: with an error, or for undefined with that of its own. */
export function tell(req: http.ClientRequest, error: unknown): void {
  const { onSocket } = req as unknown as { onSocket(socket: null, error: unknown): void };
  onSocket.call(req, null, error);
}

/** The field `Keep-Alive`. Not by `headers`, which is made of all fields when it is first looked at. */
function keepAliveField(res: http.IncomingMessage | null): string | null {
  if (res === null) return null;
  const { rawHeaders } = res;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length === 10 && name.toLowerCase() === "keep-alive") {
      return rawHeaders[index + 1] as string;
    }
  }
  return null;
}
