/**
 * Where a request of `client.request` stands, in words that errors use.
 */

/** What a timeout means depends on it. */
export type Stage = "waiting" | "sending" | "awaiting" | "receiving" | "paused" | "over";

/** What a request is doing, or waiting for. */
export const stageWords: Readonly<Record<Stage, string>> = {
  waiting: "waiting for a socket",
  sending: "being sent",
  awaiting: "waiting for the response head",
  receiving: "receiving the response body",
  paused: "waiting for the response body to be read",
  over: "over",
};
