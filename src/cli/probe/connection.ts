/**
 * One connection to the server that is probed: asks one request at a time, and sees exactly when and how the
 * server ends it. Below keepline's own client, which would hide what is to be found out.
 * Invariant: it never asks again by itself, and what it opens is closed by `destroy`.
 */
import { connect as netConnect, type Socket } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import type { Msecs } from "../../core/clock.ts";
import { ResponseParseError } from "../../core/errors.ts";
import { type KeepAliveHint, parseKeepAlive } from "../../http1/keep-alive.ts";
import { type ResponseHead, ResponseParser } from "../../http1/parser.ts";

/** Where to dial. */
export interface Place {
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
  /** TLS options; null for plain HTTP. */
  readonly tls: ConnectionOptions | null;
}

/** What is sent. */
export interface Question {
  readonly method: string;
  /** The whole head, with its empty line. */
  readonly head: string;
  /** How long an answer may take. */
  readonly answerMsecs: Msecs;
}

/** How the server ended a connection: FIN, or RST. Node reads an RST that comes right behind bytes as a FIN. */
export type ClosedBy = "fin" | "rst";

/** The end of a connection, by the server. */
export interface Closing {
  readonly by: ClosedBy;
  /** When it arrived, by `performance.now()`. */
  readonly at: Msecs;
  /** The first line of what came without having been asked for, as `HTTP/1.1 408 Request Timeout`; null as a rule. */
  readonly said: string | null;
}

/** What came of a request. */
export type Reply =
  | {
      readonly kind: "answered";
      readonly head: ResponseHead;
      /** By lower-case name, the first of each. */
      readonly fields: ReadonlyMap<string, string>;
      readonly hint: KeepAliveHint | null;
      /** The connection may be used again, by what the response says. */
      readonly keepAlive: boolean;
      readonly firstByteMsecs: Msecs;
      /** When its last byte arrived, by `performance.now()`. */
      readonly doneAt: Msecs;
    }
  | { readonly kind: "closed"; readonly by: ClosedBy }
  | { readonly kind: "silent"; readonly waitedMsecs: Msecs }
  | { readonly kind: "invalid"; readonly problem: string };

/** A response. */
export type Answer = Extract<Reply, { kind: "answered" }>;

/** How long opening took. */
export interface DialTimes {
  readonly connectMsecs: Msecs;
  /** Null for plain HTTP. */
  readonly tlsMsecs: Msecs | null;
}

const mostBodyBytes = 1_048_576;
const mostHeaderBytes = 65_536;

/** An open connection. */
export class ProbeConnection {
  readonly times: DialTimes;
  /** Settles when the server ends it, and never when `destroy` does. */
  readonly closing: Promise<Closing>;
  readonly #socket: Socket | TLSSocket;
  #closed: Closing | null = null;
  #parser: ResponseParser | null = null;
  #settle: ((reply: Reply) => void) | null = null;
  #bodyBytes = 0;
  #said = "";
  #head: ResponseHead | null = null;
  #firstByteAt: Msecs | null = null;

