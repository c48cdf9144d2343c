/**
 * Calls the callbacks of a handler of either kind.
 * Invariant: what a callback throws goes no further; it ends the request, and after the last callback it is reported.
 */
import type { Duplex } from "node:stream";
import { toBuffers } from "../../http1/field-buffers.ts";
import type { ResponseHead } from "../../http1/head.ts";
import { DispatchError } from "./errors.ts";
import type { DispatchController, DispatchHandler } from "./handlers.ts";
import { toObject } from "./raw-headers.ts";

/** The request that a handler is told of. */
export interface ReceiverOwner {
  abort(reason: unknown): void;
  resume(): void;
  /** The last callback has thrown: nobody is left to be told. */
  lost(error: unknown): void;
}

/** A handler, whatever its kind. */
export interface Receiver {
  /** The handler wants nothing for now. */
  readonly isPaused: boolean;
  /** The handler wants to know of each piece of the body that is sent. */
  readonly wantsBodySent: boolean;
  start(owner: ReceiverOwner): void;
  responseStarted(): void;
  bodySent(chunk: Uint8Array): void;
  requestSent(): void;
  /** A head, interim or final. False pauses. */
  head(head: ResponseHead): boolean;
  /** A piece that the handler may keep. False pauses. */
  data(piece: Buffer): boolean;
  end(rawTrailers: readonly string[]): void;
  upgrade(head: ResponseHead, socket: Duplex): void;
  error(error: Error): void;
}

/** The receiver for `handler`. */
export function receiverOf(handler: DispatchHandler): Receiver {
  return typeof handler.onRequestStart === "function"
    ? new ModernReceiver(handler)
    : new LegacyReceiver(handler);
}

/** In an array of its own, which the handler may change. */
function buffersOf(head: ResponseHead): Buffer[] {
  return head.rawHeaderBuffers.slice();
}

const nobody: ReceiverOwner = { abort: () => {}, resume: () => {}, lost: () => {} };

abstract class BaseReceiver implements Receiver {
  abstract readonly isPaused: boolean;
  protected readonly handler: DispatchHandler;
  protected owner: ReceiverOwner = nobody;

  constructor(handler: DispatchHandler) {
    this.handler = handler;
  }

  get wantsBodySent(): boolean {
    return this.handler.onBodySent !== undefined;
  }

  responseStarted(): void {
    if (this.handler.onResponseStarted === undefined) return;
    try {
      this.handler.onResponseStarted();
    } catch (error) {
      this.owner.abort(error);
    }
  }

  bodySent(chunk: Uint8Array): void {
    try {
      this.handler.onBodySent?.(chunk);
    } catch (error) {
      this.owner.abort(error);
    }
  }

  requestSent(): void {
    if (this.handler.onRequestSent === undefined) return;
    try {
      this.handler.onRequestSent();
    } catch (error) {
      this.owner.abort(error);
    }
  }

  abstract start(owner: ReceiverOwner): void;
  abstract head(head: ResponseHead): boolean;
  abstract data(piece: Buffer): boolean;
  abstract end(rawTrailers: readonly string[]): void;
  abstract upgrade(head: ResponseHead, socket: Duplex): void;
  abstract error(error: Error): void;

  /** A response came where the handler waits for an upgrade or a tunnel alone. */
  protected refused(): false {
    this.owner.abort(new DispatchError("SocketError", "the server refused to change the protocol"));
    return false;
  }
}

class LegacyReceiver extends BaseReceiver {
  readonly isPaused = false;
  #resume = (): void => this.owner.resume();

  start(owner: ReceiverOwner): void {
    this.owner = owner;
    try {
      this.handler.onConnect?.((reason) => this.owner.abort(reason));
    } catch (error) {
      owner.abort(error);
    }
  }

