/**
 * What the page of a dashboard and the worker that makes its advice say to each other.
 */
import type { Advice } from "../../simulate/index.ts";

/** What the page says: first what it wants advice for, and perhaps later that what was recorded by then is enough. */
export type Asked =
  | {
      readonly kind: "advise";
      readonly client: string;
      readonly service: string;
      /** Traffic of so many seconds is taken. */
      readonly seconds: number;
    }
  | { readonly kind: "enough" };

/** What the worker says. The last one is `done` or `failed`. */
export type Told =
  /** Requests of all services so far. */
  | { readonly kind: "taking"; readonly requests: number }
  | { readonly kind: "simulating"; readonly simulations: number }
  | { readonly kind: "done"; readonly advice: Advice; readonly leftOut: number }
  | { readonly kind: "failed"; readonly words: string };