  private constructor(socket: Socket | TLSSocket, times: DialTimes) {
    this.#socket = socket;
    this.times = times;
    this.closing = new Promise((resolve) => {
      const end = (by: ClosedBy): void => {
        if (this.#closed !== null) return;
        const said = this.#said.split("\r\n", 1)[0]?.slice(0, 80) ?? "";
        this.#closed = { by, at: performance.now(), said: said === "" ? null : said };
        this.#ended(by);
        resolve(this.#closed);
        socket.destroy();
      };
      socket.on("end", () => end("fin"));
      socket.on("error", () => end("rst"));
    });
    // Closed by this side: nobody may wait for an answer any more.
    socket.on("close", () => this.#finish({ kind: "closed", by: "fin" }));
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
  }

  /**
   * Opens one. Rejects with what Node says when that fails or takes longer than `mostMsecs`, and with the
   * reason of `signal`, which also ends the connection later.
   */
  static dial(place: Place, mostMsecs: Msecs, signal: AbortSignal): Promise<ProbeConnection> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const startedAt = performance.now();
      let connectedAt = startedAt;
      const where = { host: place.address, port: place.port, family: place.family };
      const socket: Socket | TLSSocket =
        place.tls === null
          ? netConnect({ ...where, noDelay: true, allowHalfOpen: true })
          : tlsConnect({ ...where, ...place.tls });
      const fail = (error: unknown): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(error);
      };
      const timer = setTimeout(() => {
        const words = `${place.address} port ${place.port} did not answer within ${mostMsecs} ms`;
        fail(Object.assign(new Error(words), { code: "ETIMEDOUT" }));
      }, mostMsecs);
      const abort = (): void => fail(signal.reason);
      signal.addEventListener("abort", abort);
      socket.once("close", () => signal.removeEventListener("abort", abort));
      socket.once("error", fail);
      const open = (): void => {
        clearTimeout(timer);
        socket.off("error", fail);
        const tlsMsecs = place.tls === null ? null : performance.now() - connectedAt;
        const times = { connectMsecs: connectedAt - startedAt, tlsMsecs };
        resolve(new ProbeConnection(socket, times));
      };
      socket.once("connect", () => {
        connectedAt = performance.now();
        if (place.tls === null) open();
      });
      if (place.tls !== null) {
        socket.setNoDelay(true);
        socket.once("secureConnect", open);
        // A server that ends it in the middle of the handshake says no more than that.
        socket.once("end", () => fail(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
      }
    });
  }

  /** The TLS side of it; null for plain HTTP. */
  get tls(): TLSSocket | null {
    return "encrypted" in this.#socket ? this.#socket : null;
  }

  /** Sends a request, and waits for all of its response. One at a time. */
  ask(question: Question): Promise<Reply> {
    return new Promise((resolve) => {
      if (this.#closed !== null) {
        resolve({ kind: "closed", by: this.#closed.by });
        return;
      }
      const sentAt = performance.now();
      const timer = setTimeout(() => {
        this.#finish({ kind: "silent", waitedMsecs: question.answerMsecs });
      }, question.answerMsecs);
      this.#settle = (reply) => {
        clearTimeout(timer);
        resolve(reply);
      };
      this.#parser = this.#parse(sentAt);
      this.#parser.begin(question.method);
      this.#head = null;
      this.#firstByteAt = null;
      this.#bodyBytes = 0;
      this.#socket.write(question.head, "latin1");
    });
  }

  /** Closes it. */
  destroy(): void {
    this.#socket.destroy();
  }

  #parse(sentAt: Msecs): ResponseParser {
    const sink = {
      onInterim: () => {},
      onHead: (head: ResponseHead) => {
        this.#head = head;
      },
      onBody: (_: Buffer, start: number, end: number) => {
        this.#bodyBytes += end - start;
        if (this.#bodyBytes > mostBodyBytes) {
          const problem =
            "the response is larger than 1 MiB: choose a smaller one, or --method HEAD";
          this.#finish({ kind: "invalid", problem });
        }
      },
      onEnd: () => this.#answered(sentAt),
    };
    return new ResponseParser(sink, { maxHeaderBytes: mostHeaderBytes }, "");
  }

  #answered(sentAt: Msecs): void {
    const head = this.#head as ResponseHead;
    const fields = new Map<string, string>();
    for (let index = 0; index < head.rawHeaders.length; index += 2) {
      const name = (head.rawHeaders[index] as string).toLowerCase();
      if (!fields.has(name)) fields.set(name, head.rawHeaders[index + 1] as string);
    }
    const doneAt = performance.now();
    this.#finish({
      kind: "answered",
      head,
      fields,
      hint: head.keepAliveHeader === null ? null : parseKeepAlive(head.keepAliveHeader),
      keepAlive: head.keepAlive,
      firstByteMsecs: (this.#firstByteAt ?? doneAt) - sentAt,
      doneAt,
    });
  }

  #read(bytes: Buffer): void {
    if (this.#settle === null || this.#parser === null) {
      // Nobody asked: all that matters is how it begins.
      this.#said = (this.#said + bytes.toString("latin1", 0, 200)).slice(0, 200);
      return;
    }
    this.#firstByteAt ??= performance.now();
    try {
      this.#parser.execute(bytes, 0, bytes.length);
    } catch (error) {
      if (!(error instanceof ResponseParseError)) throw error;
      this.#finish({ kind: "invalid", problem: error.message.replace(/^invalid .*?: /, "") });
    }
  }

  #ended(by: ClosedBy): void {
    if (this.#settle === null) return;
    // A body may end with the connection: then this settles it.
    if (by === "fin" && this.#parser?.finish() === true) return;
    this.#finish({ kind: "closed", by });
  }

  #finish(reply: Reply): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(reply);
  }
}
