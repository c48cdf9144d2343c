import { start as startKeepline } from "./keepline.mjs";

export const name = "keepline, patient dialing";

export const start = (url, sockets, work) =>
  startKeepline(url, sockets, work, { dialing: "patient" });
