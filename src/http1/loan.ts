/**
 * The socket of a connection, lent to somebody who speaks HTTP on it by itself.
 * Invariant: from `start` on, all that arrives is the borrower's, and the connection is released only when the borrower says so.
 */
import type { Socket } from "node:net";
import type { Msecs } from "../core/clock.ts";
import type { Connection } from "../core/connection.ts";
import type { RetireReason } from "../core/retire.ts";
import type { Http1Connection, Http1World } from "./connection.ts";
import type { ConnectionUser, SocketBorrower } from "./connection-user.ts";

/** An attempt of which no byte has left this machine. */
const nothingSent = {
  mode: "safe",
  isWritten: false,
  hasResponse: false,
  isIdempotent: true,
  canRepeatBody: true,
} as const;

/** The loans of one socket, one after another. */
export class SocketLoan {
  readonly connection: Http1Connection;
  readonly socket: Socket;
  borrower: SocketBorrower | null = null;
  readonly #world: Http1World;
  #isStarted = false;
  #isAnswered = false;

  constructor(connection: Http1Connection, socket: Socket, world: Http1World) {
    this.connection = connection;
    this.socket = socket;
    this.#world = world;
  }

  /** The core's side of the connection. */
  get lease(): Connection<ConnectionUser, Http1Connection> {
    return this.connection.lease;
  }

  /** True once the borrower has the socket. */
  get isStarted(): boolean {
    return this.#isStarted && this.borrower !== null;
  }

  /** The borrower has the socket from now on. */
  start(now: Msecs): void {
    this.#isStarted = true;
    this.#isAnswered = false;
    this.connection.unguard();
    this.borrower?.lent(this, this.socket, now);
  }

  /** The request of `borrower` was written and its response read, both wholly: its socket is free. */
  giveBack(borrower: SocketBorrower): void {
    if (this.borrower !== borrower) return;
    this.#end();
    const { socket, lease } = this;
    const { pools, clock } = this.#world;
    if (socket.readableLength > 0) pools.lost(lease, "unexpected-bytes", clock());
    else if (socket.destroyed || socket.readableEnded || !socket.writable) {
      pools.lost(lease, "server-closed", clock());
    } else {
      // Who read last may have had enough: keepline goes on, and sees what comes unasked.
      if (socket.isPaused()) socket.resume();
      this.connection.guard();
      pools.released(lease, borrower, clock());
      this.connection.restIfIdle();
    }
  }

  /** `borrower` wants no more of its socket, which cannot be used again. */
  giveUp(borrower: SocketBorrower, reason: RetireReason): void {
    if (this.borrower !== borrower) return;
    this.#end();
    this.#world.pools.lost(this.lease, reason, this.#world.clock());
  }

  /** Bytes arrived. False stops reading. */
  read(borrower: SocketBorrower, buffer: Buffer, length: number, now: Msecs): boolean {
    if (this.#isStarted) {
      if (!this.#isAnswered) {
        this.#isAnswered = true;
        borrower.answered(now);
      }
      return pushCopy(this.socket, buffer, 0, length);
    }
    this.unasked(borrower, now);
    return false;
  }

  /** Bytes arrived before the borrower had the socket. */
  unasked(borrower: SocketBorrower, now: Msecs): void {
    this.#retry(borrower, "unexpected-bytes", now);
  }

  /** The socket has closed. */
  closed(borrower: SocketBorrower, now: Msecs): void {
    if (this.#isStarted) this.giveUp(borrower, borrower.socketClosed());
    else this.#retry(borrower, "server-closed", now);
  }

  /** The program, which had the socket before, has closed it: `borrower` gets another one, and nothing is learned of the server. */
  destroyed(borrower: SocketBorrower, now: Msecs): void {
    this.#end();
    const { pools } = this.#world;
    pools.lost(this.lease, "socket-error", now);
    pools.acquire(this.lease.pool, borrower, now);
  }

  /** Nobody has the socket any more. */
  void(): void {
    this.#end();
  }

  /** `borrower`, which has not had the socket yet, gets another one. */
  #retry(borrower: SocketBorrower, reason: RetireReason, now: Msecs): void {
    this.#end();
    this.#world.pools.failed(this.lease, borrower, nothingSent, reason, now);
  }

  #end(): void {
    this.borrower = null;
    this.#isStarted = false;
  }
}

/** Gives bytes to whoever reads `socket`, and may keep them. False: they have enough for now. */
export function pushCopy(socket: Socket, buffer: Buffer, start: number, end: number): boolean {
  const piece = Buffer.allocUnsafe(end - start);
  buffer.copy(piece, 0, start, end);
  return socket.push(piece);
}

/** An open `socket` keeps the process alive. What a program makes in place of one may know nothing of that. */
export function ref(socket: Partial<Socket>): void {
  socket.ref?.();
}

/** The process may end though `socket` is open. */
export function unref(socket: Partial<Socket>): void {
  socket.unref?.();
}
