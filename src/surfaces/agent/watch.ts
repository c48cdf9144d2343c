/**
 * What an agent sees of a socket that it has lent: one set of listeners a socket, for all its requests.
 */
import type { SocketLoan } from "../../http1/loan.ts";
import type { AgentRequest, RequestOwner } from "./request.ts";

const key = Symbol("keepline.watch");

interface Watched {
  [key]?: SocketWatch;
}

/** Who has a socket. */
export class SocketWatch {
  request: AgentRequest | null = null;
  readonly #loan: SocketLoan;
  readonly #owner: RequestOwner;

  constructor(loan: SocketLoan, owner: RequestOwner) {
    this.#loan = loan;
    this.#owner = owner;
    const { socket } = loan;
    (socket as Watched)[key] = this;
    // The program may have been told of the socket when it was dialed, with Node's own listeners already on it.
    socket.on("free", this.#freed).on("close", this.#closed).on("timeout", this.#timedOut);
    socket.on("agentRemove", this.#removed);
    if (typeof socket.setKeepAlive === "function") {
      socket.setKeepAlive(true, owner.tcpKeepAliveMsecs);
    }
  }

  readonly #freed = (): void => {
    this.request?.freed(this);
  };

  readonly #closed = (): void => {
    this.request?.closed();
    this.request = null;
  };

  readonly #timedOut = (): void => {
    // While a request has the socket, the timeout is told by Node, and for the program to act on.
    if (this.request !== null) return;
    const { lease } = this.#loan;
    if (lease.state.kind !== "idle") return;
    const { pools, clock } = this.#owner.world;
    pools.lost(lease, "idle-timeout", clock());
  };

  readonly #removed = (): void => {
    const { socket, connection } = this.#loan;
    socket.off("free", this.#freed).off("close", this.#closed).off("timeout", this.#timedOut);
    socket.off("agentRemove", this.#removed);
    this.request?.removed(this);
    connection.handOver();
  };
}

/** The watch of the socket that is lent by `loan`. */
export function watchOf(loan: SocketLoan, owner: RequestOwner): SocketWatch {
  return (loan.socket as Watched)[key] ?? new SocketWatch(loan, owner);
}
