/**
 * The connections of one pool. A connection changes state here and nowhere else, and with its state the
 * list it is on, the counts, the permits and its deadline.
 * Invariant: a connection is on exactly the list that its state says, and holds permits until it is closed.
 */
import { Budget } from "./budget.ts";
import type { Msecs } from "./clock.ts";
import { busyOnce, type Connection, type ConnectionState } from "./connection.ts";
import type { Lanes } from "./lanes.ts";
import type { PendingRequest } from "./pending.ts";
import type { Service } from "./service.ts";
import type { Timers } from "./timers.ts";

const none: readonly never[] = [];

/** Connections by state, and the budget of their pool. */
export class Roster<R extends PendingRequest, T> extends Budget<R, T> {
  /** All that are not closed. */
  readonly connections = new Set<Connection<R, T>>();
  /** Busy ones with a free slot: only where capacity exceeds 1. */
  #partlyBusy: Set<Connection<R, T>> | null = null;
  readonly #lanes: Lanes<R, T>;
  readonly #timers: Timers;

  constructor(service: Service<R, T>, lanes: Lanes<R, T>, timers: Timers) {
    super("maxSockets", service.options.maxSockets, service.budget);
    this.reserved = this.committed = service.reservedSockets;
    this.#lanes = lanes;
    this.#timers = timers;
  }

  /** Busy connections with a free slot. */
  get partlyBusy(): Iterable<Connection<R, T>> {
    return this.#partlyBusy ?? none;
  }

  /** True when a connection is open that is not wholly busy. */
  get hasOpen(): boolean {
    return this.idleCount > 0 || (this.#partlyBusy !== null && this.#partlyBusy.size > 0);
  }

  /** Those that are open: all but the ones being dialed. */
  get openCount(): number {
    return this.open - this.dialing;
  }

  /** Adds a connection that is being dialed until `deadlineAt`. The caller has seen a permit for it. */
  add(connection: Connection<R, T>, deadlineAt: Msecs, now: Msecs): void {
    this.take();
    this.connections.add(connection);
    this.#setDialing(this.dialing + 1);
    this.#timers.set(connection, deadlineAt, now);
    if (this.marks !== null) this.note();
  }

  /** The only transition. Throws when there is no such transition: a defect. */
  move(connection: Connection<R, T>, to: ConnectionState): void {
    const from = connection.state;
    if (from === to) return; // handed from one request to the next
    this.#leave(connection, from, to);
    this.#timers.clear(connection);
    connection.state = to;
    this.#enter(connection, to);
    if (this.marks !== null) this.note();
  }

  #leave(connection: Connection<R, T>, from: ConnectionState, to: ConnectionState): void {
    switch (from.kind) {
      case "dialing":
        this.#setDialing(this.dialing - 1);
        return;
      case "idle":
        this.removeIdle(connection);
        return;
      case "busy":
      case "draining":
        if (connection.capacity > 1) this.#partlyBusy?.delete(connection);
        return;
      case "closed":
        throw new Error(`connection ${connection.id} is closed and cannot become ${to.kind}`);
      default:
        from satisfies never;
    }
  }

  #enter(connection: Connection<R, T>, to: ConnectionState): void {
    switch (to.kind) {
      case "idle":
        this.addIdle(connection);
        return;
      case "busy":
        if (to.leases < connection.capacity) {
          this.#partlyBusy ??= new Set();
          this.#partlyBusy.add(connection);
        }
        return;
      case "draining":
        return;
      case "closed":
        this.connections.delete(connection);
        this.give();
        return;
      case "dialing":
        throw new Error(`connection ${connection.id} cannot dial again`);
      default:
        to satisfies never;
    }
  }

  #setDialing(count: number): void {
    this.addDialing(count - this.dialing);
    this.#lanes.setDialing(count);
  }
}

/** The busy state with `leases`, of which the usual one is shared. */
export function busy(leases: number): ConnectionState {
  return leases === 1 ? busyOnce : { kind: "busy", leases };
}
