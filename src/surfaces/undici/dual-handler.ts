/**
 * A handler that has the callbacks of both kinds, around one that has those of one kind: whoever calls it may speak
 * either.
 */
import type { Duplex } from "node:stream";
import type { DispatchController, DispatchHandler, ParsedHeaders } from "./handlers.ts";
import { buffersToObject, objectToBuffers } from "./raw-headers.ts";

/** A handler of both kinds. */
export abstract class DualHandler implements DispatchHandler {
  protected readonly inner: DispatchHandler;

  constructor(inner: DispatchHandler) {
    this.inner = inner;
  }

  /** `handler` itself when it has both kinds of callbacks, or none. */
  static of(handler: DispatchHandler): DispatchHandler {
    if (typeof handler !== "object" || handler === null) return handler;
    const isModern = typeof handler.onRequestStart === "function";
    const isLegacy = typeof handler.onConnect === "function";
    if (isModern === isLegacy) return handler;
    return isModern ? new ModernHandler(handler) : new LegacyHandler(handler);
  }

  abstract onRequestStart(controller: DispatchController, context: unknown): void;
  abstract onConnect(abort: (reason?: Error) => void, context?: unknown): void;

  onResponseStarted(): void {
    this.inner.onResponseStarted?.();
  }

  onBodySent(chunk: Uint8Array): void {
    this.inner.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.inner.onRequestSent?.();
  }
}

/** Around a legacy handler. */
class LegacyHandler extends DualHandler {
  onConnect(abort: (reason?: Error) => void, context?: unknown): void {
    this.inner.onConnect?.(abort, context);
  }

  onHeaders(statusCode: number, rawHeaders: Buffer[], resume: () => void, statusText: string) {
    return this.inner.onHeaders?.(statusCode, rawHeaders, resume, statusText);
  }

  onData(chunk: Buffer) {
    return this.inner.onData?.(chunk);
  }

  onComplete(rawTrailers: Buffer[]): void {
    this.inner.onComplete?.(rawTrailers);
  }

  onError(error: Error): void {
    this.inner.onError?.(error);
  }

  onUpgrade(statusCode: number, rawHeaders: Buffer[], socket: Duplex): void {
    this.inner.onUpgrade?.(statusCode, rawHeaders, socket);
  }

  onRequestStart(controller: DispatchController, context: unknown): void {
    this.inner.onConnect?.((reason) => controller.abort(reason), context);
  }

  onResponseStart(
    controller: DispatchController,
    statusCode: number,
    headers: ParsedHeaders,
    statusText: string,
  ): void {
    const resume = (): void => controller.resume();
    const rawHeaders = objectToBuffers(headers);
    if (this.inner.onHeaders?.(statusCode, rawHeaders, resume, statusText) === false) {
      controller.pause();
    }
  }

  onResponseData(controller: DispatchController, chunk: Buffer): void {
    if (this.inner.onData?.(chunk) === false) controller.pause();
  }

  onResponseEnd(_controller: DispatchController, trailers: ParsedHeaders): void {
    this.inner.onComplete?.(objectToBuffers(trailers));
  }

  onResponseError(_controller: DispatchController | null, error: Error): void {
    this.inner.onError?.(error);
  }

  onRequestUpgrade(
    _controller: DispatchController,
    statusCode: number,
    headers: ParsedHeaders,
    socket: Duplex,
  ): void {
    this.inner.onUpgrade?.(statusCode, objectToBuffers(headers), socket);
  }
}

/** Around a handler of the new kind. */
class ModernHandler extends DualHandler {
  #controller: LegacyController | null = null;

  onRequestStart(controller: DispatchController, context: unknown): void {
    this.inner.onRequestStart?.(controller, context);
  }

  onResponseStart(
    controller: DispatchController,
    statusCode: number,
    headers: ParsedHeaders,
    statusText: string,
  ): void {
    this.inner.onResponseStart?.(controller, statusCode, headers, statusText);
  }

  onResponseData(controller: DispatchController, chunk: Buffer): void {
    this.inner.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: DispatchController, trailers: ParsedHeaders): void {
    this.inner.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: DispatchController | null, error: Error): void {
    this.inner.onResponseError?.(controller, error);
  }

  onRequestUpgrade(
    controller: DispatchController,
    statusCode: number,
    headers: ParsedHeaders,
    socket: Duplex,
  ): void {
    this.inner.onRequestUpgrade?.(controller, statusCode, headers, socket);
  }

  onConnect(abort: (reason?: Error) => void, context?: unknown): void {
    this.#controller = new LegacyController(abort);
    this.inner.onRequestStart?.(this.#controller, context);
  }

  onHeaders(
    statusCode: number,
    rawHeaders: Buffer[],
    resume: () => void,
    statusText: string,
  ): boolean {
    const controller = this.#of();
    controller.rawHeaders = rawHeaders;
    controller.resumeSource = resume;
    this.inner.onResponseStart?.(controller, statusCode, buffersToObject(rawHeaders), statusText);
    return !controller.paused;
  }

  onData(chunk: Buffer): boolean {
    const controller = this.#of();
    this.inner.onResponseData?.(controller, chunk);
    return !controller.paused;
  }

  onComplete(rawTrailers: Buffer[] | null): void {
    const controller = this.#of();
    controller.rawTrailers = rawTrailers ?? [];
    this.inner.onResponseEnd?.(controller, buffersToObject(rawTrailers ?? []));
  }

  onError(error: Error): void {
    this.inner.onResponseError?.(this.#controller, error);
  }

  onUpgrade(statusCode: number, rawHeaders: Buffer[], socket: Duplex): void {
    const controller = this.#of();
    controller.rawHeaders = rawHeaders;
    this.inner.onRequestUpgrade?.(controller, statusCode, buffersToObject(rawHeaders), socket);
  }

  /** Interceptors that answer by themselves may leave the start out. */
  #of(): LegacyController {
    this.#controller ??= new LegacyController(() => {});
    return this.#controller;
  }
}

/** The controller of a request whose legacy callbacks are called. */
class LegacyController implements DispatchController {
  rawHeaders: Buffer[] | null = null;
  rawTrailers: Buffer[] | null = null;
  resumeSource: () => void = () => {};
  readonly #abort: (reason?: Error) => void;
  #isPaused = false;
  #isAborted = false;
  #reason: Error | null = null;

  constructor(abort: (reason?: Error) => void) {
    this.#abort = abort;
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

  abort(reason?: Error): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason ?? null;
    this.#abort(reason);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.resumeSource();
  }
}