  head(head: ResponseHead): boolean {
    const { handler } = this;
    const { statusCode, statusText } = head;
    if (handler.onHeaders === undefined) return this.refused();
    try {
      const answer = handler.onHeaders(statusCode, buffersOf(head), this.#resume, statusText);
      return answer !== false;
    } catch (error) {
      this.owner.abort(error);
      return false;
    }
  }

  data(piece: Buffer): boolean {
    try {
      return this.handler.onData?.(piece) !== false;
    } catch (error) {
      this.owner.abort(error);
      return false;
    }
  }

  end(rawTrailers: readonly string[]): void {
    try {
      this.handler.onComplete?.(toBuffers(rawTrailers));
    } catch (error) {
      this.error(error as Error);
    }
  }

  upgrade(head: ResponseHead, socket: Duplex): void {
    try {
      this.handler.onUpgrade?.(head.statusCode, buffersOf(head), socket);
    } catch (error) {
      socket.destroy();
      this.error(error as Error);
    }
  }

  error(error: Error): void {
    try {
      this.handler.onError?.(error);
    } catch (thrown) {
      this.owner.lost(thrown);
    }
  }
}

class ModernReceiver extends BaseReceiver {
  #controller: Controller | null = null;

  get isPaused(): boolean {
    return this.#controller?.paused === true;
  }

  start(owner: ReceiverOwner): void {
    this.owner = owner;
    const controller = new Controller(owner);
    this.#controller = controller;
    try {
      this.handler.onRequestStart?.(controller, null);
    } catch (error) {
      owner.abort(error);
    }
  }

  head({ statusCode, rawHeaders, statusText }: ResponseHead): boolean {
    const { handler } = this;
    const controller = this.#controller as Controller;
    if (handler.onResponseStart === undefined) return this.refused();
    controller.receivedHeaders = rawHeaders;
    try {
      handler.onResponseStart(controller, statusCode, toObject(rawHeaders), statusText);
      return !controller.paused;
    } catch (error) {
      this.owner.abort(error);
      return false;
    }
  }

  data(piece: Buffer): boolean {
    const controller = this.#controller as Controller;
    try {
      this.handler.onResponseData?.(controller, piece);
      return !controller.paused;
    } catch (error) {
      this.owner.abort(error);
      return false;
    }
  }

  end(rawTrailers: readonly string[]): void {
    const controller = this.#controller as Controller;
    controller.receivedTrailers = rawTrailers;
    try {
      this.handler.onResponseEnd?.(controller, toObject(rawTrailers));
    } catch (error) {
      this.error(error as Error);
    }
  }

  upgrade({ statusCode, rawHeaders }: ResponseHead, socket: Duplex): void {
    const controller = this.#controller as Controller;
    controller.receivedHeaders = rawHeaders;
    try {
      this.handler.onRequestUpgrade?.(controller, statusCode, toObject(rawHeaders), socket);
    } catch (error) {
      socket.destroy();
      this.error(error as Error);
    }
  }

  error(error: Error): void {
    try {
      this.handler.onResponseError?.(this.#controller, error);
    } catch (thrown) {
      this.owner.lost(thrown);
    }
  }
}

/** What a handler of the new kind has of its request. */
class Controller implements DispatchController {
  #owner: ReceiverOwner;
  #isPaused = false;
  #isAborted = false;
  #reason: Error | null = null;
  #headers: Buffer[] | null = null;
  #trailers: Buffer[] | null = null;
  #receivedHeaders: readonly string[] | null = null;
  #receivedTrailers: readonly string[] | null = null;

  constructor(owner: ReceiverOwner) {
    this.#owner = owner;
  }

  get aborted(): boolean {
    return this.#isAborted;
  }

  get paused(): boolean {
    return this.#isPaused;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  /** Made when somebody looks. */
  get rawHeaders(): Buffer[] | null {
    if (this.#receivedHeaders !== null) {
      this.#headers = toBuffers(this.#receivedHeaders);
      this.#receivedHeaders = null;
    }
    return this.#headers;
  }

  /** Interceptors give others. */
  set rawHeaders(headers: Buffer[] | null) {
    this.#headers = headers;
    this.#receivedHeaders = null;
  }

  get rawTrailers(): Buffer[] | null {
    if (this.#receivedTrailers !== null) {
      this.#trailers = toBuffers(this.#receivedTrailers);
      this.#receivedTrailers = null;
    }
    return this.#trailers;
  }

  set rawTrailers(trailers: Buffer[] | null) {
    this.#trailers = trailers;
    this.#receivedTrailers = null;
  }

  set receivedHeaders(rawHeaders: readonly string[]) {
    this.#receivedHeaders = rawHeaders;
  }

  set receivedTrailers(rawTrailers: readonly string[]) {
    this.#receivedTrailers = rawTrailers;
  }

  abort(reason?: Error): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason ?? null;
    this.#owner.abort(reason);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#owner.resume();
  }
}
