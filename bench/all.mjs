// All scenarios in their order, and with which settings they take their turn when all are run: about half an hour
// together. What is not named here has its usual value.

import * as burst from "./scenarios/burst.mjs";
import * as extras from "./scenarios/extras.mjs";
import * as idle from "./scenarios/idle.mjs";
import * as neighbour from "./scenarios/neighbour.mjs";
import * as observe from "./scenarios/observe.mjs";
import * as origins from "./scenarios/origins.mjs";
import * as queue from "./scenarios/queue.mjs";
import * as sequence from "./scenarios/sequence.mjs";
import * as simulation from "./scenarios/simulate.mjs";
import { body, get, headers, https, post, sockets } from "./scenarios/small.mjs";
import * as surfaces from "./scenarios/surfaces.mjs";
import * as transfer from "./scenarios/transfer.mjs";

export const scenarios = {
  get,
  https,
  post,
  headers,
  body,
  sequence,
  sockets,
  burst,
  idle,
  extras,
  surfaces,
  transfer,
  queue,
  origins,
  neighbour,
  observe,
  simulate: simulation,
};

export const shortSettings = {
  get: { rounds: 5 },
  https: { rounds: 5 },
  post: { rounds: 5 },
  headers: { rounds: 5 },
  body: { rounds: 5 },
  sockets: { rounds: 5 },
  sequence: { rounds: 5 },
  surfaces: { rounds: 5 },
  burst: { rounds: 5 },
  transfer: { rounds: 2, megabytes: 1_000 },
  queue: { rounds: 1, requests: 50_000, only: ["raw-queue", "keepline", "undici-pool"] },
  origins: { rounds: 4, requests: 30_000 },
  neighbour: { rounds: 1 },
};
