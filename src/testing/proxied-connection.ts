/**
 * One connection through a `FaultProxy`: two sockets, a wire each way, and the faults that happen to it.
 * Invariant: it is over when both sockets are closed, and then has no timer left.
 */
import type { Socket } from "node:net";
import type { Msecs } from "../core/clock.ts";
import { checkFault, checkMoment, type End, type Fault, type Moment } from "./faults.ts";
import { HttpWatch } from "./http-watch.ts";
import { fin, type Latency, reset, Wire } from "./wire.ts";

/** What happens when so many requests or responses were counted. */
interface Counted {
  readonly after: "requests" | "responses";
  readonly count: number;
  readonly run: () => void;
}

/** One connection through a `FaultProxy`. */
export class ProxiedConnection {
  /** From 0, in order of arrival. */
  readonly index: number;
  /** Resolves when the connections to both ends are closed. */
  readonly closed: Promise<void>;
  readonly #sockets: Record<End, Socket>;
  readonly #wires: Record<End, Wire>;
  readonly #timers = new Set<NodeJS.Timeout>();
  #cameAt: Msecs = performance.now();
  #isClosed = false;

  /** A `FaultProxy` makes it, of two sockets that allow half-open connections. */
  constructor(index: number, client: Socket, server: Socket, latency: Latency) {
    this.index = index;
    this.#sockets = { client, server };
    this.#wires = {
      client: new Wire(server, client, "client", latency),
      server: new Wire(client, server, "server", latency),
    };
    const noteBytes = (): void => {
      this.#cameAt = performance.now();
    };
    this.#wires.client.gate.onCome = noteBytes;
    this.#wires.server.gate.onCome = noteBytes;
    this.closed = new Promise((resolve) => {
      let openCount = 2;
      const onClose = (): void => {
        openCount--;
        if (openCount > 0) return;
        this.#isClosed = true;
        this.#stop();
        resolve();
      };
      client.on("close", onClose);
      server.on("close", onClose);
    });
    client.on("error", () => this.#broke("client"));
    server.on("error", () => this.#broke("server"));
  }

  /** Bytes that were forwarded to the server. */
  get bytesToServer(): number {
    return this.#wires.server.gate.passedBytes;
  }

  /** Bytes that were forwarded to the client; with a delay, the last of them are under way. */
  get bytesToClient(): number {
    return this.#wires.client.gate.passedBytes;
  }

  /** False when the connections to both ends are closed. */
  get isOpen(): boolean {
    return !this.#isClosed;
  }

  /**
   * Lets `fault` happen at `moment`. Any number of them may be set, also while others wait.
   *
   * @throws TypeError or RangeError when one of them is not allowed.
   */
  at(moment: Moment, fault: Fault): this {
    checkMoment(moment);
    checkFault(fault);
    const run = (): void => this.#apply(fault);
    if (this.#isClosed) return this;
    switch (moment.after) {
      case "msecs":
        this.#later(moment.msecs, run);
        break;
      case "idle":
        this.#whenIdle(performance.now(), moment.msecs, run);
        break;
      case "bytes-to-client":
        this.#wires.client.gate.mark(moment.bytes, run);
        break;
      case "bytes-to-server":
        this.#wires.server.gate.mark(moment.bytes, run);
        break;
      case "requests":
      case "responses":
        this.#watch({ after: moment.after, count: moment.count, run });
    }
    return this;
  }

  /**
   * Lets `fault` happen now.
   *
   * @throws TypeError or RangeError when it is not allowed.
   */
  apply(fault: Fault): this {
    checkFault(fault);
    this.#apply(fault);
    return this;
  }

  /** Ends all stalls. */
  resume(): this {
    this.#wires.client.gate.resume();
    this.#wires.server.gate.resume();
    return this;
  }

  /** Closes both connections now, without regard to what is under way. */
  destroy(): void {
    this.#stop();
    this.#sockets.client.destroy();
    this.#sockets.server.destroy();
  }

  #apply(fault: Fault): void {
    if (this.#isClosed) return;
    switch (fault.kind) {
      case "fin":
        this.#close(fault.toward ?? "both", fin);
        return;
      case "reset":
        this.#close(fault.toward ?? "both", reset);
        return;
      case "half-close":
        this.#wires[fault.toward].gate.end(fin);
        return;
      case "stall": {
        const wires = this.#toward(fault.toward ?? "both");
        for (const { gate } of wires) gate.stall();
        if (fault.msecs !== undefined) {
          this.#later(fault.msecs, () => {
            for (const { gate } of wires) gate.resume();
          });
        }
        return;
      }
      case "split":
        for (const { gate } of this.#toward(fault.toward ?? "both")) gate.splitBytes = fault.bytes;
        return;
      case "truncate": {
        const { gate } = this.#wires[fault.toward ?? "client"];
        const end = fault.by === "fin" ? fin : reset;
        gate.mark(gate.passedBytes + fault.bytes, () => this.#close("both", end));
      }
    }
  }

  #close(toward: End | "both", piece: typeof fin | typeof reset): void {
    for (const [end, other] of [
      ["client", "server"],
      ["server", "client"],
    ] as const) {
      if (toward === other) continue;
      const { gate } = this.#wires[end];
      const { gate: back } = this.#wires[other];
      gate.end(piece);
      back.shut();
      // Whoever writes to a connection that was closed finds it broken.
      back.onLate = () => gate.end(reset);
    }
  }

  #toward(toward: End | "both"): Wire[] {
    return toward === "both" ? [this.#wires.client, this.#wires.server] : [this.#wires[toward]];
  }

  #broke(end: End): void {
    const other = end === "client" ? "server" : "client";
    // A socket that was reset here may say so with an error.
    if (!this.#wires[end].hasBrokenSink) this.#wires[other].sourceBroke();
  }

  #watch(counted: Counted): void {
    const { client, server } = this.#wires;
    const on = (after: Counted["after"], wire: Wire) => (count: number, position: number) => {
      if (after === counted.after && count === counted.count) {
        wire.gate.mark(position, counted.run);
      }
    };
    const watch = new HttpWatch(on("requests", server), on("responses", client));
    chain(server, (bytes, from) => watch.toServer(bytes, from));
    chain(client, (bytes, from) => watch.toClient(bytes, from));
  }

  #whenIdle(since: Msecs, msecs: Msecs, run: () => void): void {
    const idleAt = Math.max(since, this.#cameAt) + msecs;
    const left = idleAt - performance.now();
    if (left <= 0) run();
    else this.#later(left, () => this.#whenIdle(since, msecs, run));
  }

  #later(msecs: Msecs, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, Math.ceil(msecs));
    this.#timers.add(timer);
  }

  #stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#wires.client.stop();
    this.#wires.server.stop();
  }
}

/** Adds a listener to those that are told what comes to the gate of `wire`. */
function chain(wire: Wire, listener: (bytes: Buffer, from: number) => void): void {
  const before = wire.gate.onCome;
  wire.gate.onCome = (bytes, from) => {
    before?.(bytes, from);
    listener(bytes, from);
  };
}
