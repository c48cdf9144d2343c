/**
 * A client as an instance of a class `Dispatcher` of the program's own undici, for what asks for one by class or by type.
 */
import type { Client } from "../../client/client.ts";
import type {
  ClientDispatcher,
  Dispatcher,
  DispatcherBounds,
  DispatcherCallback,
} from "./dispatcher.ts";
import type { DispatchHandler, DispatchOptions } from "./handlers.ts";

/**
 * A class of dispatchers made from a client that extends `Base`, the `Dispatcher` of undici 6, 7 or 8: its methods
 * `request`, `stream`, `fetch` and so on are that undici's, and go through the client.
 */
export function dispatcherFor<I extends object>(
  Base: new () => I,
): new (
  client: Client,
  bounds?: DispatcherBounds,
) => I {
  const Parent: new () => object = Base;
  class KeeplineDispatcher extends Parent {
    readonly #view: ClientDispatcher;

    constructor(client: Client, bounds: DispatcherBounds = {}) {
      super();
      this.#view = client.dispatcher(bounds);
    }

    get closed(): boolean {
      return this.#view.closed;
    }

    get destroyed(): boolean {
      return this.#view.destroyed;
    }

    get webSocketOptions(): ClientDispatcher["webSocketOptions"] {
      return this.#view.webSocketOptions;
    }

    dispatch(options: DispatchOptions, handler: DispatchHandler): boolean {
      return this.#view.dispatch(options, handler);
    }

    close(callback?: DispatcherCallback): Promise<null> | undefined {
      if (callback === undefined) return this.#view.close();
      this.#view.close(callback);
    }

    destroy(
      first?: Error | null | DispatcherCallback,
      callback?: DispatcherCallback,
    ): Promise<null> | undefined {
      if (typeof first === "function") this.#view.destroy(first);
      else if (callback === undefined) return this.#view.destroy(first);
      else this.#view.destroy(first ?? null, callback);
    }
  }
  return KeeplineDispatcher as unknown as new (
    client: Client,
    bounds?: DispatcherBounds,
  ) => I;
}

/**
 * `dispatcher` as the type of dispatchers that `D` is, for `fetch(url, { dispatcher })`. It changes the type alone: what
 * undici's class has beside `dispatch`, `close`, `destroy` and `compose` is not there; see `dispatcherFor`.
 */
export function asDispatcher<D>(dispatcher: Dispatcher): D {
  return dispatcher as unknown as D;
}
