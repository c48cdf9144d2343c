/**
 * Tells requests that their signal was aborted. One listener serves all requests of a signal: an EventTarget looks
 * through all of its listeners with each one that is added, which makes thousands of requests with one signal slow,
 * and Node warns of more than a few as of a leak.
 * Invariant: a signal has a listener while a request watches it, and no longer.
 */

/** Who watches a signal. */
export interface Abortable {
  /** The signal was aborted. It is watched no more. */
  aborted(reason: unknown): void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/** Those who watch one signal: most often one. */
class Watch {
  readonly #signal: AbortSignal;
  #only: Abortable | null;
  #all: Set<Abortable> | null = null;

  constructor(signal: AbortSignal, first: Abortable) {
    this.#signal = signal;
    this.#only = first;
    signal.addEventListener("abort", this);
    watches.set(signal, this);
  }

  add(abortable: Abortable): void {
    if (this.#all === null) {
      this.#all = new Set(this.#only === null ? [] : [this.#only]);
      this.#only = null;
    }
    this.#all.add(abortable);
  }

  remove(abortable: Abortable): void {
    if (this.#only === abortable) this.#only = null;
    this.#all?.delete(abortable);
    if (this.#only === null && (this.#all === null || this.#all.size === 0)) this.#end();
  }

  handleEvent(): void {
    const { reason } = this.#signal;
    const all = this.#all ?? (this.#only === null ? [] : [this.#only]);
    this.#end();
    for (const each of all) each.aborted(reason);
  }

  #end(): void {
    this.#signal.removeEventListener("abort", this);
    watches.delete(this.#signal);
    this.#only = this.#all = null;
  }
}

/** `abortable` is told when `signal` is aborted. It watches no other signal, and this one was not aborted before. */
export function watchAbort(signal: AbortSignal, abortable: Abortable): void {
  const watch = watches.get(signal);
  if (watch === undefined) new Watch(signal, abortable);
  else watch.add(abortable);
}

/** `abortable` is not told any more; nothing happens when it was not to be. */
export function unwatchAbort(signal: AbortSignal, abortable: Abortable): void {
  watches.get(signal)?.remove(abortable);
}
