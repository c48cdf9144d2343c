/**
 * Those who asked one pool for open connections ahead of demand. Each is told once.
 */
import type { KeeplineError } from "./errors.ts";
import type { Warmer } from "./port.ts";

/** The warm-ups of one pool that are not done. */
export class WarmUp {
  #warmers: Warmer[] = [];

  get isOver(): boolean {
    return this.#warmers.length === 0;
  }

  /** The most open connections that anybody wants. */
  get target(): number {
    return this.#warmers.reduce((most, each) => Math.max(most, each.target), 0);
  }

  add(warmer: Warmer): void {
    this.#warmers.push(warmer);
  }

  /**
   * Tells those who need not wait longer: who has what it wanted, and, when no dial `isUnderWay`, also
   * the others, since no more will come. `failure`: why not; null when a limit stands against more.
   */
  tell(open: number, isUnderWay: boolean, failure: KeeplineError | null): void {
    const told = this.#warmers.filter((each) => each.target <= open || !isUnderWay);
    if (told.length === 0) return;
    this.#warmers = this.#warmers.filter((each) => !told.includes(each));
    for (const warmer of told) {
      if (failure === null || warmer.target <= open) warmer.ready(open);
      else warmer.failed(failure);
    }
  }

  /** Tells all of them that nothing will come of it. */
  fail(error: KeeplineError): void {
    const warmers = this.#warmers;
    this.#warmers = [];
    for (const warmer of warmers) warmer.failed(error);
  }
}
