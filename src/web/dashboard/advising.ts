/**
 * Advice that is being made, or was: the one that the reader last asked for. It is made in a worker, so the page goes on.
 */
import type { Advice } from "../../simulate/index.ts";
import type { Asked, Told } from "../advise/messages.ts";

/** What advice is for. */
export interface Subject {
  readonly client: string;
  readonly service: string;
}

/** How far it is. */
export type Advising =
  | { readonly kind: "idle" }
  | {
      readonly kind: "taking";
      readonly subject: Subject;
      readonly seconds: number;
      /** In ms of `performance.now()`. */
      readonly since: number;
      readonly requests: number;
    }
  | { readonly kind: "simulating"; readonly subject: Subject; readonly simulations: number }
  | {
      readonly kind: "done";
      readonly subject: Subject;
      readonly advice: Advice;
      readonly leftOut: number;
    }
  | { readonly kind: "failed"; readonly subject: Subject; readonly words: string };

/** Makes advice, one after the other. */
export class Advisor {
  #state: Advising = { kind: "idle" };
  #worker: Worker | null = null;
  readonly #changed: (state: Advising) => void;

  /** @param changed Told of every change. */
  constructor(changed: (state: Advising) => void) {
    this.#changed = changed;
  }

  /** Begins to take traffic for so long. */
  begin(subject: Subject, seconds: number): void {
    this.#worker?.terminate();
    const worker = new Worker("advise.js");
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Told>) => this.#hear(subject, data);
    worker.onerror = (event) => {
      event.preventDefault();
      const words = event.message ?? "the program does not answer";
      this.#hear(subject, { kind: "failed", words });
    };
    this.#say({ kind: "advise", ...subject, seconds });
    this.#set({ kind: "taking", subject, seconds, since: performance.now(), requests: 0 });
  }

  /** What was taken by now is enough. */
  enough(): void {
    this.#say({ kind: "enough" });
  }

  /** There is to be no advice. */
  cancel(): void {
    this.#end();
    this.#set({ kind: "idle" });
  }

  #hear(subject: Subject, told: Told): void {
    const state = this.#state;
    switch (told.kind) {
      case "taking":
        if (state.kind === "taking") this.#set({ ...state, requests: told.requests });
        return;
      case "simulating":
        this.#set({ ...told, subject });
        return;
      case "done":
      case "failed":
        this.#end();
        this.#set({ ...told, subject });
        return;
      default:
        told satisfies never;
    }
  }

  #say(asked: Asked): void {
    this.#worker?.postMessage(asked);
  }

  #end(): void {
    this.#worker?.terminate();
    this.#worker = null;
  }

  #set(state: Advising): void {
    this.#state = state;
    this.#changed(state);
  }
}
