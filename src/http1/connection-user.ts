/**
 * What may have the lease of a connection: a request that keepline writes, or one that borrows the socket.
 */
import type { Socket } from "node:net";
import type { Msecs } from "../core/clock.ts";
import type { KeeplineError } from "../core/errors.ts";
import { PendingRequest } from "../core/pending.ts";
import type { Pool } from "../core/pool.ts";
import type { RetireReason } from "../core/retire.ts";
import type { Http1Connection } from "./connection.ts";
import type { SocketLoan } from "./loan.ts";

/** A request that waits for a connection and has one. */
export abstract class ConnectionUser extends PendingRequest {
  abstract readonly method: string;
  /** The request target: path and query, as a rule. */
  abstract readonly target: string;
  /** It has the lease of `connection`. */
  abstract use(connection: Http1Connection, now: Msecs): void;

  /** Of its response; null when it is not known here. */
  get statusCode(): number | null {
    return null;
  }

  /** Bytes of the response body so far; null when they are not known here. */
  get receivedBytes(): number | null {
    return null;
  }

  /** It gets no connection. */
  abstract refused(error: KeeplineError): void;
}

/** A pool of connections that speak HTTP/1.1. */
export type HttpPool = Pool<ConnectionUser, Http1Connection>;

/**
 * A request whose HTTP somebody else speaks, on the socket itself: Node's `ClientRequest`. It ends with
 * `loan.giveBack` or `loan.giveUp`, or with the socket.
 */
export abstract class SocketBorrower extends ConnectionUser {
  override use(connection: Http1Connection, now: Msecs): void {
    connection.lend(this, now);
  }

  /** `socket` is its own until it gives it back. Not called when the socket turns out to be dead: then another one is lent. */
  abstract lent(loan: SocketLoan, socket: Socket, now: Msecs): void;
  /** The first bytes have come since. Not called for sockets that somebody else has made. */
  answered(_now: Msecs): void {}
  /** The socket has closed while it was lent: why it is retired. */
  abstract socketClosed(): RetireReason;
}
