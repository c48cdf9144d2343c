/**
 * Interceptors around a dispatcher. Those of undici 6 call the callbacks of the legacy kind, those of undici 7 and 8
 * the new ones; so between two of them stands a handler that has both.
 */
import { EventEmitter } from "node:events";
import type { Dispatcher, DispatcherCallback } from "./dispatcher.ts";
import { DualHandler } from "./dual-handler.ts";
import type {
  Dispatch,
  DispatchHandler,
  DispatchInterceptor,
  DispatchOptions,
} from "./handlers.ts";

type Given = DispatchInterceptor | null | undefined | readonly DispatchInterceptor[];

/** `inner`, with `interceptors` around it: the first stands next to it. */
export function composed(inner: Dispatcher, interceptors: readonly Given[]): Dispatcher {
  let dispatch: Dispatch = (options, handler) => inner.dispatch(options, handler);
  for (const interceptor of interceptors.flat()) {
    if (interceptor === null || interceptor === undefined) continue;
    if (typeof interceptor !== "function") {
      throw new TypeError(`invalid interceptor, expected function received ${typeof interceptor}`);
    }
    const around = interceptor(dispatch);
    if (typeof around !== "function" || around.length !== 2) {
      throw new TypeError("invalid interceptor");
    }
    dispatch = (options, handler) => around(options, DualHandler.of(handler));
  }
  return new ComposedDispatcher(inner, dispatch);
}

/** A dispatcher with interceptors. Closing it closes the one inside. */
class ComposedDispatcher extends EventEmitter implements Dispatcher {
  readonly #inner: Dispatcher;
  readonly #dispatch: Dispatch;

  constructor(inner: Dispatcher, dispatch: Dispatch) {
    super();
    this.#inner = inner;
    this.#dispatch = dispatch;
  }

  get closed(): boolean {
    return this.#inner.closed;
  }

  get destroyed(): boolean {
    return this.#inner.destroyed;
  }

  dispatch(options: DispatchOptions, handler: DispatchHandler): boolean {
    return this.#dispatch(options, handler);
  }

  close(): Promise<null>;
  close(callback: DispatcherCallback): void;
  close(callback?: DispatcherCallback): Promise<null> | undefined {
    if (callback === undefined) return this.#inner.close();
    this.#inner.close(callback);
  }

  destroy(error?: Error | null): Promise<null>;
  destroy(callback: DispatcherCallback): void;
  destroy(error: Error | null, callback: DispatcherCallback): void;
  destroy(
    first?: Error | null | DispatcherCallback,
    callback?: DispatcherCallback,
  ): Promise<null> | undefined {
    if (typeof first === "function") this.#inner.destroy(first);
    else if (callback === undefined) return this.#inner.destroy(first);
    else this.#inner.destroy(first ?? null, callback);
  }

  compose(...interceptors: Given[]): Dispatcher {
    return composed(this, interceptors);
  }
}
