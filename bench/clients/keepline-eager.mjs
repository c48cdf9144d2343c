import { start as startKeepline } from "./keepline.mjs";

export const name = "keepline, eager dialing";

export const start = (url, sockets, work) =>
  startKeepline(url, sockets, work, { dialing: "eager" });
