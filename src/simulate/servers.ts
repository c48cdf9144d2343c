/**
 * The far end of all connections, and the way to it: when a dial is open, when a response comes back, when the server
 * closes, and when the client hears of that.
 *
 * On the way to a server nothing overtakes, so what becomes of a request at its server is known when it is sent: one
 * event brings its response, and none is needed for its arrival.
 *
 * Invariant: what a server sends on one connection is noticed in the order in which it was sent.
 */
import type { Msecs, Random } from "../core/clock.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Kind, Loop, OriginModel, SimConnection, SimRequest } from "./model.ts";
import { Wire } from "./model.ts";
import { randomStream } from "./random.ts";

/** What happens to the item of an event. */
export const handshaken = 0;
export const dialed = 1;
export const answered = 2;
export const looked = 3;
export const asks = 4;
export const restarts = 5;

/** The events of a world. */
export type Events = EventQueue<Wire | Loop | OriginModel>;

const never = Number.POSITIVE_INFINITY;

/** All servers of a world. */
export class Servers {
  readonly #events: Events;
  readonly #network: Random;
  readonly #random: Random;

  constructor(events: Events, seed: number) {
    this.#events = events;
    this.#network = randomStream(seed, 1);
    this.#random = randomStream(seed, 2);
  }

  /** A dial begins. */
  dial(connection: SimConnection, model: OriginModel, now: Msecs): Wire {
    const { around } = model;
    const connectMsecs = around.connect(this.#network);
    const tlsMsecs = around.isTls ? around.tls(this.#network) : 0;
    const needsProcessor = around.isTls && around.handshakeMsecs > 0;
    const wire = new Wire(connection, model, now);
    const code = needsProcessor ? handshaken : dialed;
    this.#events.push(now + connectMsecs + tlsMsecs, code, wire);
    return wire;
  }

  /** Whether a dial to `model` fails. */
  refuses(model: OriginModel): boolean {
    const { dialFailureShare } = model.around.server;
    return dialFailureShare > 0 && this.#random() < dialFailureShare;
  }

  /** `request` is sent on `wire`: its fault says what becomes of it. */
  send(request: SimRequest, wire: Wire, now: Msecs): void {
    const { model } = wire;
    const { around } = model;
    const arrivesAt = now + around.wayMsecs;
    if (arrivesAt >= wire.closesAt) {
      // The client will hear of the close, which is on its way already or soon will be.
      wire.fault = "stale";
      return;
    }
    const answeredAt = model.serve(arrivesAt, request.serviceMsecs);
    wire.answeredAt = answeredAt;
    const { requestFailureShare } = around.server;
    if (requestFailureShare > 0 && this.#random() < requestFailureShare) {
      wire.fault = "broken";
      wire.closesAt = arrivesAt + (answeredAt - arrivesAt) * this.#random();
      this.look(wire, now);
      return;
    }
    const { headersTimeoutMsecs } = (request.kind as Kind).limits;
    const takesMsecs = this.reaches(wire, answeredAt) - now;
    wire.fault = takesMsecs > headersTimeoutMsecs ? "timeout" : "none";
    this.#events.push(now + Math.min(takesMsecs, headersTimeoutMsecs), answered, wire);
    wire.closesAt =
      around.idleTimeout === null ? never : answeredAt + around.idleTimeout(this.#random);
    if (wire.closesAt !== never) this.look(wire, now);
  }

  /** All connections of one server end now, but for those that it has closed already. */
  restart(model: OriginModel, now: Msecs): void {
    if (model.pool === null) return;
    for (const { transport: wire } of model.pool.roster.connections) {
      if (wire === null || !wire.isOpen || wire.closesAt <= now) continue;
      wire.closesAt = now;
      if (wire.request !== null && wire.answeredAt > now) wire.fault = "broken";
      this.look(wire, now);
    }
  }

  /** Has the close of `wire` looked for, unless that is done as soon anyway. */
  look(wire: Wire, now: Msecs): void {
    const at = Math.max(wire.closesAt + wire.model.around.wayMsecs, now);
    if (at < wire.lookAt) this.lookAt(wire, at);
  }

  lookAt(wire: Wire, at: Msecs): void {
    wire.lookAt = at;
    this.#events.push(at, looked, wire);
  }

  /** When the client notices what the server sends at `at`: in order, and late where it is busy. */
  reaches(wire: Wire, at: Msecs): Msecs {
    const { wayMsecs, lagMsecs } = wire.model.around;
    if (lagMsecs === 0) return at + wayMsecs;
    const noticedAt = at + wayMsecs + this.#network() * lagMsecs;
    wire.heardAt = Math.max(wire.heardAt, noticedAt);
    return wire.heardAt;
  }
}
