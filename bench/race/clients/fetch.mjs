import { facts, sendThrough } from "../undici.mjs";

// Its idle limit cannot be set without undici: it is 4 s.
export const name = `fetch of Node.js (undici ${process.versions.undici})`;
export { facts };

export const start = ({ origin }) => sendThrough(fetch, undefined, origin);
